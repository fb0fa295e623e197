//! Storm: all devices are cut off at once, and come back as good clients do.
//!
//! A device waits a random time below a bound that doubles from try to try (full jitter), adds to it
//! what the server asked for (`Retry-After`, its slot in `bye`), shows the ticket of its last
//! session, and does not wait for an upgrade for ever. Checked: everybody is back; measured: how long
//! after the cut.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use memchr::memmem;

use super::{Loss, Move, Outcome, Scenario, Turn};
use crate::clock::{nanos, scattered};
use crate::objects::{Object, Scanner, number};
use crate::report::{Faults, Histogram, histogram};
use crate::ws;

/// The bound of the first wait and of all, in seconds, as the SDKs have them.
const FIRST_SECONDS: f64 = 0.5;
const MOST_SECONDS: f64 = 30.0;
/// So long they wait for the answer to an upgrade, from the first SYN on.
const PATIENCE_SECONDS: f64 = 10.0;
/// Fewer doublings than that reach the bound of all.
const MOST_DOUBLINGS: u32 = 10;
/// From here on a close code means: not as you are (protocol.md, section 8).
const STAY_AWAY: u16 = 4500;
const EXPIRED: u16 = 4002;

#[derive(Clone, Default)]
struct Device {
    ticket: Box<str>,
    tries: u32,
    /// The slot that a `bye` gave, in nanoseconds.
    slot: u64,
    up: bool,
    /// When its connection was begun.
    opened: u64,
}

/// The devices of one thread.
pub(crate) struct Storm {
    scanner: Scanner,
    devices: Vec<Device>,
    /// Who comes back when.
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    /// Who was opened when, the oldest first, until his patience is at its end.
    waiting: VecDeque<(u64, usize)>,
    /// What makes waits random; differs from run to run and from thread to thread.
    seed: usize,
    /// When they were cut off, and how many have been so far.
    cut: Option<u64>,
    next: usize,
    back: usize,
    /// By ticket, by token; refused with 503, given up, closed or broken on the way back.
    by_ticket: u64,
    by_token: u64,
    refused: u64,
    timed_out: u64,
    broken: u64,
    back_times: Histogram,
    faults: Faults,
}

impl Storm {
    /// So many devices.
    pub(crate) fn new(lines: usize, seed: usize) -> Self {
        Self {
            scanner: Scanner::new(),
            devices: vec![Device::default(); lines],
            agenda: BinaryHeap::new(),
            waiting: VecDeque::new(),
            seed,
            cut: None,
            next: 0,
            back: 0,
            by_ticket: 0,
            by_token: 0,
            refused: 0,
            timed_out: 0,
            broken: 0,
            back_times: histogram(),
            faults: Faults::default(),
        }
    }

    /// Puts down when a device comes back that the server asked to wait for `asked` nanoseconds.
    fn plan(&mut self, line: usize, asked: u64, now: u64) {
        self.seed = self.seed.wrapping_add(1);
        let Some(device) = self.devices.get_mut(line) else { return };
        let slot = asked + std::mem::take(&mut device.slot);
        let first = device.tries == 0;
        let doublings = device.tries.min(MOST_DOUBLINGS);
        let bound = (FIRST_SECONDS * f64::from(1_u32 << doublings)).min(MOST_SECONDS);
        // A slot of the first try is the device's own already: nothing is gained by more chance.
        let chance = if first && slot > 0 { 0 } else { scattered(self.seed, nanos(bound)) };
        device.tries += 1;
        self.agenda.push(Reverse((now + slot + chance, line)));
    }

    /// The next device whose connection was begun so long ago, and has come to nothing yet.
    fn next_to_give_up(&mut self, now: u64) -> Option<usize> {
        let since = now.saturating_sub(nanos(PATIENCE_SECONDS));
        while let Some(&(opened, line)) = self.waiting.front()
            && opened <= since
        {
            self.waiting.pop_front();
            if self.devices.get(line).is_some_and(|it| !it.up && it.opened == opened) {
                return Some(line);
            }
        }
        None
    }

