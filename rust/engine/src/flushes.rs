//! When what Python submitted left a shard for the kernel: kept for who asks what became of a
//! message, and looked at by nobody else.
//!
//! A submission has a number, the shard notes once a turn up to which number it has flushed, and
//! when. That is all that a line costs which takes what it is given. Only one that does not is
//! noted by itself: since when it waits, and how far it has come.

use crate::table::Key;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Turns that are remembered; some minutes of a node that is not idle, 64 KiB a shard.
const TURNS: usize = 4_096;
/// Times at which slow lines moved on that are remembered. What is behind these was late, but
/// counts as flushed with its turn.
const STEPS: usize = 1_024;

/// What became of what one submission had for one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The shard has it, and has not flushed it yet.
    Handed,
    /// In the outbox, in whole or in part: the kernel has taken nothing since this monotonic time.
    Waiting(u64),
    /// The kernel has it since this monotonic time; 0: that is forgotten.
    Written(u64),
    /// The line ended, at this time, before the kernel had it.
    Lost(u64),
}

/// A line with a backlog.
#[derive(Clone, Copy, Debug)]
struct Slow {
    /// What was submitted before this was flushed before.
    began: u64,
    /// What was submitted before this is out by now.
    reached: u64,
    since_ns: u64,
}

/// A slow line moved on, or ended.
#[derive(Clone, Copy, Debug)]
struct Step {
    key: Key,
    began: u64,
    reached: u64,
    lost: bool,
    at_ns: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the last submission in a turn, and when all of that turn was flushed.
    turns: VecDeque<(u64, u64)>,
    /// The newest turn that is forgotten.
    forgotten: u64,
    slow: HashMap<Key, Slow>,
    steps: VecDeque<Step>,
}

/// The memory of one shard: written by its thread, read by Python's.
#[derive(Debug, Default)]
pub struct Flushes(Mutex<State>);

impl Flushes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that was submitted up to `number` has been written, or waits in a backlog.
    pub fn flushed(&self, number: u64, at_ns: u64) {
        let state = &mut *self.state();
        if state.turns.len() >= TURNS
            && let Some((oldest, _)) = state.turns.pop_front()
        {
            state.forgotten = oldest;
        }
        state.turns.push_back((number, at_ns));
    }

    /// A line did not take everything: what is left was submitted as `oldest` or later.
    pub fn blocked(&self, key: Key, oldest: u64, at_ns: u64) {
        let state = &mut *self.state();
        let before = state.slow.get(&key).copied();
        let began = before.map_or(oldest, |slow| slow.began);
        if before.is_none_or(|slow| slow.reached < oldest) {
            state.slow.insert(key, Slow { began, reached: oldest, since_ns: at_ns });
            if before.is_some() {
                state.step(Step { key, began, reached: oldest, lost: false, at_ns });
            }
        }
    }

    /// A line that was slow has taken everything, up to submission `number`.
    pub fn caught_up(&self, key: Key, number: u64, at_ns: u64) {
        let state = &mut *self.state();
        if let Some(Slow { began, .. }) = state.slow.remove(&key) {
            let reached = number.saturating_add(1);
            state.step(Step { key, began, reached, lost: false, at_ns });
        }
    }

    /// What waited for a slow line has been dropped.
    pub fn lost(&self, key: Key, at_ns: u64) {
        let state = &mut *self.state();
        if let Some(Slow { began, reached, .. }) = state.slow.remove(&key) {
            state.step(Step { key, began, reached, lost: true, at_ns });
        }
    }

    /// From submission `number` on nothing reaches a line: its socket is broken, or it closes.
    pub fn dropped(&self, key: Key, number: u64, at_ns: u64) {
        let (began, reached) = (number, number);
        self.state().step(Step { key, began, reached, lost: true, at_ns });
    }

    /// What became of what submission `number` had for a line.
    #[must_use]
    pub fn fate(&self, key: Key, number: u64) -> Fate {
        self.state().fate(key, number)
    }
}

impl State {
    fn step(&mut self, step: Step) {
        if self.steps.len() >= STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }

