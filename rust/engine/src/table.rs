//! The connection table of a shard: a slab whose keys carry a generation.
//!
//! A slot is reused as soon as its connection is reaped; the generation in the id tells a late
//! order for the old connection from one for the new (the reason h2 gives for its stream keys).

use crate::heartbeat::Heartbeat;
use crate::outbox::{Backlog, Queue};
use crate::timer::{Linked, Links, NONE};
use hivewire_proto::Connection;
use mio::net::TcpStream;

/// A connection as the rest of the node names it: shard, slot and generation in 63 bits, and the
/// encoding, which is fixed once a connection has an id that anybody else sees. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId(u64);

const SLOT_BITS: u32 = 24;
const GENERATION_BITS: u32 = 31;
const SHARD_BITS: u32 = 7;

/// Connections that one shard can hold; far more than a file table can.
pub const MAX_SLOTS: u32 = 1 << SLOT_BITS;
/// Connections for which address space is set aside at most; beyond that lists grow as they must.
pub const ROOM: usize = 1 << 20;
/// Shards of one engine.
pub const MAX_SHARDS: usize = 1 << SHARD_BITS;

impl ConnId {
    /// Packs an id. `generation` is never 0, so neither is the id.
    #[must_use]
    pub fn new(shard: u32, key: Key, encoding: u8) -> Self {
        let high = (u64::from(encoding & 1) << SHARD_BITS) | u64::from(shard);
        let id = (high << GENERATION_BITS) | u64::from(key.generation);
        Self((id << SLOT_BITS) | u64::from(key.index))
    }

    /// The id as a number, below 2^63.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// An id from a number that came back from Python; a forged one meets no generation.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Which shard holds the connection.
    #[must_use]
    pub fn shard(self) -> usize {
        let shard = (self.0 >> (SLOT_BITS + GENERATION_BITS)) & ((1 << SHARD_BITS) - 1);
        usize::try_from(shard).unwrap_or(usize::MAX)
    }

    /// Slot and generation in that shard.
    #[must_use]
    pub fn key(self) -> Key {
        let low = |bits: u64, width: u32| u32::try_from(bits & ((1 << width) - 1)).unwrap_or(NONE);
        Key { index: low(self.0, SLOT_BITS), generation: low(self.0 >> SLOT_BITS, GENERATION_BITS) }
    }

    /// The encoding that was negotiated.
    #[must_use]
    pub fn encoding(self) -> u8 {
        u8::from(self.0 >> (SLOT_BITS + GENERATION_BITS + SHARD_BITS) & 1 == 1)
    }
}

/// A slot and the generation that the holder of the key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Index in the slab.
    pub index: u32,
    /// Generation of the slot, 1 and up.
    pub generation: u32,
}

/// The life of a connection, in this order; each may jump to `Closing` or straight to reaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The upgrade request is still coming in.
    Upgrading,
    /// WebSocket, but `connect` has not been answered: little may be said.
    Opening,
    /// A session: known to the directory, heart-beating.
    Connected,
    /// Our Close is queued or sent; what comes in is thrown away until the peer's Close or EOF.
    Closing,
    /// The socket is finished; the slot is freed at the end of the turn.
    Dead,
}

/// What only some connections have, boxed so that the others do not pay for it.
#[derive(Debug, Default)]
pub struct Extra {
    /// The token of the upgrade request, until `connected`.
    pub token: Option<Box<str>>,
    /// Bytes received since the upgrade, until `connected`.
    pub opening_bytes: usize,
    /// Topics that the connection has open.
    pub topics: Vec<Subscription>,
}

/// A topic that a connection has open.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    /// Its record.
    pub topic: u32,
    /// The connection's place in the record's list.
    pub place: u32,
    /// Whether a publication was dropped that Python has not been told of.
    pub missed: bool,
}

