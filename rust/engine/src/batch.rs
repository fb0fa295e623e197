//! What crosses the border inwards: whole messages, gathered per turn, fetched in one call.
//!
//! A shard publishes at most one batch a turn and rings the doorbell at most once until Python
//! has answered it. The bytes of a batch lie in one arena; an item is a handful of numbers.

use crate::sys::{Bell, monotonic_ns};
use crate::table::ConnId;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bookkeeping bytes that one message costs on top of its payload, for the inbound bound.
const MESSAGE_OVERHEAD: usize = 64;

/// Spent batches of a shard that are kept for reuse, and the bytes that one may keep.
const SPARE: usize = 4;
const KEEP: usize = 256 * 1024;

/// Something that Python has to know.
#[derive(Debug)]
pub enum Item {
    /// Messages of one connection, in order.
    Commands {
        /// Where they came from.
        conn: ConnId,
        /// Index in the directory; `timer::NONE` before `connected`.
        session: u32,
        /// How many of the batch's frames belong to this item.
        frames: u32,
        /// The token of the upgrade request, until `connected`.
        token: Option<Box<str>>,
    },
    /// The shard has taken over the session of a connection.
    Attached {
        /// Which one.
        conn: ConnId,
    },
    /// A connection with a session is gone.
    Closed {
        /// Which one.
        conn: ConnId,
        /// Its index in the directory.
        session: u32,
        /// The close code, 1006 if there was none.
        code: u16,
    },
    /// The outbox of a connection is under its soft bound, as Python wanted to know.
    Writable {
        /// Which one.
        conn: ConnId,
        /// Its index in the directory.
        session: u32,
    },
    /// Publications were dropped while the outbox of a connection was over its soft bound, which
    /// it no longer is.
    Missed {
        /// Which one.
        conn: ConnId,
        /// Its index in the directory.
        session: u32,
        /// How many of the batch's frames are the names of their topics.
        topics: u32,
    },
}

/// The items of one turn and their bytes.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    frames: Vec<(u32, u32)>,
    /// Bytes of the tokens in `items`.
    tokens: usize,
    /// What happened, in order.
    pub items: Vec<Item>,
    /// When the batch was published, `CLOCK_MONOTONIC` in nanoseconds.
    pub born_ns: u64,
}

impl Batch {
    /// Empties it; buffers that one large turn has made are given back.
    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.items.clear();
        self.tokens = 0;
        self.bytes.shrink_to(KEEP);
        self.frames.shrink_to(KEEP / 16);
        self.items.shrink_to(KEEP / 64);
    }

    fn capacity(&self) -> usize {
        let lists = self.frames.capacity() * size_of::<(u32, u32)>();
        self.bytes.capacity() + lists + self.items.capacity() * size_of::<Item>()
    }

    /// Whether nothing happened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes that the batch holds, for the inbound bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        let items = self.items.len() * size_of::<Item>();
        self.bytes.len() + self.tokens + self.frames.len() * MESSAGE_OVERHEAD + items
    }

    /// Adds a whole message; consecutive ones of a connection share an item.
    pub fn push(&mut self, conn: ConnId, session: u32, token: Option<&str>, message: &[u8]) {
        self.push_frame(message);
        match self.items.last_mut() {
            // A session begins with an item of its own, so the token is the same as well.
            Some(Item::Commands { conn: last, frames, .. }) if *last == conn => *frames += 1,
            _ => {
                self.tokens += token.map_or(0, str::len);
                let token = token.map(Box::from);
                self.items.push(Item::Commands { conn, session, frames: 1, token });
            }
        }
    }

    /// Adds the topics of which a connection missed something, if there are any.
    pub fn push_missed<'t>(
        &mut self,
        conn: ConnId,
        session: u32,
        names: impl Iterator<Item = &'t str>,
    ) {
        let before = self.frames.len();
        names.for_each(|name| self.push_frame(name.as_bytes()));
        if let Ok(topics @ 1..) = u32::try_from(self.frames.len() - before) {
            self.items.push(Item::Missed { conn, session, topics });
        }
    }

    fn push_frame(&mut self, bytes: &[u8]) {
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        self.frames.push((start, u32::try_from(bytes.len()).unwrap_or(0)));
    }

    /// The bytes of frame `index`.
    #[must_use]
    pub fn frame(&self, index: usize) -> &[u8] {
        let Some(&(start, len)) = self.frames.get(index) else { return &[] };
        let start = start as usize;
        self.bytes.get(start..start + len as usize).unwrap_or_default()
    }
}

/// The way from one shard to Python. Bounded: over `bound` bytes the shard stops reading (I8).
#[derive(Debug)]
pub struct Outlet {
    waiting: Mutex<VecDeque<Batch>>,
    /// Empty batches with the buffers of those that Python is done with.
    spent: Mutex<Vec<Batch>>,
    weight: AtomicUsize,
    bound: usize,
    stalled: AtomicBool,
}

