//! Messages: connection 2k and 2k + 1 write to each other, each with so many sends unanswered.
//!
//! Checked on the way: answers in the order of the sends, none a duplicate, every message once and
//! in its sender's order, `seq` without a hole over answers and events together.

use super::outgoing::{self, DIGITS, FIRST_ID};
use super::{Outcome, Scenario, Times, Turn};
use crate::login::user;
use crate::objects::{Object, Scanner, number};
use crate::report::{Faults, Histogram, histogram};
use crate::ws::{self, Template};

/// Where it stands in a raw payload: after the letter and the number's eight digits.
const RAW_COUNTER: usize = 9;

/// What is spoken.
pub(crate) enum Dialect {
    /// hivewire.v1.json; users are named with this prefix.
    Objects { scanner: Box<Scanner>, prefix: String },
    /// The relay floor's payloads.
    Raw,
}

enum Incoming {
    Answer { counter: u64, seq: u64, dup: bool },
    Refusal { counter: u64 },
    Delivery { counter: u64, seq: u64 },
    Event { seq: u64 },
    Receipt,
    Ping,
    Other,
}

struct Talker {
    next: Template,
    /// Where the counters to step have their last digits: in the key (or raw payload), in the id.
    steps: (usize, Option<usize>),
    sent: u64,
    answered: u64,
    /// The counter of the partner's message that came last.
    received: u64,
    position: u64,
    unacked: u32,
    times: Times,
}

/// The connections of one thread; pairs are never split.
pub(crate) struct Messages {
    dialect: Dialect,
    talkers: Vec<Talker>,
    in_flight: u64,
    ack_every: u32,
    sent: u64,
    answered: u64,
    refused: u64,
    delivered: u64,
    receipts: u64,
    answer_times: Histogram,
    delivery_times: Histogram,
    faults: Faults,
}

impl Messages {
    /// Connections `first..first + lines` (user numbers); `run` tells this run's keys from others.
    pub(crate) fn new(
        dialect: Dialect,
        (first, lines): (usize, usize),
        load: &crate::cli::Load,
        ack_every: u32,
        run: u32,
    ) -> Self {
        let talker = |number| {
            let (payload, steps) = dialect.first_message(number, run, load.bytes);
            Talker {
                next: Template::new(&payload),
                steps,
                sent: 0,
                answered: 0,
                received: 0,
                position: 0,
                unacked: 0,
                times: Times::new(),
            }
        };
        let talkers = (first..first + lines).map(talker).collect();
        Self {
            dialect,
            talkers,
            in_flight: load.in_flight,
            ack_every,
            sent: 0,
            answered: 0,
            refused: 0,
            delivered: 0,
            receipts: 0,
            answer_times: histogram(),
            delivery_times: histogram(),
            faults: Faults::default(),
        }
    }

    fn send(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        let Some(talker) = self.talkers.get_mut(line) else { return };
        talker.next.step(talker.steps.0);
        if let Some(id) = talker.steps.1 {
            talker.next.step(id);
        }
        talker.sent += 1;
        self.sent += 1;
        talker.times.set(talker.sent, now);
        out.extend_from_slice(talker.next.bytes());
    }

    fn answer(&mut self, line: usize, counter: u64, turn: Turn, out: &mut Vec<u8>) {
        let Some(talker) = self.talkers.get_mut(line) else { return };
        talker.answered += 1;
        self.answered += 1;
        if counter != talker.answered {
            self.faults.note("answer out of order", || format!("{counter}"));
        }
        if turn.measuring {
            self.answer_times.saturating_record(talker.times.since(counter, turn.now));
        }
        if turn.running {
            self.send(line, turn.now, out);
        }
    }

    fn delivery(&mut self, line: usize, counter: u64, turn: Turn) {
        self.delivered += 1;
        // Refused sends leave holes in the sender's counters that are nobody's fault.
        let holes = self.refused;
        let Some(talker) = self.talkers.get_mut(line) else { return };
        let expected = talker.received + 1;
        talker.received = counter;
        if counter < expected || counter > expected + holes {
            self.faults.note("message lost, doubled or out of order", || {
                format!("{counter}, not {expected}, to line {line}")
            });
        }
        if turn.measuring
            && let Some(sender) = self.talkers.get(line ^ 1)
        {
            self.delivery_times.saturating_record(sender.times.since(counter, turn.now));
        }
    }

    /// An event or first answer fills the next place of the timeline.
    fn place(&mut self, line: usize, seq: u64) {
        let Some(talker) = self.talkers.get_mut(line) else { return };
        if seq != talker.position + 1 {
            let position = talker.position;
            self.faults.note("hole in seq", || format!("{seq} after {position}, line {line}"));
        }
        talker.position = seq;
    }

    fn event(&mut self, line: usize, seq: u64, out: &mut Vec<u8>) {
        self.place(line, seq);
        let Some(talker) = self.talkers.get_mut(line) else { return };
        talker.unacked += 1;
        if talker.unacked >= self.ack_every {
            talker.unacked = 0;
            let ack = format!(r#"{{"op":"ack","seq":{seq}}}"#);
            ws::write_frame(out, ws::TEXT, ack.as_bytes());
        }
    }
}

impl Scenario for Messages {
    fn ready(&mut self, line: usize, position: u64, _missed: u16) {
        if let Some(talker) = self.talkers.get_mut(line) {
            talker.position = position;
        }
    }

