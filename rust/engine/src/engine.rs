//! The engine as the Python side sees it: fetch batches, submit orders, start and stop shards.

use crate::batch::{Batch, Item, Outlet};
use crate::config::{Config, JSON, MSGPACK};
use crate::directory::Directory;
use crate::inbox::{Class, Granted, Inbox, Order, Parcel};
use crate::objects;
use crate::outbox::Span;
use crate::shard::{self, Listen, Shard, Shared};
use crate::stats::Stats;
use crate::sys::Bell;
use crate::table::{ConnId, MAX_SHARDS};
use hivewire_proto::close;
use hivewire_proto::frame::{self, Opcode};
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Bodies from this size on are stored once a shard and referred to, not copied per recipient.
const SHARE_FROM: usize = 512;

/// A running engine. Everything here happens on the thread that owns it.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    doorbell: Arc<Bell>,
    shards: Vec<Handle>,
    directory: Directory,
    fetched: VecDeque<Batch>,
    /// How far the first fetched batch has been read: items and frames.
    read: (usize, usize),
    open: Arc<AtomicUsize>,
    tails: Vec<Option<Span>>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    parcel: Parcel,
    thread: Option<JoinHandle<()>>,
}

/// One item as it is handed to Python.
#[derive(Debug)]
pub enum Inbound<'e> {
    /// Messages of one connection.
    Commands {
        /// Its id.
        conn: ConnId,
        /// User and device, once it is connected.
        session: Option<(&'e str, &'e str)>,
        /// The token of its upgrade request, before that.
        token: Option<&'e str>,
        /// The messages, whole and in order.
        frames: Frames<'e>,
    },
    /// A connection with a session has ended.
    Closed {
        /// Its id.
        conn: ConnId,
        /// User and device, unless a newer connection of the device has replaced it.
        session: Option<(&'e str, &'e str)>,
        /// The close code.
        code: u16,
    },
    /// An outbox has drained below the soft bound.
    Writable {
        /// Whose.
        conn: ConnId,
        /// User and device.
        session: Option<(&'e str, &'e str)>,
    },
}

/// The messages of an item.
#[derive(Clone, Debug)]
pub struct Frames<'e> {
    batch: &'e Batch,
    at: usize,
    end: usize,
}

impl<'e> Iterator for Frames<'e> {
    type Item = &'e [u8];

    fn next(&mut self) -> Option<&'e [u8]> {
        let frame = (self.at < self.end).then(|| self.batch.frame(self.at));
        self.at += 1;
        frame
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Frames<'_> {}

impl Engine {
    /// An engine that listens nowhere yet.
    ///
    /// # Errors
    /// When no descriptor can be had, or for more shards than ids can name.
    pub fn new(config: Config) -> io::Result<Self> {
        if config.shards == 0 || config.shards > MAX_SHARDS {
            let message = format!("shards must be 1 to {MAX_SHARDS}, not {}", config.shards);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Self {
            tails: vec![None; config.shards],
            config: Arc::new(config),
            doorbell: Arc::new(Bell::new()?),
            shards: Vec::new(),
            directory: Directory::default(),
            fetched: VecDeque::new(),
            read: (0, 0),
            open: Arc::new(AtomicUsize::new(0)),
        })
    }

    /// Binds and starts the shards. Returns the address that was bound.
    ///
    /// # Errors
    /// When the address cannot be resolved or bound.
    pub fn listen(&mut self) -> io::Result<SocketAddr> {
        let unresolved = || io::Error::new(io::ErrorKind::InvalidInput, "no such address");
        let mut address = self.config.address.to_socket_addrs()?.next().ok_or_else(unresolved)?;
        shard::claim(address)?;
        for id in 0..self.config.shards {
            let shared = Arc::new(Shared {
                inbox: Inbox::new()?,
                outlet: Outlet::new(self.config.inbound_bytes),
                stats: Stats::default(),
                doorbell: self.doorbell.clone(),
                open: self.open.clone(),
            });
            let listen = Listen { id, address, config: self.config.clone() };
            let (bound, thread) = Shard::spawn(listen, shared.clone())?;
            // With port 0 the first shard finds the port and the others join it.
            address = bound;
            self.shards.push(Handle { shared, parcel: Parcel::default(), thread: Some(thread) });
        }
        Ok(address)
    }

    /// The doorbell to watch: readable while there may be something to take.
    #[must_use]
    pub fn doorbell(&self) -> &Bell {
        &self.doorbell
    }

    /// Fetches what all shards have published. Returns when the oldest of it was published.
    pub fn fetch(&mut self) -> Option<u64> {
        self.doorbell.answer();
        for shard in &self.shards {
            shard.shared.outlet.fetch(&mut self.fetched);
        }
        self.fetched.front().map(|batch| batch.born_ns)
    }