    /// The next device that is still connected as it was before the cut.
    fn next_to_cut(&mut self) -> Option<usize> {
        while let Some(device) = self.devices.get_mut(self.next) {
            self.next += 1;
            if std::mem::take(&mut device.up) {
                return Some(self.next - 1);
            }
        }
        None
    }
}

/// The ticket that `connected` carries.
fn ticket(answer: &[u8]) -> Option<&str> {
    const NAME: &[u8] = br#""ticket":""#;
    let start = memmem::find(answer, NAME)? + NAME.len();
    let ticket = answer.get(start..)?.split(|&byte| byte == b'"').next()?;
    std::str::from_utf8(ticket).ok()
}

/// The slot of a `bye`, in nanoseconds.
fn slot(bye: &[u8]) -> u64 {
    const NAME: &[u8] = br#""delay_ms":"#;
    let at = memmem::find(bye, NAME).and_then(|at| bye.get(at + NAME.len()..));
    at.map_or(0, number) * 1_000_000
}

impl Scenario for Storm {
    fn ticket(&self, line: usize) -> Option<&str> {
        let device = self.devices.get(line)?;
        (!device.ticket.is_empty()).then_some(&device.ticket)
    }

    fn connected(&mut self, line: usize, answer: &[u8], now: u64) {
        let Some(device) = self.devices.get_mut(line) else { return };
        if let Some(cut) = self.cut {
            self.back += 1;
            self.back_times.saturating_record(now.saturating_sub(cut));
            let known = !device.ticket.is_empty();
            *(if known { &mut self.by_ticket } else { &mut self.by_token }) += 1;
        }
        device.up = true;
        device.tries = 0;
        device.ticket = ticket(answer).unwrap_or_default().into();
    }

    fn forgives(&mut self, line: usize, loss: Loss, turn: Turn) -> bool {
        let Some(device) = self.devices.get_mut(line) else { return false };
        let was_up = std::mem::take(&mut device.up);
        let asked = match loss {
            Loss::Closed(STAY_AWAY..) => return false,
            Loss::Closed(_) | Loss::Broken => {
                if loss == Loss::Closed(EXPIRED) {
                    device.ticket = Box::default();
                }
                self.broken += 1;
                0
            }
            Loss::Refused(after) => {
                self.refused += 1;
                after.unwrap_or_default().saturating_mul(1_000_000_000)
            }
            Loss::TimedOut => {
                self.timed_out += 1;
                0
            }
        };
        if was_up && self.cut.is_some() {
            self.back -= 1;
        }
        self.plan(line, asked, turn.now);
        true
    }