/// Bits of [`Line::flags`].
pub mod flag {
    /// In the shard's list of slots to read.
    pub const READABLE: u16 = 1;
    /// In the shard's list of slots to flush.
    pub const DIRTY: u16 = 1 << 1;
    /// The kernel took no more: wait for writable.
    pub const BLOCKED: u16 = 1 << 2;
    /// The peer has shut down its side: read until the end even after a short read.
    pub const HANGING_UP: u16 = 1 << 3;
    /// Something durable, which dooms a reader that is too slow, was queued in this turn.
    pub const PUSHED: u16 = 1 << 4;
    /// Not read while its outbox is over the soft bound.
    pub const HELD: u16 = 1 << 5;
    /// Python asked to be told when the outbox is under the soft bound.
    pub const NOTIFY: u16 = 1 << 6;
    /// The stream of frames is broken or over: input is thrown away.
    pub const DEAF: u16 = 1 << 7;
    /// Close the socket as soon as all is written: the peer's Close has come.
    pub const FINISH: u16 = 1 << 8;
    /// Our side has been shut down; only the peer's end of stream is awaited.
    pub const SHUT: u16 = 1 << 9;
    /// A publication was dropped: Python hears of it when the outbox is under the soft bound.
    pub const MISSED: u16 = 1 << 10;
    /// Python has something of a stranger that it has not answered: perhaps its `connect`.
    pub const ASKED: u16 = 1 << 11;
    /// The line speaks TLS.
    pub const SECURE: u16 = 1 << 12;
    /// Its address has too many connections: it is told so when it has asked.
    pub const CROWDED: u16 = 1 << 13;
    /// It waits for its turn to shake hands.
    pub const QUEUED: u16 = 1 << 14;
    /// Noted as a slow line in [`crate::flushes`].
    pub const SLOW: u16 = 1 << 15;
}

/// What a shard knows of a connection besides its socket and its framing.
#[derive(Debug)]
pub struct Line {
    /// Where the heartbeat's `head` stands: up to where events were queued here.
    pub position: u64,
    /// Unsent bytes from earlier turns; `None` at rest (I10).
    pub backlog: Option<Box<Backlog>>,
    /// See [`Extra`]; `None` for a connected client without open channels.
    pub extra: Option<Box<Extra>>,
    /// What this turn has queued.
    pub queue: Queue,
    /// Place in the timer wheel.
    pub links: Links,
    /// Index of the session in the directory, or `NONE`.
    pub session: u32,
    /// When the token ends, in seconds since the Unix epoch; 0: never.
    pub expires_s: u32,
    /// When the last byte was received, on the clock of [`crate::sight::Sight`].
    pub heard: u32,
    /// Tick at which the present phase began.
    pub since: u32,
    /// The heartbeat that was granted.
    pub heartbeat: Heartbeat,
    /// Tick at which the present window of control frames began.
    pub control_since: u32,
    /// Control frames in that window.
    pub controls: u16,
    /// The code with which the connection ends.
    pub code: u16,
    /// See [`Phase`].
    pub phase: Phase,
    /// See [`flag`].
    pub flags: u16,
    /// JSON or `MessagePack`.
    pub encoding: u8,
}

impl Line {
    fn new(tick: u32) -> Self {
        Self {
            position: 0,
            backlog: None,
            extra: None,
            queue: Queue::EMPTY,
            links: Links::UNLINKED,
            session: NONE,
            expires_s: 0,
            heard: tick,
            since: tick,
            heartbeat: Heartbeat::OFF,
            control_since: tick,
            controls: 0,
            code: 1006,
            phase: Phase::Upgrading,
            flags: 0,
            encoding: 0,
        }
    }

    /// Whether a bit of [`flag`] is set.
    #[must_use]
    pub fn has(&self, bit: u16) -> bool {
        self.flags & bit != 0
    }

    /// Sets a bit; says whether it was clear before.
    pub fn set(&mut self, bit: u16) -> bool {
        let fresh = self.flags & bit == 0;
        self.flags |= bit;
        fresh
    }

    /// Clears a bit; says whether it was set before.
    pub fn clear(&mut self, bit: u16) -> bool {
        let was = self.flags & bit != 0;
        self.flags &= !bit;
        was
    }

    /// Bytes left over from earlier turns.
    #[must_use]
    pub fn backlog_bytes(&self) -> usize {
        self.backlog.as_ref().map_or(0, |backlog| backlog.bytes())
    }

    /// Bytes that wait here: left over from earlier turns, and queued in this one.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.backlog_bytes() + self.queue.bytes()
    }

    /// Whether what Python sends may still go out here.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Connected)
    }

    /// The rarely needed part, made on first use.
    pub fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }
}

