//! Calm: everybody is there, hardly anybody says anything.
//!
//! Messages are sent at a fixed rate in all, whatever became of those before (an open loop), by one
//! connection after the other to its partner, 2k ↔ 2k + 1. Checked on the way: each is answered and
//! delivered once, `seq` has no hole. How late the server's pings are is measured as well.

use std::collections::HashMap;

use super::outgoing::FIRST_ID;
use super::{Delivered, Loss, Outcome, Scenario, Turn};
use crate::clock::{nanos, scattered};
use crate::login::user;
use crate::objects::{Object, Scanner, number};
use crate::report::{Faults, Histogram, histogram};
use crate::ws;

/// A thread with nothing to do looks at the clock this often, in milliseconds.
const REST_MS: u8 = 50;
/// Senders are so many places apart; a prime, so that everybody has his turn.
const STRIDE: usize = 7_919;
/// Where a key's counter stands: after the run's eight digits and the thread's three.
const KEY_COUNTER: usize = 13;

const ANSWERED: u8 = 1;
const DELIVERED: u8 = 2;

/// What is said.
#[derive(Clone)]
pub(crate) struct Chatter {
    pub(crate) prefix: String,
    /// Messages a second of this thread.
    pub(crate) rate: f64,
    pub(crate) bytes: usize,
    /// In the end the server sends everybody away.
    pub(crate) drained: bool,
    /// Every delivery is written down.
    pub(crate) traced: bool,
    pub(crate) run: u32,
    /// This thread among all.
    pub(crate) thread: usize,
}

/// A message under way.
#[derive(Clone, Copy)]
struct Open {
    sent: u64,
    /// What of it has come.
    came: u8,
}

/// The connections of one thread; pairs are never split.
pub(crate) struct Calm {
    chatter: Chatter,
    /// The first user's number.
    first: usize,
    scanner: Scanner,
    /// Where each connection's timeline stands.
    positions: Vec<u32>,
    /// When each connection last said something, in milliseconds of the fleet's clock; 0 is never.
    spoke: Vec<u32>,
    /// Messages under way, by their counter.
    open: HashMap<u64, Open>,
    /// When the next one is to be sent.
    due: Option<u64>,
    sent: u64,
    answered: u64,
    delivered: u64,
    pings: u64,
    byes: u64,
    answer_times: Histogram,
    delivery_times: Histogram,
    ping_times: Histogram,
    trace: Vec<Delivered>,
    faults: Faults,
}