    /// Hands out items until `limit` messages have gone by. What is left is handed out next
    /// time, and the doorbell rings for it.
    ///
    /// # Errors
    /// The first one of `each`; the item that it was given is lost, the others are not.
    pub fn drain_fetched<E>(
        &mut self,
        limit: usize,
        mut each: impl FnMut(Inbound<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut seen = 0;
        while seen < limit {
            let Some(batch) = self.fetched.front() else { return Ok(()) };
            let (item, frame) = self.read;
            let Some(next) = batch.items.get(item) else {
                self.finish_batch();
                continue;
            };
            self.read.0 += 1;
            match next {
                Item::Attached { conn } => self.directory.confirm(*conn),
                Item::Commands { conn, session, frames, token } => {
                    let end = frame + *frames as usize;
                    self.read.1 = end;
                    seen += *frames as usize;
                    let found = self.session(*session, *conn);
                    // A replaced connection has been told so; what it still says is void.
                    if found.is_none() && *session != crate::timer::NONE {
                        continue;
                    }
                    each(Inbound::Commands {
                        conn: *conn,
                        session: found,
                        token: token.as_deref(),
                        frames: Frames { batch, at: frame, end },
                    })?;
                }
                Item::Closed { conn, session, code } => {
                    let (conn, session) = (*conn, *session);
                    let found = self.session(session, conn);
                    each(Inbound::Closed { conn, session: found, code: *code })?;
                    let fresh = self.directory.fresh(conn);
                    self.directory.detach(fresh.unwrap_or(session), conn);
                }
                Item::Writable { conn, session } => {
                    let found = self.session(*session, *conn);
                    each(Inbound::Writable { conn: *conn, session: found })?;
                }
            }
        }
        if !self.fetched.is_empty() {
            self.doorbell.ring();
        }
        Ok(())
    }

    fn session(&self, index: u32, conn: ConnId) -> Option<(&str, &str)> {
        let index = self.directory.fresh(conn).unwrap_or(index);
        let session = self.directory.get(index, conn)?;
        Some((self.directory.user_of(session), session.device.as_str()))
    }

    fn finish_batch(&mut self) {
        self.read = (0, 0);
        let Some(batch) = self.fetched.pop_front() else { return };
        let weight = batch.weight();
        // Which shard a batch came from is in the ids of its connections.
        let conn = batch.items.first().map(|item| match item {
            Item::Commands { conn, .. }
            | Item::Attached { conn }
            | Item::Closed { conn, .. }
            | Item::Writable { conn, .. } => *conn,
        });
        let shard = conn.and_then(|conn| self.shards.get(conn.shard()));
        if let Some(shard) = shard
            && shard.shared.outlet.release(weight)
        {
            shard.shared.inbox.wake();
        }
    }

    /// Queues one whole object for a connection.
    pub fn send(&mut self, conn: ConnId, payload: &[u8]) {
        self.send_at(conn, payload, Class::Answer, None);
    }

    fn send_at(&mut self, conn: ConnId, payload: &[u8], class: Class, position: Option<u64>) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), &[payload]);
        let (key, tail) = (conn.key(), Span::default());
        shard.parcel.orders.push(Order::Send { key, frame, tail, class, position });
    }

    /// Queues the answer to a `sync` and says where the line stands after it.
    pub fn page(&mut self, conn: ConnId, user: &str, payload: &[u8], position: u64, live: bool) {
        self.directory.set_live(user, conn, live);
        self.send_at(conn, payload, Class::Answer, Some(position));
    }

    /// From here on nothing is pushed to this connection.
    pub fn syncing(&mut self, conn: ConnId, user: &str) {
        self.directory.set_live(user, conn, false);
    }

    /// Registers a session and queues `connected`. An older connection of the device is replaced.
    pub fn connected(&mut self, conn: ConnId, session: &NewSession<'_>, payload: &[u8]) {
        if self.shards.get(conn.shard()).is_none() {
            return;
        }
        let (index, replaced) = self.directory.attach(conn, session.user, session.device);
        if let Some(old) = replaced {
            let code = close::REPLACED;
            self.close(old, code, "replaced by a newer connection of this device", 0);
        }
        self.directory.set_live(session.user, conn, session.live);
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), &[payload]);
        shard.parcel.orders.push(Order::Connected {
            conn,
            session: index,
            frame,
            position: session.position,
            expires_s: session.expires_s,
            heartbeat: session.heartbeat,
        });
    }

    /// Pushes a durable event to every live session of `user`, as the next one after all that
    /// went before. `origin` gets `answer` in its place (its first `sent`).
    ///
    /// `bodies` are complete objects without `op` and `seq`, JSON and `MessagePack`; the latter may
    /// be left out only while no session speaks it, or that session is closed with 4006.
    pub fn event(
        &mut self,
        user: &str,
        seq: u64,
        bodies: (&[u8], Option<&[u8]>),
        origin: Option<(ConnId, &[u8])>,
    ) {
        let Self { directory, shards, tails, .. } = self;
        tails.fill(None);
        let mut answered = origin.is_none();
        directory.for_each(user, |session| {
            let conn = session.conn;
            let Some(shard) = shards.get_mut(conn.shard()) else { return };
            if let Some((_, answer)) = origin.filter(|(own, _)| *own == conn) {
                answered = true;
                let position = session.live.then_some(seq);
                return queue(&mut shard.parcel, conn, &[answer], Class::Answer, position);
            }
            if !session.live {
                return;
            }
            let body = if conn.encoding() == MSGPACK { bodies.1 } else { Some(bodies.0) };
            if let Some(body) = body {
                let tail = tails.get_mut(conn.shard());
                return queue_event(&mut shard.parcel, conn, seq, body, tail);
            }
            // Our own bug, and never a hole: the client comes back and resumes where it was.
            session.live = false;
            let reason = write_bytes(&mut shard.parcel.arena, b"an event could not be encoded");
            let (key, code) = (conn.key(), close::SERVER_ERROR);
            shard.parcel.orders.push(Order::Close { key, code, reason, delay_ms: 0 });
        });
        // The sender may have been replaced meanwhile: then its answer goes nowhere.
        if let Some((conn, answer)) = origin.filter(|_| !answered) {
            self.send_at(conn, answer, Class::Answer, None);
        }
    }

    /// Pushes something that is not in the timeline to every session of `user`.
    pub fn push(&mut self, user: &str, bodies: (&[u8], Option<&[u8]>), class: Class) {
        let Self { directory, shards, .. } = self;
        directory.for_each(user, |session| {
            let conn = session.conn;
            let body = if conn.encoding() == MSGPACK { bodies.1 } else { Some(bodies.0) };
            if let (Some(shard), Some(body)) = (shards.get_mut(conn.shard()), body) {
                queue(&mut shard.parcel, conn, &[body], class, None);
            }
        });
    }

    /// Changes the heartbeat of a connection and queues the answer.
    pub fn heartbeat(&mut self, conn: ConnId, payload: &[u8], heartbeat: Granted) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), &[payload]);
        shard.parcel.orders.push(Order::Heartbeat { key: conn.key(), frame, heartbeat });
    }

    /// Moves the end of a connection's token and queues the answer.
    pub fn refresh(&mut self, conn: ConnId, payload: &[u8], expires_s: u32) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), &[payload]);
        shard.parcel.orders.push(Order::Refresh { key: conn.key(), frame, expires_s });
    }

    /// Says `bye` (where the code has one) and closes. Nothing that is queued later reaches the
    /// connection any more.
    pub fn close(&mut self, conn: ConnId, code: u16, reason: &str, delay_ms: u64) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let reason = write_bytes(&mut shard.parcel.arena, reason.as_bytes());
        shard.parcel.orders.push(Order::Close { key: conn.key(), code, reason, delay_ms });
    }

    /// Answers a ping in a spelling that the shard leaves to Python; `id` 0: it had none.
    pub fn pong(&mut self, conn: ConnId, id: u32) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        shard.parcel.orders.push(Order::Pong { key: conn.key(), id });
    }

    /// Asks for [`Inbound::Writable`] once the outbox of a connection is under its soft bound.
    pub fn notify(&mut self, conn: ConnId) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        shard.parcel.orders.push(Order::Notify { key: conn.key() });
    }

    /// Adds a connection to the readers of a topic.
    pub fn subscribe(&mut self, conn: ConnId, topic: &str) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let topic = write_bytes(&mut shard.parcel.arena, topic.as_bytes());
        shard.parcel.orders.push(Order::Subscribe { key: conn.key(), topic });
    }

    /// Takes a connection out of the readers of a topic.
    pub fn unsubscribe(&mut self, conn: ConnId, topic: &str) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let topic = write_bytes(&mut shard.parcel.arena, topic.as_bytes());
        shard.parcel.orders.push(Order::Unsubscribe { key: conn.key(), topic });
    }

    /// Queues one payload for every reader of a topic, on all shards.
    pub fn publish(&mut self, topic: &str, bodies: (&[u8], Option<&[u8]>), class: Class) {
        for shard in &mut self.shards {
            let arena = &mut shard.parcel.arena;
            let topic = write_bytes(arena, topic.as_bytes());
            let json = write_frame(arena, JSON, &[bodies.0]);
            let twin = bodies.1.map(|body| write_frame(arena, MSGPACK, &[body]));
            let msgpack = twin.unwrap_or_default();
            shard.parcel.orders.push(Order::Publish { topic, json, msgpack, class });
        }
    }

    /// Hands everything queued so far to the shards.
    pub fn dispatch(&mut self) {
        for shard in &mut self.shards {
            if !shard.parcel.orders.is_empty() {
                shard.shared.inbox.deliver(&mut shard.parcel);
            }
        }
    }

    /// Refuses new connections and reads no further commands.
    pub fn pause(&mut self) {
        self.order_all(|| Order::Pause);
    }

    /// Says `bye` 4000 to everybody, each with its own slot inside `spread_ms`.
    pub fn drain(&mut self, spread_ms: u64) {
        self.order_all(|| Order::Drain { spread_ms });
    }

    fn order_all(&mut self, order: impl Fn() -> Order) {
        for shard in &mut self.shards {
            shard.parcel.orders.push(order());
        }
        self.dispatch();
    }

    /// Names of the devices with which `user` is connected.
    pub fn devices(&mut self, user: &str) -> Vec<String> {
        let mut devices = Vec::new();
        self.directory.for_each(user, |session| devices.push(session.device.to_string()));
        devices
    }

    /// Connections that are open now, in any phase.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Ends all shards and waits for their threads.
    pub fn stop(&mut self) {
        self.order_all(|| Order::Stop);
        for shard in &mut self.shards {
            // A shard that panicked has said so on its way out; there is nothing left to save.
            let _ = shard.thread.take().map(JoinHandle::join);
        }
    }

    /// The sum of every figure over all shards; the wheel's lag is the worst of them.
    #[must_use]
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        let mut sums: Vec<(&'static str, u64)> = Stats::default().figures();
        for shard in &self.shards {
            for (sum, (name, figure)) in sums.iter_mut().zip(shard.shared.stats.figures()) {
                sum.1 = if name == "wheel_lag_ms" { sum.1.max(figure) } else { sum.1 + figure };
            }
            shard.shared.stats.wheel_lag_ms.set(0);
        }
        sums.push(("shards", u64::try_from(self.shards.len()).unwrap_or(0)));
        sums
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What `connected` grants.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'s> {
    /// The user.
    pub user: &'s str,
    /// The device.
    pub device: &'s str,
    /// Up to where its events were sent.
    pub position: u64,
    /// Whether that is the head.
    pub live: bool,
    /// When its token ends, Unix seconds; 0: never.
    pub expires_s: u32,
    /// Its heartbeat.
    pub heartbeat: Granted,
}