/// One place in the table.
#[derive(Debug)]
pub struct Slot {
    /// The socket, unless the slot is free.
    pub stream: Option<TcpStream>,
    /// Counts the connections that this slot has held.
    pub generation: u32,
    /// Framing state.
    pub wire: Connection,
    /// Everything else.
    pub line: Line,
}

/// All connections of a shard.
#[derive(Debug, Default)]
pub struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    used: usize,
}

impl Table {
    /// A table with room for so many. It takes address space and no memory until they come: one
    /// that grows by doubling would leave its former places behind, half its size.
    #[must_use]
    pub fn for_connections(count: usize) -> Self {
        Self { slots: Vec::with_capacity(count), ..Self::default() }
    }

    /// Connections in the table.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether no connection is in the table.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Places a socket; `None` when the table is full.
    pub fn insert(&mut self, stream: TcpStream, now_ms: u64, tick: u32) -> Option<Key> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => self.grow(now_ms, tick)?,
        };
        let slot = self.slots.get_mut(index as usize)?;
        slot.generation = slot.generation % ((1 << GENERATION_BITS) - 1) + 1;
        slot.wire = Connection::server(now_ms);
        slot.line = Line::new(tick);
        slot.stream = Some(stream);
        self.used += 1;
        Some(Key { index, generation: slot.generation })
    }

    fn grow(&mut self, now_ms: u64, tick: u32) -> Option<u32> {
        let index = u32::try_from(self.slots.len()).ok().filter(|&index| index < MAX_SLOTS)?;
        let wire = Connection::server(now_ms);
        self.slots.push(Slot { stream: None, generation: 0, wire, line: Line::new(tick) });
        Some(index)
    }

    /// The slot at `index`, if a connection is in it.
    pub fn at(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots.get_mut(index as usize).filter(|slot| slot.stream.is_some())
    }

    /// The connection that `key` means, if it is still the one in its slot.
    pub fn find(&mut self, key: Key) -> Option<&mut Slot> {
        self.at(key.index).filter(|slot| slot.generation == key.generation)
    }

    /// Frees a slot; its socket and all that it held are dropped here.
    pub fn remove(&mut self, index: u32) -> Option<TcpStream> {
        let slot = self.slots.get_mut(index as usize)?;
        let stream = slot.stream.take()?;
        slot.wire = Connection::server(0);
        slot.line = Line::new(0);
        self.free.push(index);
        self.used -= 1;
        Some(stream)
    }

    /// Indices of all places, free ones included.
    #[must_use]
    pub fn indices(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.slots.len()).unwrap_or(MAX_SLOTS)
    }
}

impl Linked for Table {
    #[expect(clippy::indexing_slicing, reason = "the wheel holds only slots of this table")]
    fn links(&mut self, index: u32) -> &mut Links {
        &mut self.slots[index as usize].line.links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket() -> TcpStream {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        TcpStream::connect(address).expect("a socket")
    }

    #[test]
    fn an_id_gives_back_what_it_was_made_of() {
        let key = Key { index: MAX_SLOTS - 1, generation: (1 << GENERATION_BITS) - 1 };
        let id = ConnId::new(127, key, 1);
        assert_eq!((id.shard(), id.key(), id.encoding()), (127, key, 1));
        assert!(id.get() < 1 << 63);
        let id = ConnId::new(3, Key { index: 0, generation: 1 }, 0);
        assert_eq!((id.shard(), id.encoding()), (3, 0));
        assert_ne!(id.get(), 0);
    }

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut table = Table::default();
        let first = table.insert(socket(), 0, 0).expect("room");
        assert!(table.find(first).is_some());
        table.remove(first.index);
        assert!(table.find(first).is_none());
        let second = table.insert(socket(), 0, 0).expect("room");
        assert_eq!(second.index, first.index, "slots are reused at once");
        assert!(table.find(first).is_none());
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn i10_a_slot_at_rest_is_small_and_owns_no_buffer() {
        // mio's sockets have a field more in builds with assertions.
        let rest = size_of::<Slot>() - size_of::<Option<TcpStream>>();
        assert!(rest <= 112, "{} bytes a slot", size_of::<Slot>());
        let line = Line::new(0);
        assert!(line.backlog.is_none() && line.extra.is_none());
    }
}
