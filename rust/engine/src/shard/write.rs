//! The flush at the end of a turn: one write for all that piled up for a connection.

use super::output::Output;
use super::{Shard, conn_id};
use crate::batch::Item;
use crate::outbox::{Backlog, Queue, Rest};
use crate::stats::Stats;
use crate::sys::monotonic_ns;
use crate::table::{Key, Line, Phase, flag};
use crate::tls::{Sealing, Tls};
use mio::net::TcpStream;
use std::io::{self, Write};

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
        let mut spent = std::mem::take(&mut self.spent);
        self.output.clear(&mut spent);
        for arena in spent.drain(..) {
            self.shared.inbox.recycle_arena(arena);
        }
        self.spent = spent;
        let waiting = u64::try_from(self.output.backlog_bytes()).unwrap_or(u64::MAX);
        self.shared.stats.outbox_bytes.set(waiting);
        if self.taken >= self.output.turn.number {
            self.shared.flushes.flushed(self.taken, monotonic_ns());
        }
    }

    fn flush(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        slot.line.clear(flag::DIRTY);
        if slot.line.phase == Phase::Dead {
            return self.note_broken(index);
        }
        if self.write_out(index).is_err() {
            self.note_broken(index);
            return self.kill(index);
        }
        self.note_backlog(index);
        self.judge(index);
    }

    /// Notes how far a slow line has come; nothing of one that takes all that it is given.
    fn note_backlog(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        let oldest = slot.line.backlog.as_deref().and_then(Backlog::oldest);
        if oldest.is_none() && !slot.line.has(flag::SLOW) {
            return;
        }
        let (key, now_ns) = (Key { index, generation: slot.generation }, monotonic_ns());
        if let Some(oldest) = oldest {
            slot.line.set(flag::SLOW);
            self.shared.flushes.blocked(key, oldest, now_ns);
        } else {
            slot.line.clear(flag::SLOW);
            self.shared.flushes.caught_up(key, self.taken, now_ns);
        }
    }

    /// The line is broken: what this turn had for it is nowhere.
    pub(super) fn note_broken(&mut self, index: u32) {
        let number = self.output.turn.number;
        let Some(slot) = self.table.at(index) else { return };
        let key = Key { index, generation: slot.generation };
        self.shared.flushes.dropped(key, number, monotonic_ns());
    }

    /// What waited for a connection has been dropped, or will be with it.
    pub(super) fn note_lost(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        if slot.line.clear(flag::SLOW) {
            let key = Key { index, generation: slot.generation };
            self.shared.flushes.lost(key, monotonic_ns());
        }
    }

    /// Writes the backlog, then the turn's queue; what the kernel does not take is kept.
    fn write_out(&mut self, index: u32) -> io::Result<()> {
        let Self { table, output, shared, tick, secure, .. } = self;
        let Some(slot) = table.at(index) else { return Ok(()) };
        let Some(stream) = slot.stream.as_mut() else { return Ok(()) };
        let mut way = Way { output, stats: &shared.stats, tick: *tick };
        let keys = if slot.line.has(flag::SECURE) { secure.way_out(index) } else { None };
        match keys {
            None => way.write(&mut slot.line, stream),
            Some((tls, buffer)) => way.seal(&mut slot.line, stream, tls, buffer),
        }
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
                slot.line.heard = self.sight.now(self.tick);
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

/// The way of one connection's output to its socket.
struct Way<'s> {
    output: &'s mut Output,
    stats: &'s Stats,
    tick: u32,
}

impl Way<'_> {
    fn write(&mut self, line: &mut Line, socket: &mut impl Write) -> io::Result<()> {
        let Self { output, stats, tick } = self;
        let queue = std::mem::replace(&mut line.queue, Queue::EMPTY);
        let mut written = 0;
        let blocked = line.has(flag::BLOCKED);
        if let Some(backlog) = line.backlog.as_mut().filter(|_| !blocked) {
            written += backlog.write(socket, output.turn.scratch())?;
            stats.writes_total.add(1);
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
            let (sent, rest) = output.turn.write(queue, socket)?;
            stats.writes_total.add(1);
            if queue.is_gathered() {
                stats.gathered_writes_total.add(1);
                stats.gathered_bytes_total.add_len(sent);
            }
            written += sent;
            if let Some(rest) = rest {
                line.set(flag::BLOCKED);
                output.keep(line, rest, *tick);
            }
        }
        stats.sent_bytes_total.add_len(written);
        Ok(())
    }

    /// The same through TLS. What was sealed and not taken goes first the next time: it cannot be
    /// sealed again.
    fn seal(
        &mut self,
        line: &mut Line,
        socket: &mut TcpStream,
        tls: &mut Tls,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        if !line.has(flag::BLOCKED)
            && let Some(backlog) = &mut line.backlog
        {
            let sent = backlog.write_sealed(socket)?;
            self.output.drained(sent);
            if sent > 0 {
                backlog.since = self.tick;
            }
            if !backlog.is_unsealed() {
                line.set(flag::BLOCKED);
            }
        }
        let oldest = line.backlog.as_deref().and_then(Backlog::oldest);
        let mut sealing = Sealing { tls, socket, buffer, left: Vec::new() };
        self.write(line, &mut sealing)?;
        let left = sealing.left;
        if !left.is_empty() {
            line.set(flag::BLOCKED);
            self.output.keep_sealed(line, &left, oldest, self.tick);
        }
        Ok(())
    }
}
