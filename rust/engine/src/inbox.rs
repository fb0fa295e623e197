//! What crosses the border outwards: orders for one shard and the bytes that they refer to.
//!
//! Python's side appends; a submit hands over everything as one parcel, so a shard carries out
//! what it gets in the order in which it was submitted (pages, live flags and deliveries go
//! through this one way).

use crate::outbox::Span;
use crate::sys::Bell;
use crate::table::{ConnId, Key};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How dispensable a frame is to a slow reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An answer to the connection's own command: never dooms it.
    Answer,
    /// A durable event: waits, or dooms the reader; the timeline still has it.
    Durable,
    /// Dropped when the outbox is over its soft bound.
    Volatile,
}

/// The heartbeat that Python granted, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Granted {
    /// Silence before a ping.
    pub interval_ms: u64,
    /// Time for each answer.
    pub timeout_ms: u64,
    /// Whether the client drives.
    pub from_client: bool,
}

/// One thing for a shard to do. Spans lie in the parcel's arena and hold whole frames.
#[derive(Debug)]
pub enum Order {
    /// Queue a frame; `position` is where the line stands afterwards, if that changes.
    Send {
        /// To whom.
        key: Key,
        /// The frame, or its beginning.
        frame: Span,
        /// The rest of the frame, shared with other recipients; empty when `frame` is whole.
        tail: Span,
        /// See [`Class`].
        class: Class,
        /// The new position.
        position: Option<u64>,
    },
    /// Make the connection a session and queue the answer to its `connect`.
    Connected {
        /// Which one.
        conn: ConnId,
        /// Index in the directory.
        session: u32,
        /// `connected`.
        frame: Span,
        /// Its position.
        position: u64,
        /// When its token ends, Unix seconds.
        expires_s: u32,
        /// Its heartbeat.
        heartbeat: Granted,
    },
    /// Change the heartbeat and queue the answer.
    Heartbeat {
        /// Whose.
        key: Key,
        /// The answer.
        frame: Span,
        /// The new one.
        heartbeat: Granted,
    },
    /// Change the end of the token and queue the answer.
    Refresh {
        /// Whose.
        key: Key,
        /// The answer.
        frame: Span,
        /// Unix seconds.
        expires_s: u32,
    },
    /// Say `bye` and close.
    Close {
        /// Whom.
        key: Key,
        /// With what.
        code: u16,
        /// UTF-8 in the arena.
        reason: Span,
        /// The client's slot for coming back.
        delay_ms: u64,
    },
    /// Answer a ping that has an id.
    Pong {
        /// Whose.
        key: Key,
        /// The id of the ping.
        id: u32,
    },
    /// Tell Python when the outbox is under its soft bound.
    Notify {
        /// Whose.
        key: Key,
    },
    /// Add the connection to a topic.
    Subscribe {
        /// Which one.
        key: Key,
        /// UTF-8 in the arena.
        topic: Span,
    },
    /// Take the connection out of a topic.
    Unsubscribe {
        /// Which one.
        key: Key,
        /// UTF-8 in the arena.
        topic: Span,
    },
    /// Queue a frame to all that have a topic open.
    Publish {
        /// UTF-8 in the arena.
        topic: Span,
        /// The frame for JSON readers.
        json: Span,
        /// The frame for `MessagePack` readers; empty: there are none.
        msgpack: Span,
        /// See [`Class`].
        class: Class,
    },
    /// Refuse new connections and stop reading commands.
    Pause,
    /// Say `bye` 4000 to everybody, each with a slot inside the window.
    Drain {
        /// The window.
        spread_ms: u64,
    },
    /// End the thread.
    Stop,
}

/// Orders and their bytes.
#[derive(Debug, Default)]
pub struct Parcel {
    /// In the order of submission.
    pub orders: Vec<Order>,
    /// What their spans mean.
    pub arena: Vec<u8>,
    /// Of the submission that it is a part of.
    pub number: u64,
}

impl Parcel {
    /// Bytes that the parcel holds, its orders included.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.arena.len() + self.orders.len() * size_of::<Order>()
    }
}

/// Bytes from which on a shard's inbox takes no further parcel and Python waits: some 150,000
/// events. A shard takes all there is once a turn, so only one that is a whole turn behind gets
/// here, and what waits in memory stays below this and one parcel.
const INBOX_BYTES: usize = 64 * 1024 * 1024;

/// The way from Python to one shard. Bounded: over [`INBOX_BYTES`] Python waits (I8), which cannot
/// be for ever, because a shard never waits for Python.
#[derive(Debug)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
    taken: Condvar,
    spent: Mutex<Spent>,
    bell: Bell,
    bound: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    parcels: Vec<Parcel>,
    weight: usize,
    /// Nobody will take anything any more.
    closed: bool,
}

/// Buffers that come back from the shard: a parcel's list when it has been carried out, its arena
/// when the turn has been flushed.
#[derive(Debug, Default)]
struct Spent {
    orders: Vec<Vec<Order>>,
    arenas: Vec<Vec<u8>>,
}

/// Buffers of each kind that are kept for reuse.
const SPARE: usize = 4;

