//! Outwards: what Python decided, as orders in the parcel of the right shard. Events, the hot
//! path, are in [`super::events`].

use super::Engine;
use crate::config::{JSON, MSGPACK};
use crate::frames::write_header;
use crate::inbox::{Class, Granted, Order, Parcel};
use crate::outbox::Span;
use crate::table::ConnId;
use hivewire_proto::close;

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

    /// Queues one whole object for a connection unless its outbox is over the soft bound.
    pub fn send_volatile(&mut self, conn: ConnId, payload: &[u8]) {
        self.send_at(conn, payload, Class::Volatile, None);
    }

    fn send_at(&mut self, conn: ConnId, payload: &[u8], class: Class, position: Option<u64>) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        queue(&mut shard.parcel, conn, payload, class, position);
    }

    /// Queues the answer to a `sync` and says where the line stands after it.
    pub fn page(&mut self, conn: ConnId, user: &str, payload: &[u8], position: u64, live: bool) {
        let live = self.next_number().filter(|_| live);
        self.directory.set_live(user, conn, live);
        self.send_at(conn, payload, Class::Answer, Some(position));
    }

    /// From here on nothing is pushed to this connection.
    pub fn syncing(&mut self, conn: ConnId, user: &str) {
        self.directory.set_live(user, conn, None);
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
        let live = self.next_number().filter(|_| session.live);
        self.directory.set_live(session.user, conn, live);
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), payload);
        shard.parcel.orders.push(Order::Connected {
            conn,
            session: index,
            frame,
            position: session.position,
            expires_s: session.expires_s,
            heartbeat: session.heartbeat,
        });
    }

    /// Pushes something that is not in the timeline to every session of `user`.
    pub fn push(&mut self, user: &str, bodies: (&[u8], Option<&[u8]>), class: Class) {
        let Self { directory, shards, .. } = self;
        directory.for_each(user, |session| {
            let conn = session.conn;
            let body = if conn.encoding() == MSGPACK { bodies.1 } else { Some(bodies.0) };
            if let (Some(shard), Some(body)) = (shards.get_mut(conn.shard()), body) {
                queue(&mut shard.parcel, conn, body, class, None);
            }
        });
    }

    /// Changes the heartbeat of a connection and queues the answer.
    pub fn heartbeat(&mut self, conn: ConnId, payload: &[u8], heartbeat: Granted) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), payload);
        shard.parcel.orders.push(Order::Heartbeat { key: conn.key(), frame, heartbeat });
    }

    /// Moves the end of a connection's token and queues the answer.
    pub fn refresh(&mut self, conn: ConnId, payload: &[u8], expires_s: u32) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        let frame = write_frame(&mut shard.parcel.arena, conn.encoding(), payload);
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
        queue_subscribe(&mut shard.parcel, conn, topic);
    }

    /// Takes a connection out of the readers of a topic.
    pub fn unsubscribe(&mut self, conn: ConnId, topic: &str) {
        let Some(shard) = self.shards.get_mut(conn.shard()) else { return };
        queue_unsubscribe(&mut shard.parcel, conn, topic);
    }

    /// Adds every connection that `user` has now to the readers of a topic.
    pub fn subscribe_user(&mut self, user: &str, topic: &str) {
        self.order_user(user, |parcel, conn| queue_subscribe(parcel, conn, topic));
    }

    /// Takes every connection of `user` out of the readers of a topic.
    pub fn unsubscribe_user(&mut self, user: &str, topic: &str) {
        self.order_user(user, |parcel, conn| queue_unsubscribe(parcel, conn, topic));
    }

    fn order_user(&mut self, user: &str, order: impl Fn(&mut Parcel, ConnId)) {
        let Self { directory, shards, .. } = self;
        directory.for_each(user, |session| {
            if let Some(shard) = shards.get_mut(session.conn.shard()) {
                order(&mut shard.parcel, session.conn);
            }
        });
    }

    /// Queues one payload for every reader of a topic, on all shards.
    pub fn publish(&mut self, topic: &str, bodies: (&[u8], Option<&[u8]>), class: Class) {
        for shard in &mut self.shards {
            let arena = &mut shard.parcel.arena;
            let topic = write_bytes(arena, topic.as_bytes());
            let json = write_frame(arena, JSON, bodies.0);
            let twin = bodies.1.map(|body| write_frame(arena, MSGPACK, body));
            let msgpack = twin.unwrap_or_default();
            shard.parcel.orders.push(Order::Publish { topic, json, msgpack, class });
        }
    }
}

pub(super) fn queue(
    parcel: &mut Parcel,
    conn: ConnId,
    payload: &[u8],
    class: Class,
    position: Option<u64>,
) {
    let frame = write_frame(&mut parcel.arena, conn.encoding(), payload);
    let (key, tail) = (conn.key(), Span::default());
    parcel.orders.push(Order::Send { key, frame, tail, class, position });
}

fn queue_subscribe(parcel: &mut Parcel, conn: ConnId, topic: &str) {
    let topic = write_bytes(&mut parcel.arena, topic.as_bytes());
    parcel.orders.push(Order::Subscribe { key: conn.key(), topic });
}

fn queue_unsubscribe(parcel: &mut Parcel, conn: ConnId, topic: &str) {
    let topic = write_bytes(&mut parcel.arena, topic.as_bytes());
    parcel.orders.push(Order::Unsubscribe { key: conn.key(), topic });
}

pub(super) fn write_bytes(arena: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = arena.len();
    arena.extend_from_slice(bytes);
    Span::since(arena, start)
}

fn write_frame(arena: &mut Vec<u8>, encoding: u8, payload: &[u8]) -> Span {
    let start = arena.len();
    write_header(arena, encoding, payload.len());
    arena.extend_from_slice(payload);
    Span::since(arena, start)
}