    fn frame(&mut self, line: usize, payload: &[u8], _turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            Object::Bye => {
                if let Some(device) = self.devices.get_mut(line) {
                    device.slot = slot(payload);
                }
            }
            Object::Error { .. } => {
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
            }
            _ => {}
        }
    }

    fn next_move(&mut self, turn: Turn) -> Option<Move> {
        if turn.ending {
            self.cut.get_or_insert(turn.now);
            if let Some(line) = self.next_to_cut() {
                self.plan(line, 0, turn.now);
                return Some(Move::HangUp(line));
            }
        }
        if let Some(line) = self.next_to_give_up(turn.now) {
            return Some(Move::GiveUp(line));
        }
        let &Reverse((due, line)) = self.agenda.peek()?;
        if due > turn.now {
            return None;
        }
        self.agenda.pop();
        if let Some(device) = self.devices.get_mut(line) {
            device.opened = turn.now;
            self.waiting.push_back((turn.now, line));
        }
        Some(Move::Open(line))
    }

    fn done(&self) -> (u64, u64) {
        (self.back as u64, self.refused)
    }

    fn settled(&self) -> bool {
        self.cut.is_some() && self.back >= self.devices.len()
    }

    fn outcome(&mut self) -> Outcome {
        let missing = self.devices.len().saturating_sub(self.back);
        self.faults.count("never came back", missing as u64);
        let times = std::mem::replace(&mut self.back_times, histogram());
        let mut outcome = Outcome::new(vec![("back", times)], std::mem::take(&mut self.faults));
        outcome.counts = vec![
            ("back_by_ticket", self.by_ticket),
            ("back_by_token", self.by_token),
            ("refused_503", self.refused),
            ("timed_out", self.timed_out),
            ("broken", self.broken),
        ];
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const CUT: Turn = Turn { now: 10 * SECOND, running: false, measuring: false, ending: true };
    const CONNECTED: &[u8] = br#"{"op":"connected","id":1,"ticket":"t.1","node":"n"}"#;

    /// Two devices, both connected.
    fn storm() -> Storm {
        let mut storm = Storm::new(2, 1);
        for line in 0..2 {
            storm.connected(line, CONNECTED, SECOND);
        }
        storm
    }

    /// Both cut off; nobody is back.
    fn cut() -> Storm {
        let mut storm = storm();
        for line in 0..2 {
            assert!(matches!(storm.next_move(CUT), Some(Move::HangUp(at)) if at == line));
        }
        storm
    }

    fn due(storm: &Storm) -> u64 {
        storm.agenda.peek().map_or(0, |Reverse((due, _))| *due)
    }

    #[test]
    fn all_are_cut_at_once_and_come_back_with_their_tickets() {
        let mut storm = cut();
        assert!(!storm.settled());
        let later = Turn { now: CUT.now + SECOND / 2, ..CUT };
        for _ in 0..2 {
            let Some(Move::Open(line)) = storm.next_move(later) else { panic!("nobody is due") };
            assert_eq!(storm.ticket(line), Some("t.1"));
            storm.connected(line, CONNECTED, later.now + SECOND);
        }
        assert!(storm.settled());
        let outcome = storm.outcome();
        assert!(outcome.faults.is_empty());
        assert_eq!(outcome.counts[0], ("back_by_ticket", 2));
        assert!(outcome.latencies[0].1.max() >= SECOND);
    }

    #[test]
    fn who_is_refused_waits_as_long_as_it_was_told_and_a_little_longer() {
        let mut storm = cut();
        storm.agenda.clear();
        assert!(storm.forgives(0, Loss::Refused(Some(7)), CUT));
        let wait = due(&storm) - CUT.now;
        assert!((7 * SECOND..8 * SECOND).contains(&wait), "{wait}");
    }

    #[test]
    fn a_slot_is_kept_to_the_moment() {
        let mut storm = storm();
        let bye = br#"{"op":"bye","code":4000,"reason":"","reconnect":true,"delay_ms":1500}"#;
        storm.frame(0, bye, CUT, &mut Vec::new());
        assert!(storm.forgives(0, Loss::Closed(4000), CUT));
        assert_eq!(due(&storm), CUT.now + 3 * SECOND / 2);
    }

    #[test]
    fn who_is_told_to_stay_away_is_a_fault_and_a_stale_ticket_is_dropped() {
        let mut storm = cut();
        assert!(!storm.forgives(0, Loss::Closed(4505), CUT));
        assert!(storm.forgives(1, Loss::Closed(4002), CUT));
        assert_eq!(storm.ticket(1), None);
    }

    #[test]
    fn who_is_not_answered_gives_up_once_and_comes_again() {
        let mut storm = cut();
        let opened = Turn { now: CUT.now + SECOND, ..CUT };
        assert!(matches!(storm.next_move(opened), Some(Move::Open(_))));
        assert!(matches!(storm.next_move(opened), Some(Move::Open(_))));
        storm.connected(0, CONNECTED, opened.now + SECOND);
        let late = Turn { now: opened.now + 10 * SECOND, ..CUT };
        assert!(matches!(storm.next_move(late), Some(Move::GiveUp(1))));
        assert!(storm.forgives(1, Loss::TimedOut, late));
        assert!(due(&storm) >= late.now, "it is planned anew");
        assert_eq!(storm.next_to_give_up(late.now), None);
        assert_eq!(storm.outcome().counts[3], ("timed_out", 1));
    }

    #[test]
    fn who_never_comes_back_is_a_fault() {
        assert!(!cut().outcome().faults.is_empty());
    }
}
