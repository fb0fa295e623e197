//! Bytes come in: one read a turn and connection, frames out of it, messages into the batch.

use super::gate::Refusal;
use super::output::{Context, Output};
use super::{Shard, conn_id};
use crate::batch::Batch;
use crate::config::{Config, JSON, MSGPACK};
use crate::inbox::Class;
use crate::memory::Pressure;
use crate::objects::{self, Known};
use crate::stats::Stats;
use crate::table::{ConnId, Line, Phase, flag};
use hivewire_proto::frame::Opcode;
use hivewire_proto::{Codec, Connection, Event, Fault, Input, Kind, Upgrade, close};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Ticks of a window in which control frames are counted: ten seconds.
const CONTROL_WINDOW_TICKS: u32 = 200;

/// How the bytes of one read ended.
enum End {
    /// All taken in.
    Open,
    /// The peer's Close.
    Closed(Option<u16>),
    /// An answer by HTTP, or a violation of the protocol.
    Fault(Fault),
    /// Our own reason to close.
    Close(u16, &'static str),
    /// The upgrade is valid, but there is no room.
    Refuse(Refusal),
    /// The upgrade is valid, but whoever asked for it has hung up since: he has waited too long.
    Gone,
}

impl Shard {
    pub(super) fn read_all(&mut self) {
        self.call_up();
        self.stalled = self.note_stall();
        if self.stalled {
            return;
        }
        let before = self.batch.items.len();
        let mut readable = std::mem::take(&mut self.readable);
        for index in readable.drain(..) {
            self.read_ready(index);
        }
        // Connections that have more to read stand in the new list; the old buffer is dropped
        // only when both are in use.
        if self.readable.is_empty() {
            self.readable = readable;
        }
        if self.batch.items.len() > before {
            self.crowd.hears(self.tick);
        }
    }

    /// Reads a line that is ready, unless it is not to be read at present.
    pub(super) fn read_ready(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        if !slot.line.clear(flag::READABLE) {
            // The one that stood in line for this place is gone; its heir has nothing to read yet.
            return;
        }
        // What waits here is looked for again when `resume_reading` is called.
        let commands_wait = self.paused && slot.line.takes_orders();
        if slot.line.has(flag::HELD) || commands_wait || slot.line.phase == Phase::Dead {
            return;
        }
        self.read_guarded(index);
    }

    fn note_stall(&mut self) -> bool {
        let full = self.shared.outlet.is_full() || self.ceiling.pressure() == Pressure::Stop;
        match (self.stalled, full) {
            (false, true) => {
                self.shared.stats.read_stalls_total.add(1);
                self.sight.close(self.tick);
            }
            (true, false) => self.sight.open(self.tick),
            _ => {}
        }
        full
    }

    /// Looks for input that came while this connection was not read.
    pub(super) fn resume_reading(&mut self, index: u32) {
        self.note_readable(index);
    }

    /// I9: a bug that one peer's bytes bring out costs that peer its connection, not the shard.
    fn read_guarded(&mut self, index: u32) {
        if catch_unwind(AssertUnwindSafe(|| self.read_one(index))).is_err() {
            self.shared.stats.panics_total.add(1);
            self.kill(index);
        }
    }