    fn fate(&self, key: Key, number: u64) -> Fate {
        let of_line = |step: &&Step| step.key == key && step.began <= number;
        for step in self.steps.iter().filter(of_line) {
            let is_through = step.reached > number;
            if step.lost && !is_through {
                return Fate::Lost(step.at_ns);
            }
            if is_through && !step.lost {
                return Fate::Written(step.at_ns);
            }
        }
        match self.slow.get(&key).filter(|slow| slow.began <= number) {
            Some(slow) if slow.reached <= number => Fate::Waiting(slow.since_ns),
            // It has come through, and the step with which it did is forgotten.
            Some(_) => Fate::Written(0),
            None => self.flushed(number),
        }
    }

    fn flushed(&self, number: u64) -> Fate {
        if number <= self.forgotten {
            return Fate::Written(0);
        }
        let at = self.turns.partition_point(|&(last, _)| last < number);
        self.turns.get(at).map_or(Fate::Handed, |&(_, at_ns)| Fate::Written(at_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Key = Key { index: 3, generation: 1 };
    const NEXT: Key = Key { index: 3, generation: 2 };

    #[test]
    fn what_was_submitted_left_with_the_first_flush_behind_it() {
        let flushes = Flushes::default();
        assert_eq!(flushes.fate(LINE, 1), Fate::Handed);
        flushes.flushed(2, 100);
        flushes.flushed(5, 200);
        let fates = [1, 2, 3, 5, 6].map(|number| flushes.fate(LINE, number));
        let written = |at| Fate::Written(at);
        assert_eq!(fates, [written(100), written(100), written(200), written(200), Fate::Handed]);
    }

    #[test]
    fn what_a_slow_line_was_given_waits_until_it_has_come_through() {
        let flushes = Flushes::default();
        flushes.flushed(4, 100);
        flushes.blocked(LINE, 5, 200);
        flushes.flushed(9, 200);
        assert_eq!(flushes.fate(LINE, 4), Fate::Written(100), "before it was slow");
        assert_eq!(flushes.fate(LINE, 7), Fate::Waiting(200));
        assert_eq!(flushes.fate(NEXT, 7), Fate::Written(200), "another one is not");
        flushes.blocked(LINE, 5, 250);
        assert_eq!(flushes.fate(LINE, 7), Fate::Waiting(200), "it has not moved");
        flushes.blocked(LINE, 8, 300);
        assert_eq!(flushes.fate(LINE, 7), Fate::Written(300));
        assert_eq!(flushes.fate(LINE, 8), Fate::Waiting(300));
        flushes.caught_up(LINE, 9, 400);
        assert_eq!(flushes.fate(LINE, 8), Fate::Written(400));
        flushes.flushed(10, 500);
        assert_eq!(flushes.fate(LINE, 10), Fate::Written(500), "it is slow no more");
        assert_eq!(flushes.fate(LINE, 4), Fate::Written(100));
    }

    #[test]
    fn what_waits_when_the_line_ends_is_lost_and_nothing_else() {
        let flushes = Flushes::default();
        flushes.blocked(LINE, 5, 100);
        flushes.blocked(LINE, 7, 150);
        flushes.lost(LINE, 200);
        flushes.flushed(9, 210);
        assert_eq!(flushes.fate(LINE, 6), Fate::Written(150));
        assert_eq!(flushes.fate(LINE, 8), Fate::Lost(200));
        assert_eq!(flushes.fate(NEXT, 8), Fate::Written(210), "who has its place now");
    }

    #[test]
    fn what_comes_for_a_line_that_closes_is_lost_and_what_came_before_is_not() {
        let flushes = Flushes::default();
        flushes.flushed(4, 100);
        flushes.dropped(LINE, 5, 200);
        flushes.flushed(6, 200);
        assert_eq!(flushes.fate(LINE, 4), Fate::Written(100));
        assert_eq!(flushes.fate(LINE, 5), Fate::Lost(200));
        assert_eq!(flushes.fate(LINE, 6), Fate::Lost(200));
    }

    #[test]
    fn i8_what_is_remembered_has_a_bound_and_what_is_forgotten_has_no_time() {
        let flushes = Flushes::default();
        for number in 1..=TURNS as u64 + 10 {
            flushes.flushed(number, number * 10);
            flushes.blocked(LINE, number, number * 10);
            flushes.caught_up(LINE, number, number * 10);
        }
        let state = flushes.state();
        assert_eq!((state.turns.len(), state.steps.len()), (TURNS, STEPS));
        assert!(state.slow.is_empty());
        drop(state);
        assert_eq!(flushes.fate(NEXT, 10), Fate::Written(0));
        assert_eq!(flushes.fate(NEXT, 11), Fate::Written(110));
    }
}