impl Outlet {
    /// An empty outlet for at most about `bound` bytes.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        let waiting = Mutex::new(VecDeque::new());
        let spent = Mutex::default();
        Self { waiting, spent, weight: AtomicUsize::new(0), bound, stalled: AtomicBool::new(false) }
    }

    /// Hands a batch over. `batch` comes back empty.
    pub fn publish(&self, batch: &mut Batch, doorbell: &Bell) {
        let fresh = self.spent.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut batch = std::mem::replace(batch, fresh.unwrap_or_default());
        batch.born_ns = monotonic_ns();
        self.weight.fetch_add(batch.weight(), Ordering::AcqRel);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(batch);
        doorbell.ring();
    }

    /// Everything published so far.
    pub fn fetch(&self, into: &mut VecDeque<Batch>) {
        into.append(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Python is done with a batch: its buffers serve another.
    pub fn recycle(&self, mut batch: Batch) {
        batch.clear();
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() < SPARE {
            spent.push(batch);
        }
    }

    /// Drops the buffers that wait for another batch. Returns their bytes, roughly.
    pub fn forget_spare(&self) -> usize {
        let spent = std::mem::take(&mut *self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        spent.iter().map(Batch::capacity).sum()
    }

    /// Python is done with `weight` bytes. Says whether the shard waits for that.
    ///
    /// This side writes the weight and reads the flag, [`Outlet::is_full`] does the reverse: with
    /// less than one order over all four (`SeqCst`) both could miss the other's write.
    pub fn release(&self, weight: usize) -> bool {
        let left = self.weight.fetch_sub(weight, Ordering::SeqCst) - weight;
        left <= self.bound / 2 && self.stalled.swap(false, Ordering::SeqCst)
    }

    /// Whether Python is done with everything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.weight.load(Ordering::Acquire) == 0
    }

    /// Whether Python is so far behind that the shard must not read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        if self.weight.load(Ordering::Acquire) <= self.bound {
            return false;
        }
        self.stalled.store(true, Ordering::SeqCst);
        // Python may have caught up between the look and the flag; then nobody would wake us.
        if self.weight.load(Ordering::SeqCst) <= self.bound / 2 {
            self.stalled.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Key;
    use crate::timer::NONE;

    fn conn(index: u32) -> ConnId {
        ConnId::new(0, Key { index, generation: 1 }, 0)
    }

    #[test]
    fn messages_of_one_connection_share_an_item_until_another_speaks() {
        let mut batch = Batch::default();
        for (index, text) in [(1, "a"), (1, "b"), (2, "c"), (1, "d")] {
            batch.push(conn(index), 0, None, text.as_bytes());
        }
        let counts = batch.items.iter().map(|item| match item {
            Item::Commands { conn, frames, .. } => (conn.key().index, *frames),
            _ => (NONE, 0),
        });
        assert_eq!(counts.collect::<Vec<_>>(), [(1, 2), (2, 1), (1, 1)]);
        assert_eq!((0..4).map(|i| batch.frame(i)).collect::<Vec<_>>().concat(), b"abcd");
        assert_eq!(batch.frame(4), b"");
    }

    #[test]
    fn missed_topics_lie_between_the_messages() {
        let mut batch = Batch::default();
        batch.push(conn(1), 0, None, b"a");
        batch.push_missed(conn(2), 7, ["news", "sport"].into_iter());
        batch.push_missed(conn(3), 8, [].into_iter());
        batch.push(conn(1), 0, None, b"b");
        let [Item::Commands { .. }, missed, Item::Commands { .. }] = &batch.items[..] else {
            panic!("{:?}", batch.items)
        };
        assert!(matches!(missed, Item::Missed { session: 7, topics: 2, .. }));
        assert_eq!([1, 2, 3].map(|at| batch.frame(at)), [b"news".as_slice(), b"sport", b"b"]);
        let items = 3 * size_of::<Item>();
        assert_eq!(batch.weight(), 4 * MESSAGE_OVERHEAD + 11 + items, "topics count");
    }

    #[test]
    fn i8_the_token_of_a_stranger_is_stored_once_an_item_and_counts() {
        let mut batch = Batch::default();
        (0..500).for_each(|_| batch.push(conn(1), NONE, Some("a long token"), b""));
        assert_eq!(batch.items.len(), 1);
        let item = size_of::<Item>() + "a long token".len();
        assert_eq!(batch.weight(), 500 * MESSAGE_OVERHEAD + item);
    }

    #[test]
    fn buffers_that_wait_for_a_batch_can_be_dropped() {
        let outlet = Outlet::new(1_000);
        let mut batch = Batch::default();
        batch.push(conn(1), 0, None, &[0; 500]);
        outlet.recycle(batch);
        assert!(outlet.forget_spare() >= 500);
        assert_eq!(outlet.forget_spare(), 0);
    }

    #[test]
    fn i8_a_full_outlet_stops_the_shard_and_wakes_it_once_at_half() {
        let (outlet, doorbell) = (Outlet::new(1_000), Bell::new().expect("a descriptor"));
        let mut batch = Batch::default();
        batch.push(conn(1), 0, None, &[0; 1_200]);
        let weight = batch.weight();
        assert!(!outlet.is_full());
        outlet.publish(&mut batch, &doorbell);
        assert!(batch.is_empty());
        assert!(outlet.is_full());
        assert!(!outlet.release(weight - 600), "still more than half");
        assert!(outlet.release(600), "the shard waits");
        assert!(!outlet.release(0), "and is woken once");
        assert!(!outlet.is_full());
    }
}
