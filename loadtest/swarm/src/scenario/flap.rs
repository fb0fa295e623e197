//! Flap: devices lose their connection and come back within the server's linger, again and again,
//! and whoever watches their users hears nothing of it. In the end all devices leave for good.
//!
//! Checked on the way: `watch` shows everybody online; no `presence` is pushed while they flap; after
//! the leaving each watcher is told of each user once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::{Move, Outcome, Scenario, Turn};
use crate::cli::Flaps;
use crate::clock::{nanos, scattered};
use crate::login::user;
use crate::objects::{Object, Scanner, changes, changes_to};
use crate::report::Faults;
use crate::ws;

const WATCH: u64 = 3;

/// Who flaps and who watches: the devices come first, the watchers behind them.
#[derive(Clone)]
pub(crate) struct Crowd {
    pub(crate) prefix: String,
    /// The number of the first device's user.
    pub(crate) first: usize,
    pub(crate) devices: usize,
    pub(crate) flaps: Flaps,
}

/// What is to happen to a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Lose,
    Return,
}

/// The connections of one thread.
pub(crate) struct Flap {
    crowd: Crowd,
    /// The numbers of this thread's connections, the first device being 0.
    numbers: Range<usize>,
    scanner: Scanner,
    /// What is due when, of which line.
    agenda: BinaryHeap<Reverse<(u64, usize, Act)>>,
    /// Which lines take part at the moment.
    up: Vec<bool>,
    /// Devices that still have to be taken away at the end.
    leaving: Option<Range<usize>>,
    /// Devices that came back when the leaving had begun.
    late: Vec<usize>,
    watching: usize,
    returns: u64,
    pushes_while_flapping: u64,
    changes_while_flapping: u64,
    pushes_of_leaving: u64,
    told: u64,
    faults: Faults,
}

impl Crowd {
    /// How many watchers there are.
    pub(crate) fn watchers(&self) -> usize {
        (self.devices * self.flaps.watched_by).div_ceil(self.flaps.watch)
    }

    /// The users that a watcher (counted from 0) watches: each device gets `watched_by` of them.
    fn watched(&self, watcher: usize) -> impl Iterator<Item = usize> {
        let start = watcher * self.flaps.watch;
        let end = (start + self.flaps.watch).min(self.devices * self.flaps.watched_by);
        let devices = self.devices;
        (start..end).map(move |at| at % devices)
    }
}

impl Flap {
    /// The connections `numbers` of the crowd.
    pub(crate) fn new(crowd: Crowd, numbers: Range<usize>) -> Self {
        Self {
            crowd,
            scanner: Scanner::new(),
            agenda: BinaryHeap::new(),
            up: vec![false; numbers.len()],
            numbers,
            leaving: None,
            late: Vec::new(),
            watching: 0,
            returns: 0,
            pushes_while_flapping: 0,
            changes_while_flapping: 0,
            pushes_of_leaving: 0,
            told: 0,
            faults: Faults::default(),
        }
    }

    /// This thread's devices, as lines.
    fn devices(&self) -> usize {
        self.crowd.devices.saturating_sub(self.numbers.start).min(self.numbers.len())
    }

    /// Which watcher this line is.
    fn watcher(&self, line: usize) -> Option<usize> {
        (self.numbers.start + line).checked_sub(self.crowd.devices)
    }

    /// How many (watcher, user) pairs this thread has.
    fn watched(&self) -> u64 {
        let watchers = (self.devices()..self.numbers.len()).filter_map(|line| self.watcher(line));
        watchers.map(|watcher| self.crowd.watched(watcher).count() as u64).sum()
    }

    fn presence(&mut self, line: usize, id: u64, payload: &[u8]) {
        if id == WATCH {
            self.watching += 1;
            let watched = self.watcher(line).map_or(0, |at| self.crowd.watched(at).count() as u64);
            let online = changes_to(payload, "online");
            if online != watched {
                self.faults.note("not all online", || format!("{online} of {watched}"));
            }
        } else if self.leaving.is_some() {
            self.pushes_of_leaving += 1;
            self.told += changes_to(payload, "offline");
        } else {
            self.pushes_while_flapping += 1;
            self.changes_while_flapping += changes(payload);
            let words = || String::from_utf8_lossy(payload).into_owned();
            self.faults.note("presence of a flapping device", words);
        }
    }

