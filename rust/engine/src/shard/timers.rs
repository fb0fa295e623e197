//! The wheel comes round: look at each line's stamps, ping who is due, arm the rest again, and hand
//! those whose time is over to the crowd, which ends them at its pace.

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

/// What a look at a line comes to.
enum Look {
    /// Again at that tick.
    Again(u32),
    /// Its time is over.
    Over(End),
    /// Nothing is left of it to look at.
    Gone,
}

/// How a line ends when its time is over.
#[derive(Clone, Copy)]
enum End {
    /// A stranger who has not asked for an upgrade.
    Unasked,
    /// A stranger with a line, and no session.
    Unopened,
    /// A slow reader.
    Slow,
    /// A fragmented message that takes too long.
    Unfinished,
    /// A session, with a code and a reason.
    Session(u16, &'static str),
    /// A closing line whose peer does not do its part.
    Unclosed,
}

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
            match self.look_at(index) {
                Look::Again(tick) => self.wheel.arm(&mut self.table, index, tick),
                Look::Over(_) => self.crowd.shows_out(index),
                Look::Gone => {}
            }
        }
        self.due = due;
    }

    /// Ends a line whose time is over; it may have been saved, or another's, since that was found.
    pub(super) fn end_overdue(&mut self, index: u32) {
        match self.look_at(index) {
            Look::Again(tick) => self.wheel.arm(&mut self.table, index, tick),
            Look::Over(end) => self.end(index, end),
            Look::Gone => {}
        }
    }

    fn end(&mut self, index: u32, end: End) {
        match end {
            End::Unasked => self.refuse(index, &handshake::refusal(408, None)),
            End::Unopened => {
                self.begin_close(index, close::NOT_CONNECTED, "not connected in time", 0);
            }
            End::Slow => self.doom(index, "nothing was read for too long"),
            End::Unfinished => {
                let Some(slot) = self.table.at(index) else { return };
                if let Some(fault) = slot.wire.expire(&self.codec.config().limits, self.now_ms) {
                    self.fail(index, &fault);
                }
            }
            End::Session(code, reason) => {
                if code == close::NO_HEARTBEAT {
                    self.shared.stats.heartbeat_lost_total.add(1);
                }
                self.begin_close(index, code, reason, 0);
            }
            End::Unclosed => self.kill(index),
        }
    }

    fn look_at(&mut self, index: u32) -> Look {
        let Some(slot) = self.table.at(index) else { return Look::Gone };
        let look = match slot.line.phase {
            Phase::Upgrading | Phase::Opening => self.look_at_opening(index),
            Phase::Connected => self.look_at_line(index),
            Phase::Closing => self.look_at_end(index),
            Phase::Dead => None,
        };
        look.unwrap_or(Look::Gone)
    }

    /// The time for upgrade and `connect` together; pings do not extend it.
    fn look_at_opening(&mut self, index: u32) -> Option<Look> {
        let due = self.opening_due(index)?;
        if self.tick < due {
            return Some(Look::Again(due));
        }
        if self.stalled || self.paused {
            // Its `connect` may be lying there: the time runs again when we read again.
            return Some(Look::Again(self.tick + BLIND_LOOK));
        }
        let (allowed, line) = (ticks(self.config.opening_ms), &self.table.at(index)?.line);
        if line.has(flag::ASKED) && self.tick < due.saturating_add(PATIENCE * allowed) {
            // It has said something in time: that Python is busy is not its fault.
            return Some(Look::Again(self.tick + ANSWER_LOOK));
        }
        let upgrading = line.phase == Phase::Upgrading;
        Some(Look::Over(if upgrading { End::Unasked } else { End::Unopened }))
    }

    fn opening_due(&mut self, index: u32) -> Option<u32> {
        let allowed = ticks(self.config.opening_ms);
        // An echo server knows no `connect`; its lines are open once upgraded.
        let resumed = self.sight.resumed_tick();
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

    fn look_at_line(&mut self, index: u32) -> Option<Look> {
        let (tick, now_ms) = (self.tick, self.now_ms);
        let (now, resumed) = (self.sight.now(tick), self.sight.resumed());
        if let Some(end) = self.overdue(index) {
            return Some(Look::Over(end));
        }
        let limits = &self.codec.config().limits;
        let slot = self.table.at(index)?;
        let mut next = tick + IDLE_LOOK;
        if let Some(deadline) = slot.wire.deadline(limits) {
            if now_ms >= deadline {
                return Some(Look::Over(End::Unfinished));
            }
            next = next.min(tick_after(deadline));
        }
        next = next.min(stall_due(&slot.line, self.config.outbox_stall_ms));
        next = next.min(expiry_due(&slot.line, tick));
        // Where nobody reads, silence says nothing: the deadlines stand still.
        if self.stalled || slot.line.has(flag::HELD) {
            return Some(Look::Again(next.min(tick + BLIND_LOOK)));
        }
        if self.paused {
            // It is not read any more: a million lines that go need not be looked at each second.
            return Some(Look::Again(next));
        }
        Some(match slot.line.heartbeat.judge(slot.line.heard, resumed, now) {
            Verdict::Wait(due) => Look::Again(next.min(self.sight.tick_of(due))),
            Verdict::Off => Look::Again(next),
            Verdict::Ping(due) => {
                self.ping(index);
                Look::Again(next.min(self.sight.tick_of(due)))
            }
            Verdict::Dead => Look::Over(End::Session(close::NO_HEARTBEAT, "no heartbeat")),
        })
    }

    /// What ends a session at this moment, besides its heartbeat.
    fn overdue(&mut self, index: u32) -> Option<End> {
        let (tick, stall) = (self.tick, self.config.outbox_stall_ms);
        let line = &self.table.at(index)?.line;
        if stall_due(line, stall) <= tick {
            return Some(End::Slow);
        }
        if expiry_due(line, tick) <= tick {
            return Some(End::Session(close::EXPIRED, "the token has expired"));
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
    fn look_at_end(&mut self, index: u32) -> Option<Look> {
        let tick = self.tick;
        let line = &self.table.at(index)?.line;
        let due = line.since.saturating_add(ticks(CLOSE_MS));
        let lingers = line.has(flag::SHUT) && tick >= line.since.saturating_add(ticks(LINGER_MS));
        let over = tick >= due || lingers;
        Some(if over { Look::Over(End::Unclosed) } else { Look::Again(due) })
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
