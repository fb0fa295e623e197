//! Who is let in at this moment, and what is given up when memory runs short.

use super::Shard;
use crate::admission::{Bucket, Rate};
use crate::config::Admission;
use crate::memory::Pressure;
use crate::table::{Key, Phase, flag};
use crate::tls::Tls;
use hivewire_proto::handshake;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Seconds after which a refused client may try again, at least and at most.
const RETRY_AFTER_S: std::ops::RangeInclusive<u32> = 1..=10;

/// The listener takes at most so many for each that may be let in: not everybody asks to be.
const ACCEPTS_AN_UPGRADE: u32 = 2;

/// So many a second are taken however few are let in, and so many at once: they are owed an answer
/// soon.
const FEWEST_ACCEPTS: Rate = Rate { per_second: 1_000, burst: 100 };

/// While somebody with a session speaks, this part of the rate of upgrades is let in.
const BESIDE_OTHERS: u32 = 2;

/// While memory is short, a shard without work looks again after so many ticks (1 s).
const LOOK_AGAIN: u32 = 20;

/// Why a valid upgrade is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Draining, or as many connections as there may be.
    Full,
    /// More newcomers, or more to catch up for them, than a second has room for.
    Rate,
    /// Too many connections from one address.
    Address,
    /// Memory runs short.
    Memory,
}

fn beside_others(upgrades: Rate) -> Rate {
    Rate { per_second: upgrades.per_second.div_ceil(BESIDE_OTHERS), ..upgrades }
}

fn accepts_for(upgrades: Rate) -> Rate {
    if upgrades.per_second == 0 {
        // No limit, whatever the burst is.
        return Rate::OFF;
    }
    let fewest = FEWEST_ACCEPTS.per_second;
    let many = |tokens: u32| tokens.saturating_mul(ACCEPTS_AN_UPGRADE).max(fewest);
    Rate { per_second: many(upgrades.per_second), burst: many(upgrades.burst) }
}

/// A shard's part of the rates.
pub(super) struct Gate {
    upgrades: (Rate, Bucket),
    tls: (Rate, Bucket),
    sync: (Rate, Bucket),
    /// What the listener takes, whoever they are.
    accepts: (Rate, Bucket),
    /// What it takes even if those can only be turned away.
    fewest: (Rate, Bucket),
    /// The turns given to those who were told to come back: a debt that the clock pays off.
    promised: Bucket,
    /// The listener waits for the clock.
    rests: bool,
    /// Lines that have spoken and wait for their turn to shake hands.
    queue: VecDeque<Key>,
}

impl Gate {
    pub(super) fn new(rates: &Admission, shards: usize) -> Self {
        let share = |rate: Rate| {
            let rate = rate.share(shards);
            (rate, Bucket::new(rate, 0))
        };
        let (upgrades, tls, sync) = (share(rates.upgrades), share(rates.tls), share(rates.sync));
        let accepts = share(accepts_for(rates.upgrades));
        let fewest = share(FEWEST_ACCEPTS);
        let promised = Bucket::new(Rate { burst: 0, ..upgrades.0 }, 0);
        let (rests, queue) = (false, VecDeque::new());
        Self { upgrades, tls, sync, accepts, fewest, promised, rests, queue }
    }

    /// Pages went out: who catches up costs more than the handshake.
    pub(super) fn spend_sync(&mut self, bytes: usize, now_ms: u64) {
        self.sync.1.spend(self.sync.0, bytes, now_ms);
    }

    /// Whether somebody waits for the clock.
    pub(super) fn waits_for_the_clock(&self) -> bool {
        self.rests || !self.queue.is_empty()
    }

    /// Whether the listener may take one more while so many `ask` to be let in already. To take
    /// somebody and turn him away costs a third of what it costs to let him in, and then he comes
    /// again; who waits in the kernel's queue costs nothing, and is let in by the order of arrival.
    pub(super) fn may_accept(&mut self, now_ms: u64, quiet: bool, ask: usize) -> bool {
        let rate = self.upgrade_rate(quiet);
        let (accepts, fewest) = (&mut self.accepts, &mut self.fewest);
        let welcome = self.upgrades.1.tokens(rate, now_ms) > ask;
        let owed = welcome || fewest.1.tokens(fewest.0, now_ms) > 0;
        self.rests = !owed || accepts.1.is_in_debt(accepts.0, now_ms);
        !self.rests
    }