    /// The next device that leaves for good.
    fn next_leaving(&mut self) -> Option<Move> {
        let devices = self.devices();
        if self.crowd.flaps.told_within == 0 {
            return None;
        }
        let leaving = self.leaving.get_or_insert(0..devices);
        let present = leaving.find(|&line| self.up.get(line) == Some(&true));
        let line = present.or_else(|| self.late.pop())?;
        self.down(line);
        Some(Move::HangUp(line))
    }

    fn down(&mut self, line: usize) {
        if let Some(up) = self.up.get_mut(line) {
            *up = false;
        }
    }

    /// Carries out what is due, and puts down what follows.
    fn next_due(&mut self, now: u64) -> Option<Move> {
        let &Reverse((due, line, act)) = self.agenda.peek()?;
        if due > now {
            return None;
        }
        self.agenda.pop();
        let (every, away) = (nanos(self.crowd.flaps.every), nanos(self.crowd.flaps.away));
        if act == Act::Return {
            self.agenda.push(Reverse((now + every.saturating_sub(away), line, Act::Lose)));
            return Some(Move::Open(line));
        }
        if self.up.get(line) != Some(&true) {
            // The server has not let it in again yet.
            self.agenda.push(Reverse((now + away.max(1), line, Act::Lose)));
            return self.next_due(now);
        }
        self.down(line);
        self.agenda.push(Reverse((now + away, line, Act::Return)));
        Some(Move::HangUp(line))
    }
}

impl Scenario for Flap {
    fn ready(&mut self, line: usize, _position: u64, _missed: u16) {
        if let Some(up) = self.up.get_mut(line) {
            *up = true;
        }
        self.returns += u64::from(!self.agenda.is_empty());
        if self.leaving.is_some() {
            self.late.push(line);
        }
    }

    fn steps(&self) -> u8 {
        1
    }

