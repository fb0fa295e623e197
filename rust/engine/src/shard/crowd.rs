//! Those who come and those who go, at a pace at which those who stay do not wait for them.
//!
//! A connect costs a node thirty times what a message costs, and when a network comes back
//! there are tens of thousands at once. So a line that is not connected yet, one whose peer has
//! hung up or that we have closed, one whose time is over, and the listener are no part of the read
//! phase: they stand in queues of their own, and have a slice of some turns, after everybody else
//! has been read, published and flushed. While somebody with a session speaks, a slice is short,
//! comes when Python has taken the one before, and is followed by a rest; a line's own input stays
//! in order, because it is read later and not otherwise.

use super::{Shard, mark_readable};
use crate::config::ACCEPTS_A_TURN;
use crate::sys::monotonic_ns;
use crate::table::{Line, Phase, Slot, flag};
use hivewire_proto::close;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// What a slice of every shard together may cost the node, in microseconds of a core, while others
/// speak: Python's thread is one, and often there is one core for several shards.
const SLICE_US: usize = 1_000;

/// What one of a kind costs the shard, the kernel and Python together, in microseconds.
const ACCEPT_US: u32 = 15;
const REQUEST_US: u32 = 35;
const HANDSHAKE_US: u32 = 200;
const CONNECT_US: u32 = 120;
const END_US: u32 = 16;
const POUR_US: u32 = 60;
const OVER_US: u32 = 30;

/// After a slice the core is left to others for so many hundredths of the time that it took.
const REST_PERCENT: u64 = 60;

/// A slice begins after so long however busy Python is: everybody gets in and out in the end.
const PATIENCE_NS: u64 = 10_000_000;

/// Whoever has spoken within so many ticks (1 s) is not made to wait.
const QUIET: u32 = 20;

/// Ends go first, up to a point: they are cheap, and free what they held.
const LEAVERS_A_ROUND: u32 = 4;

/// While so many lines wait, a turn that brought only more of them is followed by a nap. Each reset
/// and each knock would wake the shard otherwise, 20,000 times a second, and most of the core went to
/// looking at one and lying down again.
const CROWD: usize = 32;
const NAP: Duration = Duration::from_micros(400);

/// Ends of lines in one millisecond while nobody speaks.
const LEAVERS: usize = 64;

/// Lines that are told in one millisecond that the node goes down. Those who were told before answer
/// meanwhile: of a million at once the kernel would hold a page each, more than it has for TCP.
const PARTED: usize = 256;

/// While so many strangers wait to be read, the others wait in the kernel's queue.
const STRANGERS: usize = 256;

/// The queues, and whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// Lines without a session that have something to read.
    coming: VecDeque<u32>,
    /// Lines whose peers have hung up, and lines that we have closed: what still pours in on those
    /// is thrown away, and whoever is shown out for it may not have the core by pouring on.
    leaving: VecDeque<u32>,
    /// Lines whose time was over when they were looked at: that of thousands of strangers who came
    /// together and said nothing is over in one moment.
    over: VecDeque<u32>,
    /// Places whose lines are to be told that the node goes down.
    parting: Range<u32>,
    /// Over how long those may come back, milliseconds.
    spread_ms: u64,
    /// When some were last told.
    told_ms: u64,
    /// Somebody may stand at the listener.
    pub(super) knocking: bool,
    /// Taken from the listener since events were last looked at: they stand in no queue yet.
    pub(super) fresh: usize,
    /// Tick of the last word from or to somebody with a session; `None`: never.
    spoke: Option<u32>,
    pace: Pace,
    /// When some were last let go while nobody spoke.
    left_ms: u64,
}

impl Crowd {
    /// Puts a line that is ready into its queue; false: it belongs to those who stay.
    pub(super) fn queues(&mut self, index: u32, slot: &mut Slot) -> bool {
        let leaves = slot.line.has(flag::HANGING_UP) || slot.line.phase == Phase::Closing;
        if !leaves && !is_stranger(&slot.line) {
            return false;
        }
        if slot.line.set(flag::READABLE) {
            let queue = if leaves { &mut self.leaving } else { &mut self.coming };
            queue.push_back(index);
        }
        true
    }

    /// The time of a line is over; its next look is when it is shown out.
    pub(super) fn shows_out(&mut self, index: u32) {
        self.over.push_back(index);
    }

    /// The node goes down: nobody stays, and nobody is made to wait.
    pub(super) fn sends_away(&mut self, places: Range<u32>, spread_ms: u64) {
        (self.parting, self.spread_ms) = (places, spread_ms);
        self.spoke = None;
    }

    /// Somebody with a session has said something, or is told something that is no answer.
    pub(super) fn hears(&mut self, tick: u32) {
        self.spoke = Some(tick);
    }

    /// Strangers who have something to say, or have just come.
    pub(super) fn asks(&self) -> usize {
        self.coming.len() + self.fresh
    }

    /// Whether nobody is there who could be made to wait.
    pub(super) fn is_quiet(&self, tick: u32) -> bool {
        self.spoke.is_none_or(|spoke| tick.saturating_sub(spoke) > QUIET)
    }

