//! Carrying out what Python submitted, in its order.

use super::output::Context;
use super::{Shard, conn_id};
use crate::batch::Item;
use crate::config::MSGPACK;
use crate::fanout;
use crate::heartbeat::Heartbeat;
use crate::inbox::{Class, Granted, Order, Parcel};
use crate::objects::{self, Known};
use crate::outbox::Span;
use crate::sys::monotonic_ns;
use crate::table::{ConnId, Key, Phase, flag};
use hivewire_proto::close;

impl Shard {
    pub(super) fn carry_out(&mut self, parcel: Parcel) {
        let Parcel { mut orders, arena, .. } = parcel;
        let arena = self.output.turn.adopt(arena);
        for order in orders.drain(..) {
            self.carry_out_one(arena, &order);
        }
        // The arena comes back when the turn has been flushed; the empty list goes now.
        self.shared.inbox.recycle_orders(orders);
    }

    fn carry_out_one(&mut self, arena: u32, order: &Order) {
        match *order {
            Order::Send { key, frame, tail, class, position } => {
                if class != Class::Answer {
                    self.crowd.hears(self.tick);
                }
                self.queue_sent(arena, key, (frame, tail), class, position);
            }
            Order::Connected { conn, session, frame, position, expires_s, heartbeat } => {
                // It may hold the first page.
                self.gate.spend_sync(frame.len as usize, self.now_ms);
                self.connected(conn, session, position, expires_s, heartbeat);
                self.queue_sent(arena, conn.key(), (frame, Span::default()), Class::Answer, None);
            }
            Order::Heartbeat { key, frame, heartbeat } => {
                self.grant(key, heartbeat);
                self.queue_sent(arena, key, (frame, Span::default()), Class::Answer, None);
            }
            Order::Refresh { key, frame, expires_s } => {
                self.renew(key, expires_s);
                self.queue_sent(arena, key, (frame, Span::default()), Class::Answer, None);
            }
            Order::Close { key, code, reason, delay_ms } => {
                let reason = self.text(arena, reason);
                match self.table.find(key) {
                    Some(_) => self.begin_close(key.index, code, &reason, delay_ms),
                    None => self.shared.stats.stale_orders_total.add(1),
                }
            }
            Order::Pong { key, id } => self.pong(key, id),
            Order::Notify { key } => self.notify(key),
            Order::Subscribe { key, topic } => self.subscribe(key, arena, topic),
            Order::Unsubscribe { key, topic } => self.unsubscribe(key, arena, topic),
            Order::Publish { topic, json, msgpack, class } => {
                self.crowd.hears(self.tick);
                self.broadcast(arena, topic, json, msgpack, class);
            }
            Order::Pause => self.paused = true,
            Order::Drain { spread_ms } => self.drain(spread_ms),
            Order::Stop => self.stopping = true,
        }
    }

    fn text(&self, arena: u32, span: Span) -> String {
        String::from_utf8_lossy(span.of(self.output.turn.arena(arena))).into_owned()
    }

    fn queue_sent(
        &mut self,
        arena: u32,
        key: Key,
        frame: (Span, Span),
        class: Class,
        position: Option<u64>,
    ) {
        let Self { table, output, codec, config, shared, gate, now_ms, .. } = self;
        let Some(slot) = table.find(key).filter(|slot| slot.line.takes_orders()) else {
            if position.is_some() {
                shared.flushes.dropped(key, output.turn.number, monotonic_ns());
            }
            return shared.stats.stale_orders_total.add(1);
        };
        slot.line.clear(flag::ASKED);
        let (frame, tail) = frame;
        if let Some(position) = position {
            slot.line.position = position;
            if class == Class::Answer {
                // A page: what catching up costs.
                gate.spend_sync(frame.len as usize, *now_ms);
            }
        }
        let whole = tail.len == 0;
        let first = output.adopted(arena, frame, whole);
        let second = (!whole).then(|| output.shared(slot.line.encoding, arena, tail));
        let mut context = Context { config, stats: &shared.stats, codec };
        output.queue((key.index, slot), (first, second), class, &mut context);
    }

