//! The wheel comes round: look at each line's stamps, act on what is due, arm the rest again.

use super::Shard;
use crate::config::{CLOSE_MS, LINGER_MS, TICK_MS};
use crate::heartbeat::Verdict;
use crate::objects::{self, Known};
use crate::sys::unix_ms;
use crate::table::{Line, Phase, flag};
use hivewire_proto::{close, handshake};

/// A line without any deadline is looked at this often all the same, in ticks (51 s).
const IDLE_LOOK: u32 = 1_024;

/// A line that is not read for now is looked at this often, in ticks (1 s).
const BLIND_LOOK: u32 = 20;

/// Whether a stranger has got its answer is looked at this often, in ticks (100 ms).
const ANSWER_LOOK: u32 = 2;

/// So many times as long as for `connect` itself a stranger may wait for the answer to it.
const PATIENCE: u32 = 5;

impl Shard {
    pub(super) fn fire_timers(&mut self) {
        let late = self.wheel.next_tick().map(|tick| self.tick.saturating_sub(tick));
        let lag_ms = u64::from(late.unwrap_or(0)) * TICK_MS;
        if lag_ms > self.shared.stats.wheel_lag_ms.get() {
            self.shared.stats.wheel_lag_ms.set(lag_ms);
        }
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(&mut self.table, self.tick, &mut due);
        for index in due.drain(..) {
            if let Some(again) = self.look_at(index) {
                self.wheel.arm(&mut self.table, index, again);
            }
        }
        self.due = due;
    }

    /// Acts on what is due; the tick of the next look, or `None` when the line armed itself.
    fn look_at(&mut self, index: u32) -> Option<u32> {
        let phase = self.table.at(index)?.line.phase;
        match phase {
            Phase::Upgrading | Phase::Opening => self.look_at_opening(index),
            Phase::Connected => self.look_at_line(index),
            Phase::Closing => self.look_at_end(index),
            Phase::Dead => None,
        }
    }

    /// The time for upgrade and `connect` together; pings do not extend it.
    fn look_at_opening(&mut self, index: u32) -> Option<u32> {
        let due = self.opening_due(index)?;
        if self.tick < due {
            return Some(due);
        }
        if self.stalled || self.paused {
            // Its `connect` may be lying there: the time runs again when we read again.
            return Some(self.tick + BLIND_LOOK);
        }
        let (allowed, line) = (ticks(self.config.opening_ms), &self.table.at(index)?.line);
        if line.has(flag::ASKED) && self.tick < due.saturating_add(PATIENCE * allowed) {
            // It has said something in time: that Python is busy is not its fault.
            return Some(self.tick + ANSWER_LOOK);
        }
        match line.phase {
            Phase::Upgrading => self.refuse(index, &handshake::refusal(408, None)),
            _ => self.begin_close(index, close::NOT_CONNECTED, "not connected in time", 0),
        }
        None
    }

    fn opening_due(&mut self, index: u32) -> Option<u32> {
        let allowed = ticks(self.config.opening_ms);
        // An echo server knows no `connect`; its lines are open once upgraded.
        let resumed = self.resumed;
        self.table.at(index).map(|slot| slot.line.since.max(resumed).saturating_add(allowed))
    }

    pub(super) fn arm_opening(&mut self, index: u32) {
        if let Some(due) = self.opening_due(index) {
            self.wheel.arm(&mut self.table, index, due);
        }
    }

    /// Puts a line where its earliest deadline is, after something about it has changed.
    pub(super) fn arm_line(&mut self, index: u32) {
        self.wheel.arm(&mut self.table, index, self.tick + 1);
    }

    fn look_at_line(&mut self, index: u32) -> Option<u32> {
        let (tick, now_ms, resumed) = (self.tick, self.now_ms, self.resumed);
        if let Some((code, reason)) = self.overdue(index) {
            match code {
                close::SLOW_READER => self.doom(index, reason),
                _ => self.begin_close(index, code, reason, 0),
            }
            return None;
        }
        let slot = self.table.at(index)?;
        if let Some(fault) = slot.wire.expire(&self.codec.config().limits, now_ms) {
            self.fail(index, &fault);
            return None;
        }
        let limits = &self.codec.config().limits;
        let slot = self.table.at(index)?;
        let mut next = tick + IDLE_LOOK;
        if let Some(deadline) = slot.wire.deadline(limits) {
            next = next.min(tick_after(deadline));
        }
        next = next.min(stall_due(&slot.line, self.config.outbox_stall_ms));
        next = next.min(expiry_due(&slot.line, tick));
        let blind = self.stalled || self.paused || slot.line.has(flag::HELD);
        if blind {
            // Nobody reads, so silence says nothing: the deadlines stand still.
            return Some(next.min(tick + BLIND_LOOK));
        }
        slot.line.heartbeat.not_before(resumed);
        match slot.line.heartbeat.judge(slot.line.heard.max(resumed), tick) {
            Verdict::Wait(due) => Some(next.min(due)),
            Verdict::Off => Some(next),
            Verdict::Ping(due) => {
                self.ping(index);
                Some(next.min(due))
            }
            Verdict::Dead => {
                self.shared.stats.heartbeat_lost_total.add(1);
                self.begin_close(index, close::NO_HEARTBEAT, "no heartbeat", 0);
                None
            }
        }
    }

    /// What ends a session at this moment, besides its heartbeat.
    fn overdue(&mut self, index: u32) -> Option<(u16, &'static str)> {
        let (tick, stall) = (self.tick, self.config.outbox_stall_ms);
        let line = &self.table.at(index)?.line;
        if stall_due(line, stall) <= tick {
            return Some((close::SLOW_READER, "nothing was read for too long"));
        }
        if expiry_due(line, tick) <= tick {
            return Some((close::EXPIRED, "the token has expired"));
        }
        None
    }

    fn ping(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        let (encoding, head) = (slot.line.encoding, slot.line.position);
        let ping = self.output.object(encoding, |out| {
            objects::write_heartbeat(out, encoding, Known::Ping, 0, head);
        });
        self.output.queue_bare(index, &mut slot.line, ping);
        self.shared.stats.pings_sent_total.add(1);
    }

    /// A closing peer that does not finish is cut off.
    fn look_at_end(&mut self, index: u32) -> Option<u32> {
        let tick = self.tick;
        let line = &self.table.at(index)?.line;
        let due = line.since.saturating_add(ticks(CLOSE_MS));
        let lingers = line.has(flag::SHUT) && tick >= line.since.saturating_add(ticks(LINGER_MS));
        if tick < due && !lingers {
            return Some(due);
        }
        self.kill(index);
        None
    }
}

fn ticks(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(TICK_MS)).unwrap_or(u32::MAX)
}

fn tick_after(ms: u64) -> u32 {
    ticks(ms).saturating_add(1)
}

fn stall_due(line: &Line, stall_ms: u64) -> u32 {
    let backlog = line.backlog.as_ref().filter(|backlog| !backlog.is_empty());
    backlog.map_or(u32::MAX, |backlog| backlog.since.saturating_add(ticks(stall_ms)))
}

fn expiry_due(line: &Line, tick: u32) -> u32 {
    if line.expires_s == 0 {
        return u32::MAX;
    }
    let left_ms = (u64::from(line.expires_s) * 1_000).saturating_sub(unix_ms());
    tick.saturating_add(ticks(left_ms))
}