impl Inbox {
    /// An empty inbox.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> std::io::Result<Self> {
        Self::bounded(INBOX_BYTES)
    }

    fn bounded(bound: usize) -> std::io::Result<Self> {
        let (waiting, spent) = (Mutex::default(), Mutex::default());
        Ok(Self { waiting, taken: Condvar::new(), spent, bell: Bell::new()?, bound })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a parcel over and wakes the shard unless it is awake. `parcel` comes back empty,
    /// with the buffers of an earlier one. Says whether it had to wait for room.
    pub fn deliver(&self, parcel: &mut Parcel) -> bool {
        let full = std::mem::replace(parcel, self.fresh());
        let mut waiting = self.waiting();
        let no_room = |waiting: &mut Waiting| waiting.weight > self.bound && !waiting.closed;
        let waits = no_room(&mut waiting);
        if waits {
            let room = self.taken.wait_while(waiting, no_room);
            waiting = room.unwrap_or_else(PoisonError::into_inner);
        }
        if !waiting.closed {
            waiting.weight += full.weight();
            waiting.parcels.push(full);
        }
        drop(waiting);
        self.wake();
        waits
    }

    fn fresh(&self) -> Parcel {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let (orders, arena) = (spent.orders.pop(), spent.arenas.pop());
        let (orders, arena) = (orders.unwrap_or_default(), arena.unwrap_or_default());
        Parcel { orders, arena, number: 0 }
    }

    /// Wakes the shard.
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// The shard takes everything that was delivered.
    pub fn take(&self, into: &mut Vec<Parcel>) {
        self.bell.answer_if_rung();
        let mut waiting = self.waiting();
        into.append(&mut waiting.parcels);
        waiting.weight = 0;
        drop(waiting);
        self.taken.notify_one();
    }

    /// The shard has ended: what is delivered from now on goes nowhere.
    pub fn close(&self) {
        *self.waiting() = Waiting { closed: true, ..Waiting::default() };
        self.taken.notify_one();
    }

    /// The shard gives back the list of a parcel that it has carried out.
    pub fn recycle_orders(&self, mut orders: Vec<Order>) {
        orders.clear();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.orders.len() < SPARE {
            spent.orders.push(orders);
        }
    }

    /// The shard gives back an arena that has been flushed.
    pub fn recycle_arena(&self, mut arena: Vec<u8>) {
        arena.clear();
        arena.shrink_to(1024 * 1024);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.arenas.len() < SPARE {
            spent.arenas.push(arena);
        }
    }

    /// Drops the buffers that wait for another parcel. Returns their bytes.
    pub fn forget_spare(&self) -> usize {
        let spent = std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        let orders: usize = spent.orders.iter().map(Vec::capacity).sum();
        let arenas: usize = spent.arenas.iter().map(Vec::capacity).sum();
        orders * size_of::<Order>() + arenas
    }

    /// What the shard polls.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    fn parcel(bytes: usize) -> Parcel {
        Parcel { orders: vec![Order::Pause], arena: vec![0; bytes], number: 0 }
    }

    #[test]
    fn a_parcel_weighs_its_bytes_and_its_orders() {
        assert_eq!(Parcel::default().weight(), 0);
        assert_eq!(parcel(100).weight(), 100 + size_of::<Order>());
        assert!(size_of::<Order>() <= 64, "{} bytes an order", size_of::<Order>());
    }

    #[test]
    fn buffers_that_wait_for_a_parcel_can_be_dropped() {
        let inbox = Inbox::new().expect("a descriptor");
        inbox.recycle_arena(vec![0; 1_000]);
        inbox.recycle_orders(Vec::with_capacity(10));
        assert_eq!(inbox.forget_spare(), 1_000 + 10 * size_of::<Order>());
        assert_eq!(inbox.forget_spare(), 0);
        assert!(!inbox.deliver(&mut parcel(10)), "a new one is made");
    }

    #[test]
    fn i8_who_delivers_waits_while_too_much_is_there_and_no_longer() {
        let inbox = Inbox::bounded(1_000).expect("a descriptor");
        assert!(!inbox.deliver(&mut parcel(1_000)), "nothing was there");
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| tell.send(inbox.deliver(&mut parcel(10))));
            let silence = told.recv_timeout(Duration::from_millis(50));
            assert_eq!(silence, Err(RecvTimeoutError::Timeout), "it waits");
            let mut taken = Vec::new();
            inbox.take(&mut taken);
            assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok(true), "there is room");
            inbox.take(&mut taken);
            assert_eq!(taken.iter().map(|one| one.arena.len()).collect::<Vec<_>>(), [1_000, 10]);
        });
    }

    #[test]
    fn i8_nobody_waits_for_a_shard_that_has_ended() {
        let inbox = Inbox::bounded(1_000).expect("a descriptor");
        inbox.deliver(&mut parcel(1_000));
        let (tell, told) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| tell.send(inbox.deliver(&mut parcel(10))));
            inbox.close();
            assert!(told.recv_timeout(Duration::from_secs(5)).is_ok(), "it went on");
        });
        assert!(!inbox.deliver(&mut parcel(2_000)));
        assert!(!inbox.deliver(&mut parcel(2_000)), "nothing is kept");
    }
}
