//! The output of a turn: who has something to flush, and how a frame gets into a queue.

use crate::config::{Config, DEFLATE_FROM};
use crate::frames::{kind_of, payload_of, write_frame, write_header};
use crate::inbox::Class;
use crate::outbox::{Backlog, Rest, Span, Turn};
use crate::stats::Stats;
use crate::table::{Line, Slot, flag};
use hivewire_proto::Codec;
use hivewire_proto::frame::Opcode;
use std::collections::HashMap;

/// What is queued in this turn, and for whom.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) turn: Turn,
    /// Slots to flush at the end of the turn.
    pub(super) dirty: Vec<u32>,
    /// What was compressed in this turn, by piece and window bits. A map, because a piece that
    /// nobody shares stands in here as well.
    compressed: HashMap<(u32, u8), u32>,
    /// The last shared tail of each encoding: arena, span and piece.
    tails: [Option<(u32, Span, u32)>; 2],
    /// Where a message of ours is written before its header can be.
    object: Vec<u8>,
    /// Bytes in all backlogs of the shard.
    backlog_bytes: usize,
}

impl Output {
    /// Flushes slot `index` at the end of the turn.
    pub(super) fn mark(&mut self, index: u32, line: &mut Line) {
        if line.set(flag::DIRTY) {
            self.dirty.push(index);
        }
    }

    /// Queues one whole data frame, and its rest if it comes in two pieces. Says whether it was
    /// queued: what is volatile is dropped when too much waits already, in this turn's queue too.
    pub(super) fn queue(
        &mut self,
        to: (u32, &mut Slot),
        pieces: (u32, Option<u32>),
        class: Class,
        context: &mut Context<'_>,
    ) -> bool {
        let (index, slot) = to;
        if class == Class::Volatile && slot.line.waiting_bytes() > context.config.outbox_soft {
            context.stats.volatile_dropped_total.add(1);
            return false;
        }
        if class == Class::Durable {
            slot.line.set(flag::PUSHED);
        }
        let bits = slot.wire.deflate_bits();
        let pieces = match bits {
            0 => pieces,
            _ => (self.compress(pieces, bits, context), None),
        };
        self.turn.push(&mut slot.line.queue, pieces.0);
        if let Some(tail) = pieces.1 {
            self.turn.push(&mut slot.line.queue, tail);
        }
        context.stats.frames_queued_total.add(1);
        self.mark(index, &mut slot.line);
        true
    }

    /// A piece with the same message compressed, made once a turn for all that share it.
    fn compress(&mut self, pieces: (u32, Option<u32>), bits: u8, context: &mut Context<'_>) -> u32 {
        if let Some(&compressed) = self.compressed.get(&(pieces.0, bits)) {
            return compressed;
        }
        let mut frame = self.turn.bytes(pieces.0).to_vec();
        frame.extend(pieces.1.iter().flat_map(|&tail| self.turn.bytes(tail)));
        let payload = payload_of(&frame);
        let mut deflated = Vec::new();
        // An echo server is there to show its compression, small messages included.
        let always = context.config.echo;
        if always || payload.len() >= DEFLATE_FROM {
            context.codec.compress(bits, payload, &mut deflated);
        }
        let fits = !deflated.is_empty() && (always || deflated.len() < payload.len());
        let own = self.turn.own();
        let start = own.len();
        if fits {
            write_frame(own, kind_of(&frame), true, &deflated);
        } else {
            own.extend_from_slice(&frame);
        }
        let piece = self.turn.own_piece(start);
        self.compressed.insert((pieces.0, bits), piece);
        piece
    }

    /// A piece with a message of ours, in a whole frame.
    pub(super) fn object(&mut self, encoding: u8, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        self.object.clear();
        write(&mut self.object);
        let own = self.turn.own();
        let start = own.len();
        write_header(own, encoding, self.object.len());
        own.extend_from_slice(&self.object);
        self.turn.own_piece(start)
    }

    /// A piece with a control or data frame around `payload`.
    pub(super) fn frame(&mut self, opcode: Opcode, payload: &[u8]) -> u32 {
        let own = self.turn.own();
        let start = own.len();
        write_frame(own, opcode, false, payload);
        self.turn.own_piece(start)
    }

    /// A piece with bytes as they are: an HTTP response.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> u32 {
        let own = self.turn.own();
        let start = own.len();
        own.extend_from_slice(bytes);
        self.turn.own_piece(start)
    }

    /// A piece of an arena that Python submitted.
    pub(super) fn adopted(&mut self, arena: u32, span: Span, ends_frame: bool) -> u32 {
        self.turn.piece(arena, span, ends_frame)
    }

    /// The end of a frame that several recipients share: one piece for all that follow each other,
    /// so that slow readers among them keep one copy.
    pub(super) fn shared(&mut self, encoding: u8, arena: u32, span: Span) -> u32 {
        let last = self.tails.get(usize::from(encoding)).copied().flatten();
        if let Some((.., piece)) = last.filter(|last| (last.0, last.1) == (arena, span)) {
            return piece;
        }
        let piece = self.turn.piece(arena, span, true);
        if let Some(last) = self.tails.get_mut(usize::from(encoding)) {
            *last = Some((arena, span, piece));
        }
        piece
    }

    /// Queues a piece that is no data frame, whatever the state of the outbox.
    pub(super) fn queue_bare(&mut self, index: u32, line: &mut Line, piece: u32) {
        self.turn.push(&mut line.queue, piece);
        self.mark(index, line);
    }

    /// Moves what could not be written into the connection's backlog.
    pub(super) fn keep(&mut self, line: &mut Line, rest: Rest, tick: u32) {
        let backlog = line.backlog.get_or_insert_with(|| Box::new(Backlog::new(tick)));
        let before = backlog.bytes();
        self.turn.keep(rest, backlog);
        self.backlog_bytes += backlog.bytes() - before;
    }

    /// Puts what TLS has sealed for a connection in front of all that it has not sealed yet;
    /// `oldest` is the first submission that may be in it, this turn's if there is none.
    pub(super) fn keep_sealed(
        &mut self,
        line: &mut Line,
        bytes: &[u8],
        oldest: Option<u64>,
        tick: u32,
    ) {
        let backlog = line.backlog.get_or_insert_with(|| Box::new(Backlog::new(tick)));
        backlog.push_sealed(bytes, oldest.unwrap_or(self.turn.number));
        self.backlog_bytes += bytes.len();
    }

    /// Accounts for backlog bytes that have gone, by writing or dropping.
    pub(super) fn drained(&mut self, bytes: usize) {
        self.backlog_bytes = self.backlog_bytes.saturating_sub(bytes);
    }

    /// Drops a backlog with its connection.
    pub(super) fn forget_backlog(&mut self, line: &mut Line) {
        self.drained(line.backlog.take().map_or(0, |backlog| backlog.bytes()));
    }

    /// Bytes in all backlogs of the shard.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.backlog_bytes
    }

    /// Ends the turn.
    pub(super) fn clear(&mut self, spent: &mut Vec<Vec<u8>>) {
        self.compressed.clear();
        self.tails = [None; 2];
        self.turn.clear(spent);
    }
}

/// What queueing a frame needs besides the queue.
pub(super) struct Context<'s> {
    pub(super) config: &'s Config,
    pub(super) stats: &'s Stats,
    pub(super) codec: &'s mut Codec,
}