    /// One was taken. To look whether there is one costs nothing.
    pub(super) fn accepted(&mut self, now_ms: u64) {
        self.accepts.1.spend(self.accepts.0, 1, now_ms);
        self.fewest.1.take(self.fewest.0, now_ms);
    }

    /// Whether one more is let in; `quiet`: nobody is there who would wait meanwhile.
    pub(super) fn upgrade(&mut self, now_ms: u64, quiet: bool) -> Option<Refusal> {
        let rate = self.upgrade_rate(quiet);
        let (upgrades, sync) = (&mut self.upgrades, &mut self.sync);
        let welcome = !sync.1.is_in_debt(sync.0, now_ms) && upgrades.1.take(rate, now_ms);
        (!welcome).then_some(Refusal::Rate)
    }

    /// When one whom [`Self::upgrade`] did not let in may come back, in seconds: in his turn, behind
    /// those who were refused before him. A wait by chance would let the last of a storm wait on
    /// when the node has been idle for long, and would let all come too soon in a greater one.
    pub(super) fn turn(&mut self, now_ms: u64, quiet: bool) -> u32 {
        let rate = Rate { burst: 0, ..self.upgrade_rate(quiet) };
        let (least, most) = RETRY_AFTER_S.into_inner();
        let (sync, promised) = (&mut self.sync, &mut self.promised);
        if promised.owes_ms(rate, now_ms) < u64::from(most) * 1_000 {
            // Whoever comes after them comes at the same time as they do, so he counts no more.
            promised.spend(rate, 1, now_ms);
        }
        let wait_ms = sync.1.owes_ms(sync.0, now_ms) + promised.owes_ms(rate, now_ms);
        u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(most).clamp(least, most)
    }

    fn upgrade_rate(&self, quiet: bool) -> Rate {
        if quiet { self.upgrades.0 } else { beside_others(self.upgrades.0) }
    }
}

impl Shard {
    /// Whether nobody at all is let in, whatever the rates say.
    pub(super) fn is_closed(&self) -> Option<Refusal> {
        let open = self.shared.open.load(Ordering::Acquire);
        if self.paused || open > self.config.max_connections {
            return Some(Refusal::Full);
        }
        (self.ceiling.pressure() >= Pressure::Refuse).then_some(Refusal::Memory)
    }

    /// Answers a valid upgrade with 429 or 503, and a time to come back that is the client's own.
    pub(super) fn turn_away(&mut self, index: u32, refusal: Refusal) {
        let counted = &self.shared.stats;
        counted.refused_total.add(1);
        let (reason, status) = match refusal {
            Refusal::Full => (&counted.refused_full_total, 503),
            Refusal::Rate => (&counted.refused_rate_total, 503),
            Refusal::Address => (&counted.refused_address_total, 429),
            Refusal::Memory => (&counted.refused_memory_total, 503),
        };
        reason.add(1);
        let retry_after = match refusal {
            Refusal::Rate => self.gate.turn(self.now_ms, self.crowd.is_quiet(self.tick)),
            // Nobody knows when there is room: not all at once.
            Refusal::Full | Refusal::Address | Refusal::Memory => self.rng.u32(RETRY_AFTER_S),
        };
        self.refuse(index, &handshake::refusal(status, Some(retry_after)));
    }

    /// Gives a line its keys when it begins to speak, if it is its turn: who never speaks costs
    /// none, and a handshake is the dearest thing that a stranger can ask for. `None`: not now.
    pub(super) fn begin_tls(&mut self, index: u32) -> Option<()> {
        let now_ms = self.now_ms;
        let closed = self.is_closed();
        if self.secure.keys.of(index).is_some() {
            return Some(());
        }
        if let Some(refusal) = closed {
            // There is no telling it without the handshake.
            self.shared.stats.refused_total.add(1);
            if refusal == Refusal::Memory {
                self.shared.stats.refused_memory_total.add(1);
            } else {
                self.shared.stats.refused_full_total.add(1);
            }
            self.kill(index);
            return None;
        }
        let (rate, bucket) = &mut self.gate.tls;
        if self.gate.queue.is_empty() && bucket.take(*rate, now_ms) {
            return self.give_keys(index);
        }
        let slot = self.table.at(index)?;
        if slot.line.set(flag::QUEUED) {
            self.gate.queue.push_back(Key { index, generation: slot.generation });
            self.shared.stats.tls_queued_total.add(1);
        }
        None
    }