impl Calm {
    /// Connections `first..first + lines` (user numbers).
    pub(crate) fn new(chatter: Chatter, (first, lines): (usize, usize)) -> Self {
        Self {
            chatter,
            first,
            scanner: Scanner::new(),
            positions: vec![0; lines],
            spoke: vec![0; lines],
            open: HashMap::new(),
            due: None,
            sent: 0,
            answered: 0,
            delivered: 0,
            pings: 0,
            byes: 0,
            answer_times: histogram(),
            delivery_times: histogram(),
            ping_times: histogram(),
            trace: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// Nanoseconds from one message of this thread to the next.
    fn interval(&self) -> u64 {
        nanos(1.0 / self.chatter.rate).max(1)
    }

    /// Writes the next message; who sends it.
    fn send(&mut self, now: u64, out: &mut Vec<u8>) -> usize {
        let Chatter { prefix, bytes, run, thread, .. } = &self.chatter;
        self.sent += 1;
        let counter = self.sent;
        let place = usize::try_from(counter).unwrap_or_default().wrapping_mul(STRIDE);
        let line = place % self.positions.len();
        let (to, id) = (user(prefix, (self.first + line) ^ 1), FIRST_ID + counter);
        let key = format!("{run:08x}-{thread:03}-{counter:010}");
        let text = "x".repeat((*bytes).max(1));
        let send =
            format!(r#"{{"op":"send","id":{id},"to":"user:{to}","key":"{key}","text":"{text}"}}"#);
        ws::write_frame(out, ws::TEXT, send.as_bytes());
        self.open.insert(counter, Open { sent: now, came: 0 });
        self.speaks(line, now);
        line
    }

    fn speaks(&mut self, line: usize, now: u64) {
        if let Some(spoke) = self.spoke.get_mut(line) {
            *spoke = millis(now);
        }
    }

    /// An answer or event fills the next place of a timeline.
    fn place(&mut self, line: usize, seq: u64) {
        let Some(position) = self.positions.get_mut(line) else { return };
        let before = u64::from(std::mem::replace(position, u32::try_from(seq).unwrap_or(u32::MAX)));
        if seq != before + 1 {
            self.faults.note("hole in seq", || format!("{seq} after {before}, line {line}"));
        }
    }

    /// Message `counter` was answered or delivered, once each. When it was sent.
    fn arrived(&mut self, counter: u64, what: u8) -> Option<u64> {
        let open = self.open.get_mut(&counter).filter(|open| open.came & what == 0);
        let Some(open) = open else {
            self.faults.note("twice, or nobody's", || format!("message {counter} ({what})"));
            return None;
        };
        let sent = open.sent;
        open.came |= what;
        if open.came == ANSWERED | DELIVERED {
            self.open.remove(&counter);
        }
        Some(sent)
    }

    fn answer(&mut self, counter: u64, turn: Turn) {
        self.answered += 1;
        if let Some(sent) = self.arrived(counter, ANSWERED)
            && turn.measuring
        {
            self.answer_times.saturating_record(turn.now.saturating_sub(sent));
        }
    }

    fn delivery(&mut self, counter: u64, turn: Turn) {
        self.delivered += 1;
        let Some(sent) = self.arrived(counter, DELIVERED) else { return };
        let took = turn.now.saturating_sub(sent);
        if turn.measuring {
            self.delivery_times.saturating_record(took);
        }
        if self.chatter.traced {
            let took_us = u32::try_from(took / 1_000).unwrap_or(u32::MAX);
            self.trace.push(Delivered { sent_ms: millis(sent), took_us });
        }
    }

    /// The device has the event.
    fn ack(&mut self, line: usize, seq: u64, now: u64, out: &mut Vec<u8>) {
        ws::write_frame(out, ws::TEXT, format!(r#"{{"op":"ack","seq":{seq}}}"#).as_bytes());
        self.speaks(line, now);
    }

    /// The server asks because this line was silent: for how long was it?
    fn ping(&mut self, line: usize, turn: Turn, out: &mut Vec<u8>) {
        self.pings += 1;
        let spoke = self.spoke.get(line).copied().unwrap_or_default();
        if spoke > 0 && turn.measuring {
            let silent = millis(turn.now).saturating_sub(spoke);
            self.ping_times.saturating_record(u64::from(silent) * 1_000_000);
        }
        ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#);
        self.speaks(line, turn.now);
    }
}

fn millis(nanos: u64) -> u32 {
    u32::try_from(nanos / 1_000_000).unwrap_or(u32::MAX)
}

impl Scenario for Calm {
    fn ready(&mut self, line: usize, position: u64, _missed: u16) {
        if let Some(place) = self.positions.get_mut(line) {
            *place = u32::try_from(position).unwrap_or(u32::MAX);
        }
    }

    fn begin(&mut self, line: usize, now: u64, _out: &mut Vec<u8>) {
        if line == 0 && self.chatter.rate > 0.0 {
            // Threads begin at different moments, so that what they say is spread.
            self.due = Some(now + scattered(self.chatter.thread, self.interval()));
        }
    }

    fn patience_ms(&self, turn: Turn) -> u8 {
        if turn.ending {
            // Nothing is due any more, and the core is the server's, which sends everybody away.
            return REST_MS;
        }
        let Some(due) = self.due else { return super::TICK_MS };
        let left = due.saturating_sub(turn.now).div_ceil(1_000_000);
        u8::try_from(left).unwrap_or(REST_MS).min(REST_MS)
    }

    fn turn_done(&mut self, turn: Turn, out: &mut Vec<u8>) -> Option<usize> {
        let due = self.due.filter(|_| turn.running)?;
        if turn.now < due {
            return None;
        }
        self.due = Some(due + self.interval());
        Some(self.send(turn.now, out))
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Ping => self.ping(line, turn, out),
            Object::Sent { id, seq, dup } => {
                if dup {
                    self.faults.note("a new key was a duplicate", || format!("{id}"));
                }
                self.place(line, seq);
                self.answer(id.saturating_sub(FIRST_ID), turn);
            }
            Object::Message { seq, key } => {
                let counter = number(key.get(KEY_COUNTER..).unwrap_or_default());
                self.place(line, seq);
                self.delivery(counter, turn);
                self.ack(line, seq, turn.now, out);
            }
            Object::Event { seq } => self.place(line, seq),
            Object::Receipt => {}
            Object::Bye if self.chatter.drained && turn.ending => self.byes += 1,
            _ => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn forgives(&mut self, _line: usize, _loss: Loss, turn: Turn) -> bool {
        self.chatter.drained && turn.ending
    }

    fn done(&self) -> (u64, u64) {
        (self.answered, self.delivered)
    }

    fn settled(&self) -> bool {
        self.open.is_empty()
    }

    fn outcome(&mut self) -> Outcome {
        let lost = self.open.values().filter(|open| open.came & DELIVERED == 0).count() as u64;
        let unanswered = self.open.values().filter(|open| open.came & ANSWERED == 0).count() as u64;
        self.faults.count("never delivered", lost);
        self.faults.count("never answered", unanswered);
        let take = |times: &mut Histogram| std::mem::replace(times, histogram());
        let latencies = vec![
            ("answer", take(&mut self.answer_times)),
            ("delivery", take(&mut self.delivery_times)),
            ("silence_until_ping", take(&mut self.ping_times)),
        ];
        let mut outcome = Outcome::new(latencies, std::mem::take(&mut self.faults));
        outcome.counts = vec![("sent", self.sent), ("pings", self.pings), ("byes", self.byes)];
        outcome.trace = std::mem::take(&mut self.trace);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn { now: 5_000_000_000, running: true, measuring: true, ending: false };

    fn pair(drained: bool) -> Calm {
        let prefix = "u".to_owned();
        let chatter =
            Chatter { prefix, rate: 10.0, bytes: 3, drained, traced: true, run: 7, thread: 2 };
        let mut calm = Calm::new(chatter, (10, 2));
        calm.begin(0, TURN.now, &mut Vec::new());
        calm
    }

    fn sent(calm: &mut Calm, line: usize, counter: u64, seq: u64) {
        let id = FIRST_ID + counter;
        let answer = format!(
            r#"{{"op":"sent","id":{id},"conv":"direct:a,b","n":1,"seq":{seq},"ts":1,"dup":false}}"#
        );
        calm.frame(line, answer.as_bytes(), TURN, &mut Vec::new());
    }

    fn event(calm: &mut Calm, line: usize, counter: u64, seq: u64) -> Vec<u8> {
        let event = format!(
            r#"{{"op":"event","seq":{seq},"type":"message","conv":"direct:a,b","n":1,"from":"a","key":"00000007-002-{counter:010}","ts":1,"text":"xxx"}}"#
        );
        let mut out = Vec::new();
        calm.frame(line, event.as_bytes(), TURN, &mut out);
        out
    }

    #[test]
    fn messages_are_sent_when_they_are_due_and_not_before() {
        let mut calm = pair(false);
        let mut out = Vec::new();
        let early = Turn { now: TURN.now - 1, ..TURN };
        assert_eq!(calm.turn_done(early, &mut out), None);
        let later = Turn { now: TURN.now + 150_000_000, ..TURN };
        assert_eq!(calm.turn_done(later, &mut out), Some(1), "the first has its turn");
        assert!(!out.is_empty());
        assert!(calm.patience_ms(later) <= REST_MS);
        let ending = Turn { running: false, ending: true, now: later.now + 1_000_000_000, ..later };
        assert_eq!(calm.patience_ms(ending), REST_MS, "what is due at the end is due no more");
        let ramp = Turn { running: false, ..later };
        assert_eq!(calm.turn_done(ramp, &mut out), None);
    }

    #[test]
    fn an_answer_and_a_delivery_settle_a_message_and_are_timed() {
        let mut calm = pair(false);
        calm.send(TURN.now - 2_000_000, &mut Vec::new());
        sent(&mut calm, 1, 1, 1);
        assert!(!calm.settled());
        assert!(!event(&mut calm, 0, 1, 1).is_empty(), "it is acknowledged");
        assert!(calm.settled() && calm.faults.is_empty());
        let outcome = calm.outcome();
        assert!(outcome.faults.is_empty());
        assert_eq!(outcome.trace.len(), 1);
        assert_eq!(outcome.trace[0].took_us, 2_000);
    }

    #[test]
    fn what_comes_twice_or_out_of_order_or_never_is_a_fault() {
        let mut twice = pair(false);
        twice.send(0, &mut Vec::new());
        event(&mut twice, 0, 1, 1);
        event(&mut twice, 0, 1, 2);
        assert!(!twice.faults.is_empty());
        let mut hole = pair(false);
        hole.send(0, &mut Vec::new());
        event(&mut hole, 0, 1, 2);
        assert!(!hole.faults.is_empty());
        let mut lost = pair(false);
        lost.send(0, &mut Vec::new());
        sent(&mut lost, 1, 1, 1);
        assert!(!lost.outcome().faults.is_empty());
    }

    #[test]
    fn who_is_sent_away_is_forgiven_only_at_an_announced_end() {
        let ending = Turn { running: false, ending: true, ..TURN };
        assert!(pair(true).forgives(0, Loss::Closed(4000), ending));
        assert!(!pair(true).forgives(0, Loss::Closed(4000), TURN));
        assert!(!pair(false).forgives(0, Loss::Closed(4000), ending));
    }

    #[test]
    fn the_silence_before_a_ping_is_measured_from_the_last_word() {
        let mut calm = pair(false);
        let mut out = Vec::new();
        calm.ping(0, Turn { now: 1_000_000_000, ..TURN }, &mut out);
        calm.ping(0, TURN, &mut out);
        assert_eq!((calm.pings, calm.ping_times.len()), (2, 1));
        assert!(calm.ping_times.max() >= 4_000_000_000);
    }
}