    fn read_one(&mut self, index: u32) {
        let Some(slot) = self.table.at(index) else { return };
        if slot.line.has(flag::SECURE) {
            return self.read_sealed(index);
        }
        let Some(stream) = slot.stream.as_mut() else { return };
        self.shared.stats.reads_total.add(1);
        match stream.read(&mut self.buffer) {
            Ok(0) => self.end_of_stream(index),
            Ok(n) => {
                slot.line.heard = self.sight.now(self.tick);
                // A short read has emptied the socket, and the next byte is a new edge. A full
                // one, or a peer that is hanging up, is read again in the next turn.
                if n == self.buffer.len() || slot.line.has(flag::HANGING_UP) {
                    self.note_readable(index);
                }
                self.shared.stats.received_bytes_total.add_len(n);
                self.take_in(index, n);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.note_readable(index),
            Err(_) => self.kill(index),
        }
    }

    /// The peer is gone. What it could still be told is not worth a half-open socket.
    pub(super) fn end_of_stream(&mut self, index: u32) {
        self.kill(index);
    }

    pub(super) fn take_in(&mut self, index: u32, n: usize) {
        let end = self.take_frames(index, n);
        let Some(slot) = self.table.at(index) else { return };
        // An unfinished message has a deadline that may be nearer than what is armed.
        if !slot.wire.is_at_rest() && slot.line.phase == Phase::Connected {
            self.arm_line(index);
        }
        match end {
            End::Open => {}
            End::Closed(code) => self.answer_close(index, code),
            End::Fault(fault) => self.fail(index, &fault),
            End::Close(code, reason) => self.begin_close(index, code, reason, 0),
            End::Refuse(refusal) => self.turn_away(index, refusal),
            End::Gone => self.kill(index),
        }
    }

    fn take_frames(&mut self, index: u32, n: usize) -> End {
        let (id, now_ms, tick) = (self.id, self.now_ms, self.tick);
        let (closed, quiet) = (self.is_closed(), self.crowd.is_quiet(tick));
        let Self { table, codec, buffer, output, batch, config, shared, gate, .. } = self;
        let Some(slot) = table.at(index).filter(|slot| !slot.line.has(flag::DEAF)) else {
            return End::Open;
        };
        if let Some(end) = over_opening_bytes(&mut slot.line, n, config.opening_bytes) {
            return end;
        }
        let mut input = Input::new(buffer.get_mut(..n).unwrap_or_default());
        loop {
            let conn = conn_id(id, index, slot);
            let event = match slot.wire.next_event(codec, &mut input, now_ms) {
                Ok(Some(event)) => event,
                Ok(None) => return End::Open,
                Err(fault) => return End::Fault(fault),
            };
            let mut taken = Taken { output, batch, config, stats: &shared.stats, conn };
            let step = taken.event(event, &mut slot.line);
            let end = match step {
                Step::Done => None,
                Step::End(end) => Some(end),
                Step::Upgrade(_) if slot.line.has(flag::HANGING_UP) => Some(End::Gone),
                Step::Upgrade(upgrade) => {
                    let crowded = slot.line.has(flag::CROWDED).then_some(Refusal::Address);
                    let refusal = closed.or(crowded).or_else(|| gate.upgrade(now_ms, quiet));
                    if let Some(refusal) = refusal {
                        return End::Refuse(refusal);
                    }
                    let rest = input.remaining().len();
                    taken.upgrade(index, *upgrade, &mut slot.line);
                    over_opening_bytes(&mut slot.line, rest, config.opening_bytes)
                }
                Step::Control(reply) => {
                    if let Some(reply) = reply {
                        output.queue_bare(index, &mut slot.line, reply);
                    }
                    over_controls(&mut slot.line, tick, config.control_per_second)
                }
                Step::Echo(piece) => {
                    let mut context = Context { config, stats: &shared.stats, codec };
                    output.queue((index, slot), (piece, None), Class::Answer, &mut context);
                    None
                }
            };
            match end {
                None => {}
                Some(End::Close(code, reason)) => {
                    return closed_meanwhile(&mut slot.wire, codec, &mut input, now_ms)
                        .unwrap_or(End::Close(code, reason));
                }
                Some(end) => return end,
            }
        }
    }
}

/// What an event comes to, free of the buffers that it was read from.
enum Step {
    Done,
    End(End),
    Upgrade(Box<Upgrade>),
    /// A ping or pong of any kind, and the piece that answers it.
    Control(Option<u32>),
    Echo(u32),
}

/// Where events go.
struct Taken<'s> {
    output: &'s mut Output,
    batch: &'s mut Batch,
    config: &'s Config,
    stats: &'s Stats,
    conn: ConnId,
}

impl Taken<'_> {
    fn event(&mut self, event: Event<'_>, line: &mut Line) -> Step {
        match event {
            Event::Upgrade(upgrade) => Step::Upgrade(upgrade),
            Event::Close { code, .. } => Step::End(End::Closed(code)),
            Event::Ping(payload) => Step::Control(Some(self.output.frame(Opcode::Pong, payload))),
            Event::Pong(_) => Step::Control(None),
            Event::Message { .. } if !line.takes_orders() => Step::Done,
            Event::Message { kind, payload } => {
                self.stats.messages_received_total.add(1);
                if self.config.echo {
                    self.echo(kind, payload)
                } else {
                    self.message(kind, payload, line)
                }
            }
        }
    }