    fn give_keys(&mut self, index: u32) -> Option<()> {
        let keys = self.shared.tls.get().and_then(Tls::accept);
        let Some(keys) = keys else {
            self.kill(index);
            return None;
        };
        self.secure.keys.give(index, keys);
        Some(())
    }

    /// Lets those shake hands for whom there is a token by now, first come, first served.
    pub(super) fn call_up(&mut self) {
        while let Some(&key) = self.gate.queue.front() {
            let waits = |line: &crate::table::Line| line.phase == Phase::Upgrading;
            if self.table.find(key).is_some_and(|slot| waits(&slot.line)) {
                let (rate, bucket) = &mut self.gate.tls;
                if !bucket.take(*rate, self.now_ms) {
                    return;
                }
                if self.give_keys(key.index).is_some()
                    && let Some(slot) = self.table.at(key.index)
                {
                    slot.line.clear(flag::QUEUED);
                    self.note_readable(key.index);
                }
            }
            self.gate.queue.pop_front();
        }
    }

    /// Looks at the memory, closes who holds most of it, and gives back what was freed.
    pub(super) fn watch_memory(&mut self) {
        let Some(pressure) = self.ceiling.look(self.tick) else { return };
        self.shared.stats.memory_pressure.set(u64::from(pressure as u8));
        if pressure >= Pressure::Shed {
            self.shed();
        }
        if pressure >= Pressure::Refuse && self.ceiling.trims(self.tick) {
            crate::sys::trim_memory();
        }
    }

    /// Closes the readers with more than the average of what waits.
    fn shed(&mut self) {
        let waiting = self.output.backlog_bytes();
        if waiting == 0 {
            return;
        }
        let mut laggards = Vec::new();
        for index in self.table.indices() {
            if let Some(slot) = self.table.at(index)
                && slot.line.takes_orders()
                && slot.line.backlog_bytes() > 0
            {
                laggards.push((index, slot.line.backlog_bytes()));
            }
        }
        let average = waiting / laggards.len().max(1);
        for (index, bytes) in laggards {
            if bytes >= average {
                self.shared.stats.memory_closed_total.add(1);
                self.doom(index, "memory runs short, and this line reads slowly");
            }
        }
    }

