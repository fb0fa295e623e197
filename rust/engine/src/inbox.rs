//! What crosses the border outwards: orders for one shard and the bytes that they refer to.
//!
//! Python's side appends; a submit hands over everything as one parcel, so a shard carries out
//! what it gets in the order in which it was submitted (pages, live flags and deliveries go
//! through this one way).

use crate::outbox::Span;
use crate::sys::Bell;
use crate::table::{ConnId, Key};
use std::sync::{Mutex, PoisonError};

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
}

/// The way from Python to one shard.
#[derive(Debug)]
pub struct Inbox {
    parcels: Mutex<Vec<Parcel>>,
    spent: Mutex<Vec<Parcel>>,
    bell: Bell,
}

/// Spent parcels that are kept for reuse.
const SPARE: usize = 4;

impl Inbox {
    /// An empty inbox.
    ///
    /// # Errors
    /// When no descriptor can be had.
    pub fn new() -> std::io::Result<Self> {
        let (parcels, spent) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        Ok(Self { parcels, spent, bell: Bell::new()? })
    }

    /// Hands a parcel over and wakes the shard unless it is awake. `parcel` comes back empty,
    /// with the buffers of an earlier one.
    pub fn deliver(&self, parcel: &mut Parcel) {
        let fresh = self.spent.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let full = std::mem::replace(parcel, fresh.unwrap_or_default());
        self.parcels.lock().unwrap_or_else(PoisonError::into_inner).push(full);
        self.wake();
    }

    /// Wakes the shard.
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// The shard takes everything that was delivered.
    pub fn take(&self, into: &mut Vec<Parcel>) {
        self.bell.answer_if_rung();
        into.append(&mut self.parcels.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The shard gives buffers back for reuse.
    pub fn recycle(&self, mut parcel: Parcel) {
        parcel.orders.clear();
        parcel.arena.clear();
        parcel.arena.shrink_to(1024 * 1024);
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() < SPARE {
            spent.push(parcel);
        }
    }

    /// What the shard polls.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}