fn queue(parcel: &mut Parcel, conn: ConnId, parts: &[&[u8]], class: Class, position: Option<u64>) {
    let frame = write_frame(&mut parcel.arena, conn.encoding(), parts);
    let (key, tail) = (conn.key(), Span::default());
    parcel.orders.push(Order::Send { key, frame, tail, class, position });
}

/// What differs per recipient, the head with `seq`, goes in front of a tail that a shard stores
/// once where that is worth it.
fn queue_event(
    parcel: &mut Parcel,
    conn: ConnId,
    seq: u64,
    body: &[u8],
    shared: Option<&mut Option<Span>>,
) {
    let encoding = conn.encoding();
    let Some((fields, rest)) = objects::open_body(encoding, body) else { return };
    let mut head = Vec::with_capacity(48);
    objects::write_event_head(&mut head, encoding, seq, fields);
    if rest.len() < SHARE_FROM || encoding == MSGPACK {
        return queue(parcel, conn, &[&head, rest], Class::Durable, Some(seq));
    }
    let arena = &mut parcel.arena;
    let start = arena.len();
    write_header(arena, encoding, head.len() + rest.len());
    arena.extend_from_slice(&head);
    let frame = Span::since(arena, start);
    let tail = match shared {
        Some(Some(tail)) => *tail,
        Some(slot) => *slot.insert(write_bytes(arena, rest)),
        None => write_bytes(arena, rest),
    };
    let (class, position) = (Class::Durable, Some(seq));
    parcel.orders.push(Order::Send { key: conn.key(), frame, tail, class, position });
}

fn write_bytes(arena: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = arena.len();
    arena.extend_from_slice(bytes);
    Span::since(arena, start)
}

fn write_frame(arena: &mut Vec<u8>, encoding: u8, parts: &[&[u8]]) -> Span {
    let start = arena.len();
    write_header(arena, encoding, parts.iter().map(|part| part.len()).sum());
    for part in parts {
        arena.extend_from_slice(part);
    }
    Span::since(arena, start)
}

/// Appends the header of a whole data frame, text for JSON and binary for `MessagePack`.
pub(crate) fn write_header(arena: &mut Vec<u8>, encoding: u8, len: usize) {
    let opcode = if encoding == MSGPACK { Opcode::Binary } else { Opcode::Text };
    let mut header = [0; 14];
    let used = frame::encode_header(&mut header, opcode, true, false, len, None);
    arena.extend_from_slice(header.get(..used).unwrap_or_default());
}
