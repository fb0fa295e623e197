//! The hot path outwards: one durable event to many users, each with a `seq` of its own.
//!
//! The body is stored once a shard; what differs per recipient is a small head in front. Nothing
//! is allocated for a recipient but its place in the shard's parcel.

use super::Engine;
use super::submit::{queue, write_bytes};
use crate::config::{JSON, MSGPACK};
use crate::directory::Session;
use crate::frames::{HEADER_ROOM, write_header_before};
use crate::inbox::{Class, Order, Parcel};
use crate::objects;
use crate::outbox::Span;
use crate::table::ConnId;
use hivewire_proto::close;

/// Where the tail of the present event lies in one shard's parcel, for each encoding.
pub(super) type Tails = [Option<Span>; 2];

/// A body without its opening, as [`objects::open_body`] gives it.
type Opened<'b> = Option<(usize, &'b [u8])>;

/// An event on its way to its recipients; made by [`Engine::fan_out`].
#[derive(Debug)]
#[must_use = "the sender's answer goes out at the end"]
pub struct FanOut<'e, 'b> {
    engine: &'e mut Engine,
    /// By encoding.
    bodies: [Opened<'b>; 2],
    /// The connection that gets an answer in place of the event, until it has got it.
    origin: Option<(ConnId, &'b [u8])>,
}

impl Engine {
    /// Begins to push a durable event: [`FanOut::to`] for each recipient, then [`FanOut::end`].
    /// `origin` gets `answer` in its place (its first `sent`).
    ///
    /// `bodies` are complete objects without `op` and `seq`, JSON and `MessagePack`; the latter may
    /// be left out only while no session speaks it, or that session is closed with 4006.
    pub fn fan_out<'e, 'b>(
        &'e mut self,
        bodies: (&'b [u8], Option<&'b [u8]>),
        origin: Option<(ConnId, &'b [u8])>,
    ) -> FanOut<'e, 'b> {
        self.tails.fill([None; 2]);
        let opened = |encoding, body| objects::open_body(encoding, body);
        let twin = bodies.1.and_then(|body| opened(MSGPACK, body));
        FanOut { engine: self, bodies: [opened(JSON, bodies.0), twin], origin }
    }

    /// Pushes a durable event to one user; see [`Engine::fan_out`].
    pub fn event(
        &mut self,
        user: &str,
        seq: u64,
        bodies: (&[u8], Option<&[u8]>),
        origin: Option<(ConnId, &[u8])>,
    ) {
        let mut event = self.fan_out(bodies, origin);
        event.to(user, seq);
        event.end();
    }
}

impl FanOut<'_, '_> {
    /// Queues the event to every live session of `user`, as the next one after all that went
    /// before.
    pub fn to(&mut self, user: &str, seq: u64) {
        let Self { engine, bodies, origin } = self;
        let Engine { directory, shards, tails, .. } = &mut **engine;
        directory.for_each(user, |session| {
            let conn = session.conn;
            let (Some(shard), Some(tails)) =
                (shards.get_mut(conn.shard()), tails.get_mut(conn.shard()))
            else {
                return;
            };
            if let Some((_, answer)) = origin.take_if(|(own, _)| *own == conn) {
                let position = session.live.map(|_| seq);
                return queue(&mut shard.parcel, conn, answer, Class::Answer, position);
            }
            if session.live.is_none() {
                return;
            }
            let encoding = usize::from(conn.encoding());
            match (bodies.get(encoding), tails.get_mut(encoding)) {
                (Some(Some(body)), Some(tail)) => {
                    queue_event(&mut shard.parcel, conn, seq, *body, tail);
                }
                _ => close_without_event(&mut shard.parcel, session),
            }
        });
    }

    /// The last recipient was given. A sender that was not among them (it may have been replaced
    /// meanwhile) gets its answer by itself.
    pub fn end(self) {
        if let Some((conn, answer)) = self.origin {
            self.engine.send(conn, answer);
        }
    }
}

/// Our own bug, and never a hole: the client comes back and resumes where it was.
fn close_without_event(parcel: &mut Parcel, session: &mut Session) {
    session.live = None;
    let reason = write_bytes(&mut parcel.arena, b"an event could not be encoded");
    let (key, code) = (session.conn.key(), close::SERVER_ERROR);
    parcel.orders.push(Order::Close { key, code, reason, delay_ms: 0 });
}

/// The first recipient's frame is written whole, and the others refer to its tail. That pays from
/// the smallest event on: the second piece costs a shard 10 ns, a copy costs Python's thread 35 ns
/// at 64 bytes and 90 ns at 300 (`cargo bench -p hivewire-engine`).
fn queue_event(
    parcel: &mut Parcel,
    conn: ConnId,
    seq: u64,
    (fields, rest): (usize, &[u8]),
    shared: &mut Option<Span>,
) {
    let (arena, encoding) = (&mut parcel.arena, conn.encoding());
    arena.extend_from_slice(&[0; HEADER_ROOM]);
    let payload = arena.len();
    objects::write_event_head(arena, encoding, seq, fields);
    let head = arena.len() - payload;
    let start = write_header_before(arena, payload, encoding, head + rest.len());
    let tail = shared.unwrap_or_default();
    if shared.is_none() {
        *shared = Some(write_bytes(arena, rest));
    }
    let frame = Span::since(arena, start);
    let (class, position) = (Class::Durable, Some(seq));
    parcel.orders.push(Order::Send { key: conn.key(), frame, tail, class, position });
}