    fn begin(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        for _ in 0..self.in_flight {
            self.send(line, now, out);
        }
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        let raw = matches!(self.dialect, Dialect::Raw);
        match self.dialect.read(payload) {
            Incoming::Answer { counter, seq, dup } => {
                if dup {
                    self.faults.note("a new key was a duplicate", || format!("{counter}"));
                }
                if !raw {
                    self.place(line, seq);
                }
                self.answer(line, counter, turn, out);
            }
            Incoming::Delivery { counter, seq } => {
                if !raw {
                    self.event(line, seq, out);
                }
                self.delivery(line, counter, turn);
            }
            Incoming::Refusal { counter } => {
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
                self.refused += 1;
                self.answer(line, counter, turn, out);
            }
            Incoming::Event { seq } => self.event(line, seq, out),
            Incoming::Receipt => self.receipts += 1,
            Incoming::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            Incoming::Other => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.answered, self.delivered)
    }

    fn settled(&self) -> bool {
        self.sent == self.answered && self.sent == self.delivered + self.refused
    }

    fn outcome(&mut self) -> Outcome {
        self.faults.count("never answered", self.sent - self.answered.min(self.sent));
        let delivered = self.delivered + self.refused;
        self.faults.count("never delivered", self.sent - delivered.min(self.sent));
        let answers = std::mem::replace(&mut self.answer_times, histogram());
        let deliveries = std::mem::replace(&mut self.delivery_times, histogram());
        let faults = std::mem::take(&mut self.faults);
        let latencies = vec![("answer", answers), ("delivery", deliveries)];
        let mut outcome = Outcome::new(latencies, faults);
        outcome.counts = vec![("receipts", self.receipts)];
        outcome
    }
}

impl Dialect {
    /// A connection's message with its counters at zero, and the last digits of these.
    fn first_message(
        &self,
        number: usize,
        run: u32,
        bytes: usize,
    ) -> (Vec<u8>, (usize, Option<usize>)) {
        match self {
            Self::Raw => {
                let mut payload = format!("M{number:08}{:0DIGITS$}", 0).into_bytes();
                payload.resize(payload.len().max(bytes), b'x');
                (payload, (RAW_COUNTER + DIGITS - 1, None))
            }
            Self::Objects { prefix, .. } => {
                let to = format!("user:{}", user(prefix, number ^ 1));
                let message = outgoing::first(&to, run, number, bytes);
                (message.payload, (message.key, Some(message.id)))
            }
        }
    }

    fn read(&self, payload: &[u8]) -> Incoming {
        match self {
            Self::Raw => {
                let counter = number(payload.get(RAW_COUNTER..RAW_COUNTER + DIGITS).unwrap_or(b""));
                match payload.first() {
                    Some(b'A') => Incoming::Answer { counter, seq: 0, dup: false },
                    Some(b'E') => Incoming::Delivery { counter, seq: 0 },
                    _ => Incoming::Other,
                }
            }
            Self::Objects { scanner, .. } => match scanner.scan(payload) {
                Object::Sent { id, seq, dup } => {
                    Incoming::Answer { counter: id.saturating_sub(FIRST_ID), seq, dup }
                }
                Object::Message { seq, key } => {
                    Incoming::Delivery { counter: outgoing::counter(key), seq }
                }
                Object::Event { seq } => Incoming::Event { seq },
                Object::Receipt => Incoming::Receipt,
                Object::Ping => Incoming::Ping,
                Object::Error { id } if id > FIRST_ID => {
                    Incoming::Refusal { counter: id - FIRST_ID }
                }
                _ => Incoming::Other,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn { now: 0, running: false, measuring: false, ending: false };

    fn pair() -> Messages {
        let dialect =
            Dialect::Objects { scanner: Box::new(Scanner::new()), prefix: "u".to_owned() };
        let window = crate::cli::Window { warm: 0.0, seconds: 0.0 };
        let load = crate::cli::Load { in_flight: 1, bytes: 5, window };
        Messages::new(dialect, (0, 2), &load, 16, 7)
    }

    fn says(messages: &mut Messages, line: usize, object: &str) -> Vec<u8> {
        let mut out = Vec::new();
        messages.frame(line, object.as_bytes(), TURN, &mut out);
        out
    }

    #[test]
    fn an_answered_and_delivered_message_settles_the_pair() {
        let mut pair = pair();
        pair.begin(0, 0, &mut Vec::new());
        assert!(!pair.settled());
        says(&mut pair, 0, r#"{"op":"sent","id":1000000001,"n":1,"seq":1,"ts":1,"dup":false}"#);
        says(
            &mut pair,
            1,
            r#"{"op":"event","seq":1,"type":"message","n":1,"key":"00000007-000000-0000000001"}"#,
        );
        assert!(pair.settled());
        assert!(pair.outcome().faults.is_empty());
    }

    #[test]
    fn a_message_that_comes_twice_is_a_fault() {
        let mut pair = pair();
        let event =
            r#"{"op":"event","seq":1,"type":"message","n":1,"key":"00000007-000000-0000000001"}"#;
        says(&mut pair, 1, event);
        says(&mut pair, 1, &event.replace("\"seq\":1", "\"seq\":2"));
        assert!(!pair.outcome().faults.is_empty());
    }

    #[test]
    fn a_hole_in_seq_is_a_fault() {
        let mut pair = pair();
        says(
            &mut pair,
            1,
            r#"{"op":"event","seq":2,"type":"message","n":1,"key":"00000007-000000-0000000001"}"#,
        );
        assert!(!pair.outcome().faults.is_empty());
    }

    #[test]
    fn the_sixteenth_event_is_acknowledged() {
        let mut pair = pair();
        let event = |c| {
            format!(
                r#"{{"op":"event","seq":{c},"type":"message","key":"00000007-000000-{c:010}"}}"#
            )
        };
        for counter in 1..16 {
            assert!(says(&mut pair, 1, &event(counter)).is_empty());
        }
        assert!(!says(&mut pair, 1, &event(16)).is_empty());
    }
}
