//! Fill: writers send each absent user so many messages. It has an end: when all are answered.

use super::outgoing::{self, FIRST_ID};
use super::{Outcome, Scenario, Times, Turn};
use crate::login::user;
use crate::objects::{Object, Scanner};
use crate::report::{Faults, Histogram, histogram};
use crate::ws::{self, Template};

/// Unanswered messages of a writer.
const IN_FLIGHT: u64 = 32;

/// The absent users, and what each of them is to get.
#[derive(Clone, Copy)]
pub(crate) struct Absent {
    /// The number of the first one, and how many there are.
    pub(crate) first: usize,
    pub(crate) users: usize,
    /// Messages for each.
    pub(crate) each: u64,
    /// Bytes of a message's text.
    pub(crate) bytes: usize,
}

struct Writer {
    next: Template,
    steps: outgoing::First,
    sent: u64,
    answered: u64,
    /// How many it has to send.
    due: u64,
    times: Times,
}

/// The writers of one thread.
pub(crate) struct Fill {
    scanner: Scanner,
    writers: Vec<Writer>,
    each: u64,
    answered: u64,
    answer_times: Histogram,
    faults: Faults,
}

impl Fill {
    /// The writers `lines` of `of`, who share the absent users among them; `first` is the number of
    /// writer 0, `run` tells this run's keys from others.
    pub(crate) fn new(
        absent: Absent,
        prefix: &str,
        first: usize,
        (lines, of): (std::ops::Range<usize>, usize),
        run: u32,
    ) -> Self {
        let share = |writer: usize| absent.first + absent.users * writer / of;
        let writer = |index: usize| {
            let to = format!("user:{}", user(prefix, share(index)));
            let steps = outgoing::first(&to, run, first + index, absent.bytes);
            Writer {
                next: Template::new(&steps.payload),
                steps,
                sent: 0,
                answered: 0,
                due: (share(index + 1) - share(index)) as u64 * absent.each,
                times: Times::new(),
            }
        };
        Self {
            scanner: Scanner::new(),
            writers: lines.map(writer).collect(),
            each: absent.each,
            answered: 0,
            answer_times: histogram(),
            faults: Faults::default(),
        }
    }

    fn send(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        let Some(writer) = self.writers.get_mut(line).filter(|w| w.sent < w.due) else { return };
        writer.next.step(writer.steps.id);
        writer.next.step(writer.steps.key);
        if writer.sent > 0 && writer.sent.is_multiple_of(self.each) {
            writer.next.step(writer.steps.to);
        }
        writer.sent += 1;
        writer.times.set(writer.sent, now);
        out.extend_from_slice(writer.next.bytes());
    }

    fn answer(&mut self, line: usize, id: u64, now: u64) {
        let Some(writer) = self.writers.get_mut(line) else { return };
        writer.answered += 1;
        self.answered += 1;
        let counter = id.saturating_sub(FIRST_ID);
        if counter != writer.answered {
            self.faults.note("answer out of order", || format!("{counter}"));
        }
        self.answer_times.saturating_record(writer.times.since(counter, now));
    }
}

impl Scenario for Fill {
    fn begin(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        for _ in 0..IN_FLIGHT {
            self.send(line, now, out);
        }
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Sent { id, .. } => {
                self.answer(line, id, turn.now);
                self.send(line, turn.now, out);
            }
            Object::Error { id } => {
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
                self.answer(line, id, turn.now);
                self.send(line, turn.now, out);
            }
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            _ => {}
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.answered, self.answered)
    }

    fn settled(&self) -> bool {
        self.writers.iter().all(|writer| writer.answered == writer.due)
    }

    fn outcome(&mut self) -> Outcome {
        let left: u64 = self.writers.iter().map(|w| w.due - w.answered.min(w.due)).sum();
        self.faults.count("never answered", left);
        let times = std::mem::replace(&mut self.answer_times, histogram());
        Outcome::new(vec![("answer", times)], std::mem::take(&mut self.faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn { now: 0, running: false, measuring: false, ending: false };

    /// The payloads of masked frames.
    fn texts(mut bytes: &[u8]) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some((&[_, length], rest)) = bytes.split_first_chunk::<2>() {
            let length = usize::from(length & 0x7F);
            let (mask, rest) = rest.split_at(4);
            let payload = rest[..length].iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m);
            texts.push(String::from_utf8(payload.collect()).unwrap());
            bytes = &rest[length..];
        }
        texts
    }

    #[test]
    fn each_absent_user_gets_as_many_as_asked() {
        let absent = Absent { first: 4, users: 3, each: 2, bytes: 5 };
        let mut fill = Fill::new(absent, "u", 7, (0..2, 2), 7);
        let mut out = Vec::new();
        fill.begin(0, 0, &mut out);
        fill.begin(1, 0, &mut out);
        let sent = texts(&out);
        for number in 4..7 {
            let to = format!(r#""to":"user:u{number:06}""#);
            assert_eq!(sent.iter().filter(|text| text.contains(&to)).count(), 2, "{sent:?}");
        }
        for (line, id) in [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3), (1, 4)] {
            assert!(!fill.settled());
            let sent = format!(r#"{{"op":"sent","id":{},"n":1,"seq":1}}"#, FIRST_ID + id);
            fill.frame(line, sent.as_bytes(), TURN, &mut Vec::new());
        }
        assert!(fill.settled() && fill.outcome().faults.is_empty());
    }
}