    /// The tick at which something has to be looked at that no line's deadline tells of.
    pub(super) fn next_look(&self) -> Option<u32> {
        let ticks = match self.ceiling.pressure() {
            Pressure::Stop => 1,
            _ if self.gate.waits_for_the_clock() => 1,
            Pressure::None => return None,
            Pressure::Refuse | Pressure::Shed => LOOK_AGAIN,
        };
        Some(self.tick + ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many the listener takes at one moment, none of whom is heard yet.
    fn taken(gate: &mut Gate, now: u64, quiet: bool) -> usize {
        let mut fresh = 0;
        while gate.may_accept(now, quiet, fresh) {
            gate.accepted(now);
            fresh += 1;
        }
        fresh
    }

    #[test]
    fn the_listener_takes_as_many_as_can_be_let_in() {
        let upgrades = Rate { per_second: 5_000, burst: 3_000 };
        let mut gate = Gate::new(&Admission { upgrades, ..Admission::default() }, 1);
        assert_eq!(taken(&mut gate, 0, true), 3_000);
        assert!(gate.waits_for_the_clock(), "it looks again with the next tick");
        assert!((0..3_000).all(|_| gate.upgrade(0, true).is_none()));
        assert_eq!(taken(&mut gate, 50, true), 250);
        assert_eq!(gate.upgrade(50, true), None);
        assert_eq!(taken(&mut gate, 50, true), 249, "the others have not asked yet, if they will");
        assert!((0..5_000).all(|_| gate.may_accept(100, true, 0)), "to look takes no token");
        assert!(!gate.waits_for_the_clock());
    }

    #[test]
    fn who_does_not_ask_is_taken_at_twice_the_rate() {
        let upgrades = Rate { per_second: 5_000, burst: 500 };
        let mut gate = Gate::new(&Admission { upgrades, ..Admission::default() }, 1);
        let mut silent = |now| {
            let may = |gate: &mut Gate| gate.may_accept(now, true, 0);
            std::iter::from_fn(|| may(&mut gate).then(|| gate.accepted(now))).count()
        };
        assert_eq!((silent(0), silent(50)), (1_001, 500), "the first time one into debt");
    }

    #[test]
    fn some_are_taken_to_be_turned_away_so_that_nobody_waits_for_ever() {
        let upgrades = Rate { per_second: 10, burst: 10 };
        let mut gate = Gate::new(&Admission { upgrades, ..Admission::default() }, 1);
        let took = taken(&mut gate, 0, true);
        assert_eq!(took, 100);
        let let_in = (0..took).filter(|_| gate.upgrade(0, true).is_none()).count();
        assert_eq!(let_in, 10);
        assert_eq!(taken(&mut gate, 50, true), 50);
    }

    #[test]
    fn beside_others_half_as_many_come_in_and_the_burst_is_the_same() {
        let upgrades = Rate { per_second: 1_000, burst: 300 };
        let rates = Admission { upgrades, ..Admission::default() };
        for (quiet, later) in [(true, 100), (false, 50)] {
            let mut gate = Gate::new(&rates, 1);
            let let_in = |gate: &mut Gate, now| {
                (0..1_000).filter(|_| gate.upgrade(now, quiet).is_none()).count()
            };
            assert_eq!((let_in(&mut gate, 0), let_in(&mut gate, 100)), (300, later));
        }
        let mut open = Gate::new(&Admission { upgrades: Rate::OFF, ..Admission::default() }, 1);
        assert_eq!(open.upgrade(0, false), None, "no rate is no rate");
    }

    #[test]
    fn who_is_turned_away_gets_the_next_turn_that_nobody_has() {
        let upgrades = Rate { per_second: 1_000, burst: 300 };
        let mut gate = Gate::new(&Admission { upgrades, ..Admission::default() }, 1);
        let turns = |gate: &mut Gate, count, now, quiet| {
            let mut told = [0; 11];
            (0..count).for_each(|_| told[gate.turn(now, quiet) as usize] += 1);
            told[1..].to_vec()
        };
        assert_eq!(turns(&mut gate, 3_500, 0, true)[..4], [1_000, 1_000, 1_000, 500]);
        assert_eq!(turns(&mut gate, 1_000, 3_500, true)[0], 1_000, "those before have come");
        assert_eq!(turns(&mut gate, 1_000, 60_000, false)[..2], [500, 500], "beside others");
        let many = turns(&mut gate, 50_000, 120_000, true);
        assert_eq!((many[0], many[8], many[9]), (1_000, 1_000, 41_000), "ten at most");
        assert_eq!(turns(&mut gate, 1, 130_000, true)[0], 1, "and then all of them have come");
    }

    #[test]
    fn while_others_catch_up_nobodys_turn_comes() {
        let sync = Rate { per_second: 1_000, burst: 500 };
        let mut gate = Gate::new(&Admission { sync, ..Admission::default() }, 1);
        gate.spend_sync(4_000, 0);
        assert_eq!(gate.upgrade(0, true), Some(Refusal::Rate));
        assert_eq!(gate.turn(0, true), 4, "3,500 bytes too many");
        assert_eq!(gate.turn(3_400, true), 1);
    }

    #[test]
    fn whoever_is_turned_away_hears_of_it_soon_and_without_a_rate_nobody_waits() {
        assert_eq!(accepts_for(Rate { per_second: 1, burst: 3 }).per_second, 1_000);
        let upgrades = Rate { per_second: 0, burst: 300 };
        let mut gate = Gate::new(&Admission { upgrades, ..Admission::default() }, 4);
        (0..100_000).for_each(|_| gate.accepted(0));
        assert!(gate.may_accept(0, false, 100_000));
    }
}