    /// Whether lines wait for a slice; who has to be read does not wait for one while nobody is.
    pub(super) fn waits(&self, stalled: bool) -> bool {
        let reads = !self.coming.is_empty() || !self.leaving.is_empty();
        !self.over.is_empty() || !self.parting.is_empty() || reads && !stalled
    }

    /// How long to sleep before events are looked at again; `others`: the last look brought
    /// something of those who stay, or of Python.
    pub(super) fn nap(&self, tick: u32, others: bool) -> Option<Duration> {
        let crowded = self.coming.len() + self.leaving.len() >= CROWD;
        (crowded && !others && !self.is_quiet(tick)).then_some(NAP)
    }

    /// Gives back what the queues do not need.
    pub(super) fn cut(&mut self) {
        self.coming.shrink_to_fit();
        self.leaving.shrink_to_fit();
        self.over.shrink_to_fit();
    }
}

fn is_stranger(line: &Line) -> bool {
    matches!(line.phase, Phase::Upgrading | Phase::Opening)
}

/// What it costs to hear a stranger.
fn cost(line: &Line) -> u32 {
    match line.phase {
        Phase::Opening => CONNECT_US,
        Phase::Upgrading if line.has(flag::SECURE) => HANDSHAKE_US,
        _ => REQUEST_US,
    }
}

/// What it costs to hear the last of a line.
fn cost_of_end(line: &Line) -> u32 {
    match line.phase {
        Phase::Closing => POUR_US,
        // What he has asked for is read all the same: he may be owed a word.
        Phase::Upgrading => cost(line),
        _ => END_US,
    }
}

/// When the next slice may begin.
#[derive(Debug, Default)]
struct Pace {
    began_ns: u64,
    /// When Python had taken the last slice; `None`: it has not.
    taken_ns: Option<u64>,
}

impl Pace {
    /// Whether a slice begins now. `idle`: Python has taken all that there was.
    fn begins(&mut self, now_ns: u64, idle: bool) -> bool {
        let since = now_ns.saturating_sub(self.began_ns);
        if idle && self.taken_ns.is_none() {
            self.taken_ns = Some(now_ns);
        }
        let rested = self.taken_ns.is_some_and(|taken| {
            // All shards have their slices, often on one core, and not at one moment.
            let took = taken.saturating_sub(self.began_ns).max(SLICE_US as u64 * 1_000);
            idle && since >= took + took * REST_PERCENT / 100
        });
        if !rested && since < PATIENCE_NS {
            return false;
        }
        (self.began_ns, self.taken_ns) = (now_ns, None);
        true
    }
}

impl Shard {
    /// Lets some in and some go, if it is their turn. Says whether it was.
    pub(super) fn serve_crowd(&mut self) -> bool {
        if !self.crowd.waits(self.stalled) && !self.crowd.knocking {
            return false;
        }
        let told = self.send_away();
        if self.crowd.is_quiet(self.tick) {
            self.serve_all();
            return true;
        }
        if !self.crowd.pace.begins(monotonic_ns(), self.shared.outlet.is_idle()) {
            return told;
        }
        let share = SLICE_US / self.config.shards.max(1);
        self.serve_slice(u32::try_from(share).unwrap_or(u32::MAX));
        true
    }

    /// Nobody else is there: everything at once, but for those who go.
    fn serve_all(&mut self) {
        if self.crowd.knocking {
            self.accept(ACCEPTS_A_TURN);
        }
        while self.serve_overdue() > 0 {}
        if self.stalled {
            return;
        }
        let mut coming = std::mem::take(&mut self.crowd.coming);
        for index in coming.drain(..) {
            self.read_ready(index);
        }
        if self.crowd.coming.is_empty() {
            self.crowd.coming = coming;
        }
        if self.crowd.left_ms != self.now_ms {
            self.crowd.left_ms = self.now_ms;
            for _ in 0..LEAVERS.min(self.crowd.leaving.len()) {
                self.serve_leaver();
            }
        }
    }

    /// Tells some that the node goes down, if it does. Says whether there were any.
    fn send_away(&mut self) -> bool {
        if self.crowd.parting.is_empty() || self.crowd.told_ms == self.now_ms {
            return false;
        }
        self.crowd.told_ms = self.now_ms;
        for _ in 0..PARTED {
            let Some(index) = self.crowd.parting.next() else { break };
            let delay_ms = self.rng.u64(0..=self.crowd.spread_ms);
            self.begin_close(index, close::DRAIN, "the node is going down", delay_ms);
        }
        true
    }

    /// One of each kind in turn, until the slice is used up or nobody waits.
    fn serve_slice(&mut self, mut left_us: u32) {
        while left_us > 0 {
            let spent = self.serve_round();
            if spent == 0 {
                return;
            }
            left_us = left_us.saturating_sub(spent);
        }
    }

    fn serve_round(&mut self) -> u32 {
        let mut spent = 0;
        if self.crowd.knocking && self.crowd.asks() < STRANGERS && self.accept(1) > 0 {
            spent += ACCEPT_US;
        }
        spent += self.serve_overdue();
        if !self.stalled {
            spent += self.serve_stranger();
            spent += (0..LEAVERS_A_ROUND).map(|_| self.serve_leaver()).sum::<u32>();
        }
        spent
    }