    fn connected(
        &mut self,
        conn: ConnId,
        session: u32,
        position: u64,
        expires_s: u32,
        heartbeat: Granted,
    ) {
        let (now, key) = (self.sight.now(self.tick), conn.key());
        let Some(slot) = self.table.find(key).filter(|slot| slot.line.phase == Phase::Opening)
        else {
            // It went while Python answered its `connect`: the directory must hear of it.
            self.shared.stats.stale_orders_total.add(1);
            let number = self.output.turn.number;
            self.shared.flushes.dropped(key, number, monotonic_ns());
            let code = close::ABNORMAL;
            return self.batch.items.push(Item::Closed { conn, session, code });
        };
        let line = &mut slot.line;
        line.phase = Phase::Connected;
        line.session = session;
        line.position = position;
        line.expires_s = expires_s;
        line.extra = None;
        line.heartbeat =
            Heartbeat::new(heartbeat.interval_ms, heartbeat.timeout_ms, heartbeat.from_client);
        line.heard = now.saturating_sub(line.heartbeat.first_jitter(self.rng.u32(..)));
        self.batch.items.push(Item::Attached { conn });
        let stats = &self.shared.stats;
        stats.sessions.set(stats.sessions.get() + 1);
        self.arm_line(key.index);
    }

    fn grant(&mut self, key: Key, heartbeat: Granted) {
        if let Some(slot) = self.table.find(key) {
            slot.line.heartbeat =
                Heartbeat::new(heartbeat.interval_ms, heartbeat.timeout_ms, heartbeat.from_client);
            self.arm_line(key.index);
        }
    }

    fn renew(&mut self, key: Key, expires_s: u32) {
        if let Some(slot) = self.table.find(key) {
            slot.line.expires_s = expires_s;
            self.arm_line(key.index);
        }
    }

    fn pong(&mut self, key: Key, id: u32) {
        let Some(slot) = self.table.find(key).filter(|slot| slot.line.takes_orders()) else {
            return;
        };
        slot.line.clear(flag::ASKED);
        let (encoding, head) = (slot.line.encoding, slot.line.position);
        let pong = self.output.object(encoding, |out| {
            objects::write_heartbeat(out, encoding, Known::Pong, id, head);
        });
        self.output.queue_bare(key.index, &mut slot.line, pong);
    }

    fn notify(&mut self, key: Key) {
        let (soft, id) = (self.config.outbox_soft, self.id);
        let Some(slot) = self.table.find(key) else { return };
        slot.line.set(flag::NOTIFY);
        // What this turn has queued is judged when it has been flushed.
        if slot.line.queue.is_empty() && slot.line.backlog_bytes() <= soft {
            slot.line.clear(flag::NOTIFY);
            let item =
                Item::Writable { conn: conn_id(id, key.index, slot), session: slot.line.session };
            self.batch.items.push(item);
        }
    }

    fn subscribe(&mut self, key: Key, arena: u32, topic: Span) {
        let Self { table, output, topics, .. } = self;
        let topic = str::from_utf8(topic.of(output.turn.arena(arena))).unwrap_or_default();
        // `connected` drops what a stranger had, its topics included.
        let session = |phase| phase == Phase::Connected;
        if table.find(key).is_some_and(|slot| session(slot.line.phase)) {
            topics.subscribe(table, key.index, topic);
        }
    }

    fn unsubscribe(&mut self, key: Key, arena: u32, topic: Span) {
        let Self { table, output, topics, .. } = self;
        let topic = str::from_utf8(topic.of(output.turn.arena(arena))).unwrap_or_default();
        if table.find(key).is_some() {
            topics.unsubscribe(table, key.index, topic);
        }
    }

    fn broadcast(&mut self, arena: u32, topic: Span, json: Span, msgpack: Span, class: Class) {
        let Self { table, output, codec, config, shared, topics, .. } = self;
        let name = str::from_utf8(topic.of(output.turn.arena(arena))).unwrap_or_default();
        let Some((topic, readers)) = topics.readers(name) else { return };
        let json = output.adopted(arena, json, true);
        let twin = (msgpack.len > 0).then(|| output.adopted(arena, msgpack, true));
        let mut context = Context { config, stats: &shared.stats, codec };
        for &index in readers {
            let Some(slot) = table.at(index).filter(|slot| slot.line.takes_orders()) else {
                continue;
            };
            let piece = if slot.line.encoding == MSGPACK { twin } else { Some(json) };
            if let Some(piece) = piece
                && !output.queue((index, slot), (piece, None), class, &mut context)
            {
                fanout::miss(&mut slot.line, topic);
            }
        }
    }

    fn drain(&mut self, spread_ms: u64) {
        self.paused = true;
        self.crowd.sends_away(self.table.indices(), spread_ms);
    }
}
