//! Outwards: what Python decided, as orders in the parcel of the right shard.
//!
//! One payload is encoded and framed once; what differs per recipient is a small head in front.

use super::Engine;
use crate::config::{JSON, MSGPACK};
use crate::frames::write_header;
use crate::inbox::{Class, Granted, Order, Parcel};
use crate::objects;
use crate::outbox::Span;
use crate::table::ConnId;
use hivewire_proto::close;

/// Bodies from this size on are stored once a shard and referred to, not copied per recipient.
const SHARE_FROM: usize = 512;

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

impl Engine {
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
