//! The flush at the end of a turn: one write for all that piled up for a connection.

use super::{Shard, conn_id};
use crate::batch::Item;
use crate::inbox::Parcel;
use crate::outbox::{Queue, Rest};
use crate::table::{Line, Phase, flag};
use std::io;

impl Shard {
    pub(super) fn flush_all(&mut self) {
        // Flushing can close connections, which queues their Close: those come round again.
        while !self.output.dirty.is_empty() {
            let mut dirty = std::mem::take(&mut self.output.dirty);
            for index in dirty.drain(..) {
                self.flush(index);
            }
            if self.output.dirty.is_empty() {
                self.output.dirty = dirty;
            }
        }
        let mut spent = Vec::new();
        self.output.clear(&mut spent);
        for arena in spent {
            self.shared.inbox.recycle(Parcel { orders: Vec::new(), arena });
        }
        let waiting = u64::try_from(self.output.backlog_bytes()).unwrap_or(u64::MAX);
        self.shared.stats.outbox_bytes.set(waiting);
    }

    fn flush(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        slot.line.clear(flag::DIRTY);
        if slot.line.phase == Phase::Dead {
            return;
        }
        if self.write_out(index).is_err() {
            return self.kill(index);
        }
        self.judge(index);
    }

    /// Writes the backlog, then the turn's queue; what the kernel does not take is kept.
    fn write_out(&mut self, index: u32) -> io::Result<()> {
        let Self { table, output, shared, tick, .. } = self;
        let Some(slot) = table.at(index) else { return Ok(()) };
        let Some(stream) = slot.stream.as_mut() else { return Ok(()) };
        let line = &mut slot.line;
        let queue = std::mem::replace(&mut line.queue, Queue::EMPTY);
        let mut written = 0;
        let blocked = line.has(flag::BLOCKED);
        if let Some(backlog) = line.backlog.as_mut().filter(|_| !blocked) {
            written += backlog.write(stream, output.turn.scratch())?;
            shared.stats.writes_total.add(1);
            output.drained(written);
            if written > 0 {
                backlog.since = *tick;
            }
        }
        let drained = line.backlog.as_ref().is_none_or(|backlog| backlog.is_empty());
        if drained {
            line.backlog = None;
        }
        if !drained {
            line.set(flag::BLOCKED);
            output.keep(line, Rest::all(queue), *tick);
        } else if !queue.is_empty() {
            let (sent, rest) = output.turn.write(queue, stream)?;
            shared.stats.writes_total.add(1);
            written += sent;
            if let Some(rest) = rest {
                line.set(flag::BLOCKED);
                output.keep(line, rest, *tick);
            }
        }
        shared.stats.sent_bytes_total.add_len(written);
        Ok(())
    }

    /// After a flush: is the reader too slow, may it be read again, is it done?
    fn judge(&mut self, index: u32) {
        let (soft, hard) = self.outbox_bounds();
        let id = self.id;
        let Self { table, batch, topics, .. } = self;
        let Some(slot) = table.at(index) else { return };
        let waiting = slot.line.backlog_bytes();
        let pushed = slot.line.clear(flag::PUSHED);
        if pushed && waiting > hard {
            return self.doom(index, "reads slower than it is written to");
        }
        if waiting > soft {
            slot.line.set(flag::HELD);
        } else {
            if slot.line.clear(flag::NOTIFY) {
                let conn = conn_id(id, index, slot);
                batch.items.push(Item::Writable { conn, session: slot.line.session });
            }
            if slot.line.clear(flag::MISSED) {
                let (conn, session) = (conn_id(id, index, slot), slot.line.session);
                batch.push_missed(conn, session, topics.told(&mut slot.line));
            }
            if slot.line.clear(flag::HELD) {
                slot.line.heard = self.tick;
                self.resume_reading(index);
            }
        }
        self.judge_end(index, waiting);
    }

    /// Soft and hard bound of one connection at this moment. While all backlogs together are over
    /// their sum, both are what each connection could have if all took the same.
    fn outbox_bounds(&self) -> (usize, usize) {
        let (soft, hard) = (self.config.outbox_soft, self.config.outbox_hard);
        let share = self.config.outbox_total / self.config.shards;
        if self.output.backlog_bytes() <= share {
            return (soft, hard);
        }
        let fair = share / self.table.len().max(1);
        (soft.min(fair), hard.min(fair))
    }

    fn judge_end(&mut self, index: u32, waiting: usize) {
        let tick = self.tick;
        let Some(slot) = self.table.at(index) else { return };
        match slot.line.phase {
            Phase::Closing if waiting == 0 => self.closed_all_written(index),
            // From its first unsent byte on a line has the deadline of a stalled reader.
            Phase::Connected if began_to_wait(&slot.line, tick) => self.arm_line(index),
            _ => {}
        }
    }
}

fn began_to_wait(line: &Line, tick: u32) -> bool {
    line.backlog.as_ref().is_some_and(|backlog| backlog.since == tick)
}
