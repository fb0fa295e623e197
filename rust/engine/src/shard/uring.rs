//! The flush of many connections in one entry into the kernel.
//!
//! Each connection still gets one send for all that piled up for it; only the way into the kernel
//! is shared. What has more to it (TLS, a backlog, a large queue) is written by itself, and so is
//! everything where there is no `io_uring`.

use super::Shard;
use super::write::Way;
use crate::outbox::Queue;
use crate::sys::Sends;
use crate::table::{Phase, flag};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Sends that go into the kernel together: for so many it keeps its own records (message headers)
/// from one call to the next, and beyond them the gain is flat.
const TOGETHER: u16 = 128;

/// Connections from which on entering together pays.
const FROM: usize = 4;

/// Bytes of the largest queue that goes with others; what is larger is no small part of its send.
const MOST: usize = 16 * 1024;

/// One connection's output on its way.
#[derive(Debug)]
struct Leaving {
    index: u32,
    socket: RawFd,
    queue: Queue,
    /// Where a queue of several pieces begins in `gathered`.
    start: usize,
}

/// The ring of a shard, and what one entry needs.
#[derive(Debug)]
pub(super) struct Uring {
    sends: Sends,
    leaving: Vec<Leaving>,
    gathered: Vec<u8>,
    taken: Vec<io::Result<usize>>,
    alone: Vec<u32>,
}

impl Uring {
    /// The ring of the calling thread.
    ///
    /// # Errors
    /// Where the kernel has no `io_uring` of the kind that is needed, or forbids it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            sends: Sends::new(TOGETHER)?,
            leaving: Vec::new(),
            gathered: Vec::new(),
            taken: Vec::new(),
            alone: Vec::new(),
        })
    }

    /// Whether flushing `count` connections together is worth it.
    pub(super) fn pays_for(count: usize) -> bool {
        count >= FROM
    }
}

impl Shard {
    /// Flushes `dirty`, as many at a time as go into the kernel together.
    pub(super) fn flush_together(&mut self, uring: &mut Uring, dirty: &[u32]) {
        for part in dirty.chunks(usize::from(TOGETHER)) {
            for &index in part {
                self.gather_for(uring, index);
            }
            self.send_together(uring);
            let mut alone = std::mem::take(&mut uring.alone);
            for index in alone.drain(..) {
                self.flush(index);
            }
            uring.alone = alone;
        }
    }

    /// Takes a connection's queue along, or leaves it for a flush of its own.
    fn gather_for(&mut self, uring: &mut Uring, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        let line = &mut slot.line;
        let queue = line.queue;
        let small = !queue.is_empty() && queue.bytes() <= MOST;
        let simple = line.phase != Phase::Dead && line.backlog.is_none() && slot.tls.is_none();
        let Some(stream) = slot.stream.as_ref().filter(|_| small && simple) else {
            return uring.alone.push(index);
        };
        line.clear(flag::DIRTY);
        line.queue = Queue::EMPTY;
        let start = uring.gathered.len();
        if queue.is_gathered() {
            self.output.turn.gather_into(queue, &mut uring.gathered);
        }
        uring.leaving.push(Leaving { index, socket: stream.as_raw_fd(), queue, start });
    }

    /// The entry into the kernel. Arenas stay as they are until it is over; what follows from it
    /// (a reader is too slow, a line is done) may append to them.
    fn send_together(&mut self, uring: &mut Uring) {
        let Uring { sends, leaving, gathered, taken, .. } = uring;
        let turn = &self.output.turn;
        let whole = leaving.iter().map(|one| {
            let bytes = if one.queue.is_gathered() {
                gathered.get(one.start..one.start + one.queue.bytes()).unwrap_or_default()
            } else {
                turn.only_piece(one.queue)
            };
            (one.socket, bytes)
        });
        sends.send(whole, taken);
        self.shared.stats.uring_writes_total.add_len(leaving.len());
        for (one, taken) in leaving.drain(..).zip(taken.drain(..)) {
            match taken {
                Ok(sent) => self.settle(&one, sent),
                Err(_) => self.kill(one.index),
            }
        }
        gathered.clear();
    }

    fn settle(&mut self, one: &Leaving, sent: usize) {
        let Self { table, output, shared, tick, .. } = self;
        let Some(slot) = table.at(one.index) else { return };
        let rest = output.turn.rest(one.queue, sent);
        let mut way = Way { output, stats: &shared.stats, tick: *tick };
        way.account(&mut slot.line, one.queue, sent, rest);
        self.judge(one.index);
    }
}