    fn echo(&mut self, kind: Kind, payload: &[u8]) -> Step {
        let opcode = if kind == Kind::Text { Opcode::Text } else { Opcode::Binary };
        Step::Echo(self.output.frame(opcode, payload))
    }

    fn message(&mut self, kind: Kind, payload: &[u8], line: &mut Line) -> Step {
        let agreed = if line.encoding == MSGPACK { Kind::Binary } else { Kind::Text };
        if kind != agreed {
            let reason = "the other kind of data was agreed";
            return Step::End(End::Close(close::WRONG_KIND, reason));
        }
        match objects::recognise(line.encoding, payload) {
            Some(Known::Ping) => {
                let (encoding, head) = (line.encoding, line.position);
                let pong = |out: &mut Vec<u8>| {
                    objects::write_heartbeat(out, encoding, Known::Pong, 0, head);
                };
                Step::Control(Some(self.output.object(encoding, pong)))
            }
            Some(Known::Pong) => Step::Control(None),
            None => {
                let token = line.extra.as_ref().and_then(|extra| extra.token.as_deref());
                self.batch.push(self.conn, line.session, token, payload);
                if line.phase == Phase::Opening {
                    line.set(flag::ASKED);
                }
                Step::Done
            }
        }
    }

    /// The request is good: from here on it is a WebSocket.
    fn upgrade(&mut self, index: u32, upgrade: Upgrade, line: &mut Line) {
        self.stats.upgrades_total.add(1);
        line.encoding = upgrade.encoding.unwrap_or(JSON);
        let response = self.output.raw(&upgrade.response);
        self.output.queue_bare(index, line, response);
        if self.config.echo {
            line.phase = Phase::Connected;
            return;
        }
        line.phase = Phase::Opening;
        line.extra().token = upgrade.bearer;
    }
}

/// We are about to close; the rest of the read is of interest only if the peer did so as well.
fn closed_meanwhile(
    wire: &mut Connection,
    codec: &mut Codec,
    input: &mut Input<'_>,
    now_ms: u64,
) -> Option<End> {
    loop {
        match wire.next_event(codec, input, now_ms) {
            Ok(Some(Event::Close { code, .. })) => return Some(End::Closed(code)),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Counts what comes before `connected`: a stranger gets little of our memory.
fn over_opening_bytes(line: &mut Line, n: usize, allowed: usize) -> Option<End> {
    if line.phase != Phase::Opening {
        return None;
    }
    let extra = line.extra();
    extra.opening_bytes += n;
    let over = extra.opening_bytes > allowed;
    over.then_some(End::Close(close::NOT_CONNECTED, "too much was sent before connect"))
}

/// Counts pings in windows of ten seconds, so that a burst is no offence.
fn over_controls(line: &mut Line, tick: u32, per_second: u32) -> Option<End> {
    if tick.saturating_sub(line.control_since) >= CONTROL_WINDOW_TICKS {
        line.control_since = tick;
        line.controls = 0;
    }
    line.controls = line.controls.saturating_add(1);
    let over = per_second > 0 && u32::from(line.controls) > per_second.saturating_mul(10);
    over.then_some(End::Close(close::RATE_LIMITED, "too many pings"))
}