    fn serve_stranger(&mut self) -> u32 {
        let Some(index) = self.crowd.coming.pop_front() else { return 0 };
        let spent = self.table.at(index).map_or(1, |slot| cost(&slot.line));
        self.read_ready(index);
        spent
    }

    fn serve_overdue(&mut self) -> u32 {
        let Some(index) = self.crowd.over.pop_front() else { return 0 };
        self.end_overdue(index);
        OVER_US
    }

    fn serve_leaver(&mut self) -> u32 {
        let Some(index) = self.crowd.leaving.pop_front() else { return 0 };
        let spent = self.table.at(index).map_or(1, |slot| cost_of_end(&slot.line));
        self.read_ready(index);
        spent
    }

    /// Notes that a line has something to read, where it is in line.
    pub(super) fn note_readable(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        if !self.crowd.queues(index, slot) {
            mark_readable(&mut self.readable, index, slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A pace that has just let a slice begin at 100 ms.
    fn begun() -> Pace {
        let mut pace = Pace::default();
        assert!(pace.begins(100 * MS, true));
        pace
    }

    #[test]
    fn a_slice_waits_until_python_has_taken_the_last_one_and_others_had_the_core() {
        let mut pace = begun();
        assert!(!pace.begins(101 * MS, false));
        assert!(!pace.begins(102 * MS, true), "taken within 2 ms, so 1.2 ms are theirs");
        assert!(!pace.begins(103 * MS, true));
        assert!(pace.begins(104 * MS, true));
        assert!(!pace.begins(105 * MS, false), "and so on");
    }

    #[test]
    fn the_other_shards_have_a_slice_each_too_before_the_core_is_for_others() {
        let mut pace = begun();
        let begins: Vec<u64> =
            (1_000..1_100).filter(|at| pace.begins(at * MS / 10, true)).collect();
        assert_eq!(begins, [1_016, 1_032, 1_048, 1_064, 1_080, 1_096], "tenths of a millisecond");
    }

    #[test]
    fn a_busy_core_makes_rests_longer() {
        let mut pace = begun();
        assert!(!pace.begins(105 * MS, true));
        assert!(!pace.begins(107 * MS, true));
        assert!(pace.begins(108 * MS, true));
    }

    #[test]
    fn there_are_a_hundred_slices_a_second_however_busy_python_is() {
        let mut pace = begun();
        let slices = (101..1_100).filter(|&at| pace.begins(at * MS, false)).count();
        assert_eq!(slices, 99);
        let mut pace = begun();
        let flickers = |&at: &u64| pace.begins(at * MS, at % 9 == 0);
        assert!((101..1_100).filter(flickers).count() >= 99, "nor does a moment of rest cost one");
    }

    #[test]
    fn strangers_and_those_who_leave_stand_in_line_once_and_nobody_else_does() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let socket = mio::net::TcpStream::connect(address.parse().expect("it")).expect("a socket");
        let mut table = crate::table::Table::default();
        let key = table.insert(socket, 0, 0).expect("room");
        let slot = table.find(key).expect("a line");
        let mut crowd = Crowd::default();
        for _ in 0..2 {
            assert!(crowd.queues(key.index, slot));
            assert_eq!((crowd.coming.len(), crowd.leaving.len()), (1, 0));
        }
        slot.line.phase = Phase::Connected;
        slot.line.clear(flag::READABLE);
        assert!(!crowd.queues(key.index, slot) && !slot.line.has(flag::READABLE));
        slot.line.set(flag::HANGING_UP);
        assert!(crowd.queues(key.index, slot));
        assert_eq!((crowd.coming.len(), crowd.leaving.len()), (1, 1));
        slot.line.clear(flag::HANGING_UP);
        slot.line.clear(flag::READABLE);
        slot.line.phase = Phase::Closing;
        assert!(crowd.queues(key.index, slot), "what it pours on is nobody's business");
        assert_eq!((crowd.coming.len(), crowd.leaving.len()), (1, 2));
    }

    #[test]
    fn nobody_is_made_to_wait_for_the_silent() {
        let mut crowd = Crowd::default();
        assert!(crowd.is_quiet(0), "nobody has ever spoken");
        crowd.hears(7);
        assert!(!crowd.is_quiet(7) && !crowd.is_quiet(7 + QUIET));
        assert!(crowd.is_quiet(8 + QUIET));
    }

    #[test]
    fn only_a_crowd_among_whom_nobody_else_stirs_lets_a_shard_nap() {
        let mut crowd = Crowd::default();
        crowd.hears(7);
        assert_eq!(crowd.nap(7, false), None, "no crowd");
        crowd.leaving.extend(1..=31);
        crowd.coming.push_back(0);
        assert_eq!(crowd.nap(7, false), Some(NAP));
        assert_eq!(crowd.nap(7, true), None, "somebody else stirs");
        assert_eq!(crowd.nap(8 + QUIET, false), None, "nobody else is there");
    }
}
