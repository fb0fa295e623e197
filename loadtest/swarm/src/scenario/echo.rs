//! Echo: each message comes back as it was, in order, and is followed by the next.

use super::{Outcome, Scenario, Times, Turn};
use crate::objects::number;
use crate::report::{Faults, Histogram, histogram};
use crate::ws::Template;

/// Digits of the counter that a payload starts with.
const DIGITS: usize = 10;

struct Talker {
    next: Template,
    sent: u64,
    back: u64,
    times: Times,
}

/// The connections of one thread.
pub(crate) struct Echo {
    talkers: Vec<Talker>,
    in_flight: u64,
    bytes: usize,
    back: u64,
    sent: u64,
    latency: Histogram,
    faults: Faults,
}

impl Echo {
    /// `lines` connections with `in_flight` messages of `bytes` each under way.
    pub(crate) fn new(lines: usize, in_flight: u64, bytes: usize) -> Self {
        let bytes = bytes.max(DIGITS);
        let payload = [&[b'0'; DIGITS], vec![b'x'; bytes - DIGITS].as_slice()].concat();
        let talker =
            || Talker { next: Template::new(&payload), sent: 0, back: 0, times: Times::new() };
        Self {
            talkers: (0..lines).map(|_| talker()).collect(),
            in_flight,
            bytes,
            back: 0,
            sent: 0,
            latency: histogram(),
            faults: Faults::default(),
        }
    }

    fn send(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        let Some(talker) = self.talkers.get_mut(line) else { return };
        talker.next.step(DIGITS - 1);
        talker.sent += 1;
        self.sent += 1;
        talker.times.set(talker.sent, now);
        out.extend_from_slice(talker.next.bytes());
    }
}

impl Scenario for Echo {
    fn begin(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        for _ in 0..self.in_flight {
            self.send(line, now, out);
        }
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        let Some(talker) = self.talkers.get_mut(line) else { return };
        talker.back += 1;
        self.back += 1;
        let counter = number(payload.get(..DIGITS).unwrap_or_default());
        if counter != talker.back || payload.len() != self.bytes {
            self.faults.note("not what was sent", || format!("{counter}, not {}", talker.back));
        }
        if turn.measuring {
            self.latency.saturating_record(talker.times.since(counter, turn.now));
        }
        if turn.running {
            self.send(line, turn.now, out);
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.back, self.back)
    }

    fn settled(&self) -> bool {
        self.sent == self.back
    }

    fn outcome(&mut self) -> Outcome {
        self.faults.count("never came back", self.sent - self.back.min(self.sent));
        let latency = std::mem::replace(&mut self.latency, histogram());
        Outcome::new(vec![("echo", latency)], std::mem::take(&mut self.faults))
    }
}