    fn prepare(&mut self, _step: u8, line: usize, out: &mut Vec<u8>) {
        let Some(watcher) = self.watcher(line) else { return };
        let Crowd { prefix, first, .. } = &self.crowd;
        let users =
            self.crowd.watched(watcher).map(|n| format!(r#""{}""#, user(prefix, first + n)));
        let users = users.collect::<Vec<_>>().join(",");
        let command = format!(r#"{{"op":"watch","id":{WATCH},"users":[{users}]}}"#);
        ws::write_frame(out, ws::TEXT, command.as_bytes());
    }

    fn prepared(&self, _step: u8) -> bool {
        self.watching == self.numbers.len() - self.devices()
    }

    fn begin(&mut self, line: usize, now: u64, _out: &mut Vec<u8>) {
        if self.watcher(line).is_none() {
            let first = scattered(self.numbers.start + line, nanos(self.crowd.flaps.every));
            self.agenda.push(Reverse((now + first, line, Act::Lose)));
        }
    }

    fn frame(&mut self, line: usize, payload: &[u8], _turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Presence { id } => self.presence(line, id, payload),
            // What is left of earlier runs of the same users.
            Object::Event { .. } | Object::Message { .. } | Object::Receipt => {}
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            Object::Error { id } => {
                self.watching += usize::from(id == WATCH);
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
            }
            _ => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn next_move(&mut self, turn: Turn) -> Option<Move> {
        match turn {
            Turn { running: true, now, .. } => self.next_due(now),
            Turn { ending: true, .. } => self.next_leaving(),
            _ => None,
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.returns, self.pushes_while_flapping)
    }

    fn settled(&self) -> bool {
        self.crowd.flaps.told_within == 0 || self.told >= self.watched()
    }

    fn outcome(&mut self) -> Outcome {
        if self.crowd.flaps.told_within > 0 {
            let watched = self.watched();
            self.faults.count("never told of leaving", watched.saturating_sub(self.told));
            self.faults.count("told of leaving twice", self.told.saturating_sub(watched));
        }
        let mut outcome = Outcome::new(Vec::new(), std::mem::take(&mut self.faults));
        outcome.counts = vec![
            ("returns", self.returns),
            ("pushes_while_flapping", self.pushes_while_flapping),
            ("changes_while_flapping", self.changes_while_flapping),
            ("pushes_of_leaving", self.pushes_of_leaving),
            ("changes_of_leaving", self.told),
        ];
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Window;

    const RUNNING: Turn =
        Turn { now: 10_000_000_000, running: true, measuring: false, ending: false };
    const ENDING: Turn = Turn { running: false, ending: true, ..RUNNING };
    const RAMP: Turn = Turn { running: false, ..RUNNING };

    /// Two devices (lines 0 and 1), each watched by the two watchers (lines 2 and 3).
    fn crowd() -> Flap {
        let window = Window { warm: 0.0, seconds: 0.0 };
        let flaps =
            Flaps { window, watched_by: 2, watch: 2, every: 4.0, away: 1.0, told_within: 60 };
        let crowd = Crowd { prefix: "u".to_owned(), first: 0, devices: 2, flaps };
        assert_eq!(crowd.watchers(), 2);
        let mut flap = Flap::new(crowd, 0..4);
        for line in 0..4 {
            flap.ready(line, 0, 0);
        }
        flap
    }

    fn presence(flap: &mut Flap, line: usize, head: &str, state: &str) {
        let changes = [0, 1].map(|n| format!(r#"{{"user":"u{n}","state":"{state}"}}"#)).join(",");
        let object = format!(r#"{{"op":"presence",{head}"changes":[{changes}]}}"#);
        flap.frame(line, object.as_bytes(), RUNNING, &mut Vec::new());
    }

    #[test]
    fn watchers_watch_and_see_everybody_online() {
        let mut flap = crowd();
        let mut out = Vec::new();
        flap.prepare(0, 1, &mut out);
        assert!(out.is_empty() && !flap.prepared(0));
        for line in [2, 3] {
            flap.prepare(0, line, &mut out);
            presence(&mut flap, line, r#""id":3,"#, "online");
        }
        assert!(!out.is_empty() && flap.prepared(0));
        assert!(flap.faults.is_empty());
        presence(&mut flap, 3, r#""id":3,"#, "offline");
        assert!(!flap.faults.is_empty());
    }

    #[test]
    fn a_device_goes_and_comes_back() {
        let mut flap = crowd();
        flap.begin(0, 0, &mut Vec::new());
        assert!(matches!(flap.next_move(RUNNING), Some(Move::HangUp(0))));
        assert!(flap.next_move(RUNNING).is_none());
        let later = Turn { now: RUNNING.now + 1_000_000_000, ..RUNNING };
        assert!(matches!(flap.next_move(later), Some(Move::Open(0))));
        flap.ready(0, 0, 0);
        assert_eq!(flap.done(), (1, 0));
    }

    #[test]
    fn a_push_while_they_flap_is_a_fault() {
        let mut flap = crowd();
        presence(&mut flap, 2, "", "offline");
        assert!(!flap.outcome().faults.is_empty());
    }

    #[test]
    fn in_the_end_every_watcher_is_told_of_every_device() {
        let mut flap = crowd();
        assert!(flap.next_move(RAMP).is_none());
        for _ in 0..2 {
            assert!(matches!(flap.next_move(ENDING), Some(Move::HangUp(_))));
        }
        assert!(flap.next_move(ENDING).is_none());
        flap.ready(1, 0, 0);
        assert!(matches!(flap.next_move(ENDING), Some(Move::HangUp(1))), "it came too late");
        assert!(flap.next_move(ENDING).is_none());
        presence(&mut flap, 2, "", "offline");
        assert!(!flap.settled());
        presence(&mut flap, 3, "", "offline");
        assert!(flap.settled() && flap.outcome().faults.is_empty());
    }
}
