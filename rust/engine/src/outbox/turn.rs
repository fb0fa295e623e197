//! The output of one turn: pieces of arenas, and each connection's queue of them.

use super::backlog::{Backlog, Bytes, Chunk, GATHER, write_some};
use crate::memory::cut;
use crate::timer::NONE;
use std::io::{self, Write};
use std::sync::Arc;

/// Arenas larger than this are given back to the allocator after the turn.
const KEEP: usize = 1024 * 1024;

/// A connection's queue of this turn: first and last node in [`Turn`].
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    head: u32,
    tail: u32,
    bytes: u32,
}

impl Queue {
    /// Nothing queued.
    pub const EMPTY: Self = Self { head: NONE, tail: NONE, bytes: 0 };

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Whether more than one piece goes out together.
    #[must_use]
    pub fn is_gathered(&self) -> bool {
        self.head != self.tail
    }

    /// Bytes queued.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }
}

/// A stretch of an arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Bytes.
    pub len: u32,
}

impl Span {
    /// From `start` to the present end of `bytes`.
    #[must_use]
    pub fn since(bytes: &[u8], start: usize) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { start: number(start), len: number(bytes.len().saturating_sub(start)) }
    }

    /// The bytes meant; empty if the span does not lie in the arena.
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// A piece of output that any number of queues may refer to.
#[derive(Debug)]
struct Piece {
    arena: u32,
    span: Span,
    /// Whether a WebSocket frame ends with this piece.
    ends_frame: bool,
    /// Made when the first of several slow readers has to keep the piece.
    kept: Option<Arc<[u8]>>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    piece: u32,
    next: u32,
}

/// The output of one turn of a shard. Arena 0 is the shard's own.
#[derive(Debug)]
pub struct Turn {
    arenas: Vec<Vec<u8>>,
    pieces: Vec<Piece>,
    nodes: Vec<Node>,
    scratch: Vec<u8>,
    /// Of the first submission in this turn, or of the next one where it has none.
    pub number: u64,
    /// The most pieces that a turn had.
    busiest: usize,
}

impl Default for Turn {
    fn default() -> Self {
        let arenas = vec![Vec::new()];
        Self {
            arenas,
            pieces: Vec::new(),
            nodes: Vec::new(),
            scratch: Vec::new(),
            busiest: 0,
            number: 0,
        }
    }
}

impl Turn {
    /// The shard's own arena, to append to.
    pub fn own(&mut self) -> &mut Vec<u8> {
        if self.arenas.is_empty() {
            self.arenas.push(Vec::new());
        }
        // The first arena exists from the line above on.
        self.arenas.first_mut().unwrap_or_else(|| unreachable!("arena 0 is never taken away"))
    }

    /// Takes over an arena that Python filled; its number for [`Turn::piece`].
    pub fn adopt(&mut self, arena: Vec<u8>) -> u32 {
        self.arenas.push(arena);
        u32::try_from(self.arenas.len() - 1).unwrap_or(NONE)
    }

    /// The bytes of an arena.
    #[must_use]
    pub fn arena(&self, arena: u32) -> &[u8] {
        self.arenas.get(arena as usize).map_or(&[], Vec::as_slice)
    }

    /// Registers a stretch of an arena for queueing.
    pub fn piece(&mut self, arena: u32, span: Span, ends_frame: bool) -> u32 {
        self.pieces.push(Piece { arena, span, ends_frame, kept: None });
        u32::try_from(self.pieces.len() - 1).unwrap_or(NONE)
    }

    /// Registers what was appended to the own arena since it was `start` bytes long: one frame.
    pub fn own_piece(&mut self, start: usize) -> u32 {
        let span = Span::since(self.own(), start);
        self.piece(0, span, true)
    }

    /// Puts a piece at the end of a connection's queue.
    pub fn push(&mut self, queue: &mut Queue, piece: u32) {
        let node = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        self.nodes.push(Node { piece, next: NONE });
        match self.nodes.get_mut(queue.tail as usize) {
            Some(last) if !queue.is_empty() => last.next = node,
            _ => queue.head = node,
        }
        queue.tail = node;
        let len = self.pieces.get(piece as usize).map_or(0, |piece| piece.span.len);
        queue.bytes = queue.bytes.saturating_add(len);
    }

    /// The bytes of a piece.
    #[must_use]
    pub fn bytes(&self, piece: u32) -> &[u8] {
        let piece = self.pieces.get(piece as usize);
        piece.map_or(&[], |piece| piece.span.of(self.arena(piece.arena)))
    }

    fn node(&self, node: u32) -> Option<Node> {
        self.nodes.get(node as usize).copied()
    }

    /// Writes a queue to `socket`, all in one write where it fits. Returns the bytes written and
    /// where the kernel stopped taking; `None`: everything went out.
    ///
    /// # Errors
    /// What the socket reports, other than that it would block.
    pub fn write(
        &mut self,
        queue: Queue,
        socket: &mut impl Write,
    ) -> io::Result<(usize, Option<Rest>)> {
        let mut at = Rest { node: queue.head, offset: 0, mid_frame: false };
        let mut written = 0;
        while let Some(first) = self.node(at.node) {
            let sent = if first.next == NONE {
                let bytes = self.bytes(first.piece).get(at.offset..).unwrap_or_default();
                write_some(socket, bytes)?
            } else {
                self.gather(at);
                write_some(socket, &self.scratch)?
            };
            written += sent;
            let stopped = self.advance(&mut at, sent);
            if stopped {
                return Ok((written, Some(at)));
            }
        }
        Ok((written, None))
    }

    fn gather(&mut self, at: Rest) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let (mut node, mut offset) = (at.node, at.offset);
        while let Some(Node { piece, next }) = self.node(node) {
            if scratch.len() >= GATHER {
                break;
            }
            scratch.extend_from_slice(self.bytes(piece).get(offset..).unwrap_or_default());
            (node, offset) = (next, 0);
        }
        self.scratch = scratch;
    }

    /// Moves `at` on by `sent` bytes; says whether the kernel stopped before the end of what it
    /// was offered (then it will report the socket writable).
    fn advance(&self, at: &mut Rest, mut sent: usize) -> bool {
        let mut offered = 0;
        while let Some(Node { piece, next }) = self.node(at.node) {
            let left = self.bytes(piece).len() - at.offset;
            if sent < left {
                at.mid_frame |= sent > 0;
                at.offset += sent;
                return offered < GATHER;
            }
            offered += left;
            sent -= left;
            let ends = self.pieces.get(piece as usize).is_some_and(|piece| piece.ends_frame);
            *at = Rest { node: next, offset: 0, mid_frame: !ends };
        }
        false
    }

    /// Moves what is left from `rest` on (all of a queue: [`Rest::all`]) into a backlog.
    pub fn keep(&mut self, rest: Rest, backlog: &mut Backlog) {
        if backlog.has_no_chunks() {
            backlog.begin(rest.mid_frame);
        }
        let (mut node, mut offset) = (rest.node, rest.offset);
        while let Some(Node { piece, next }) = self.node(node) {
            backlog.push(self.chunk(piece, offset));
            (node, offset) = (next, 0);
        }
    }

    fn chunk(&mut self, piece: u32, offset: usize) -> Chunk {
        let number = self.number;
        let shared = {
            let bytes = self.bytes(piece);
            if let Some(rest) = bytes.get(offset..).filter(|_| offset > 0 || bytes.len() < 512) {
                let ends_frame = self.ends_frame(piece);
                return Chunk { bytes: Bytes::Own(rest.into()), ends_frame, number };
            }
            // Several slow readers of one broadcast keep one copy between them.
            match self.pieces.get(piece as usize).and_then(|piece| piece.kept.clone()) {
                Some(kept) => kept,
                None => Arc::from(bytes),
            }
        };
        if let Some(piece) = self.pieces.get_mut(piece as usize) {
            piece.kept = Some(shared.clone());
        }
        Chunk { bytes: Bytes::Shared(shared), ends_frame: self.ends_frame(piece), number }
    }

    fn ends_frame(&self, piece: u32) -> bool {
        self.pieces.get(piece as usize).is_some_and(|piece| piece.ends_frame)
    }

    /// A buffer for [`Backlog::write`] to gather in.
    pub fn scratch(&mut self) -> &mut Vec<u8> {
        &mut self.scratch
    }

    /// Ends the turn: every queue has been flushed or kept. Adopted arenas go to `spent`.
    pub fn clear(&mut self, spent: &mut Vec<Vec<u8>>) {
        self.busiest = self.busiest.max(self.pieces.len());
        self.nodes.clear();
        self.pieces.clear();
        spent.extend(self.arenas.drain(1..));
        for arena in [&mut self.scratch].into_iter().chain(self.arenas.first_mut()) {
            arena.clear();
            arena.shrink_to(KEEP);
        }
    }
}

impl Turn {
    /// The most pieces that a turn had since this was asked for last.
    pub fn take_busiest(&mut self) -> usize {
        std::mem::take(&mut self.busiest)
    }

    /// Lets go of what large turns have made, between two turns. Returns the bytes.
    pub fn cut(&mut self) -> usize {
        let arenas: usize = self.arenas.iter_mut().map(cut).sum();
        arenas + cut(&mut self.scratch) + cut(&mut self.pieces) + cut(&mut self.nodes)
    }
}

/// A place in a queue from which on nothing has been written.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    node: u32,
    offset: usize,
    mid_frame: bool,
}

impl Rest {
    /// The whole queue.
    #[must_use]
    pub fn all(queue: Queue) -> Self {
        Self { node: queue.head, offset: 0, mid_frame: false }
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket::Socket;
    use super::*;

    fn given(frames: &[&[u8]]) -> (Turn, Queue) {
        let (mut turn, mut queue) = (Turn::default(), Queue::EMPTY);
        for frame in frames {
            let start = turn.own().len();
            turn.own().extend_from_slice(frame);
            let piece = turn.own_piece(start);
            turn.push(&mut queue, piece);
        }
        (turn, queue)
    }

    #[test]
    fn what_a_large_turn_has_made_is_let_go_of_when_it_is_asked_for() {
        let (mut turn, mut queue) = (Turn::default(), Queue::EMPTY);
        for _ in 0..1_000 {
            let start = turn.own().len();
            turn.own().extend_from_slice(&[0; 100]);
            let piece = turn.own_piece(start);
            turn.push(&mut queue, piece);
        }
        turn.clear(&mut Vec::new());
        assert_eq!((turn.take_busiest(), turn.take_busiest()), (1_000, 0));
        assert!(turn.cut() > 100_000);
        assert_eq!(turn.cut(), 0, "there is nothing more");
    }

    #[test]
    fn all_that_piled_up_goes_out_in_one_write() {
        let (mut turn, queue) = given(&[b"one", b"two", b"three"]);
        let mut socket = Socket { room: 100, ..Socket::default() };
        let (written, rest) = turn.write(queue, &mut socket).expect("no error");
        assert_eq!((written, socket.writes), (11, 1));
        assert!(rest.is_none());
        assert_eq!(socket.taken, b"onetwothree");
    }

    #[test]
    fn a_queue_knows_its_bytes() {
        assert_eq!(Queue::EMPTY.bytes(), 0);
        assert_eq!(given(&[b"one", b"two", b"three"]).1.bytes(), 11);
    }

    #[test]
    fn one_piece_serves_many_queues() {
        let (mut turn, mut first) = given(&[b"shared"]);
        let mut second = Queue::EMPTY;
        turn.push(&mut second, 0);
        turn.push(&mut first, 0);
        let mut socket = Socket { room: 100, ..Socket::default() };
        turn.write(first, &mut socket).expect("no error");
        turn.write(second, &mut socket).expect("no error");
        assert_eq!(socket.taken, b"sharedsharedshared");
    }

    #[test]
    fn whatever_the_kernel_takes_the_bytes_arrive_in_order() {
        let frames: [&[u8]; 4] = [b"alpha", &[b'x'; 600], b"gamma", b"delta"];
        let whole = frames.concat();
        for room in 0..=whole.len() {
            let (mut turn, queue) = given(&frames);
            let mut socket = Socket { room, ..Socket::default() };
            let (written, rest) = turn.write(queue, &mut socket).expect("no error");
            assert_eq!(written, room);
            let mut backlog = Backlog::default();
            if let Some(rest) = rest {
                turn.keep(rest, &mut backlog);
            }
            assert_eq!(backlog.bytes(), whole.len() - room);
            while !backlog.is_empty() {
                socket.room = 7;
                backlog.write(&mut socket, turn.scratch()).expect("no error");
            }
            assert_eq!(socket.taken, whole);
            assert_eq!(backlog.bytes(), 0);
        }
    }

    #[test]
    fn a_doomed_reader_gets_the_rest_of_the_begun_frame_and_no_other() {
        let frames: [&[u8]; 3] = [b"first", b"second", b"third"];
        for (room, left) in [(0, ""), (2, "rst"), (5, ""), (8, "ond"), (11, "")] {
            let (mut turn, queue) = given(&frames);
            let mut socket = Socket { room, ..Socket::default() };
            let (_, rest) = turn.write(queue, &mut socket).expect("no error");
            let mut backlog = Backlog::default();
            turn.keep(rest.expect("not all fits"), &mut backlog);
            backlog.drop_whole_frames();
            assert_eq!(backlog.bytes(), left.len(), "after {room} bytes");
            socket.room = 100;
            socket.taken.clear();
            backlog.write(&mut socket, turn.scratch()).expect("no error");
            assert_eq!(socket.taken, left.as_bytes());
        }
    }

    #[test]
    fn a_frame_in_two_pieces_is_dropped_or_finished_as_one() {
        let mut turn = Turn::default();
        turn.own().extend_from_slice(b"headtailnext");
        let mut queue = Queue::EMPTY;
        for (start, len, ends) in [(0, 4, false), (4, 4, true), (8, 4, true)] {
            let piece = turn.piece(0, Span { start, len }, ends);
            turn.push(&mut queue, piece);
        }
        for (room, left) in [(0, ""), (1, "eadtail"), (4, "tail"), (6, "il"), (8, ""), (9, "ext")] {
            let mut socket = Socket { room, ..Socket::default() };
            let (_, rest) = turn.write(queue, &mut socket).expect("no error");
            let mut backlog = Backlog::default();
            turn.keep(rest.expect("not all fits"), &mut backlog);
            backlog.drop_whole_frames();
            socket.room = 100;
            socket.taken.clear();
            backlog.write(&mut socket, turn.scratch()).expect("no error");
            assert_eq!(socket.taken, left.as_bytes(), "after {room} bytes");
        }
    }

    #[test]
    fn slow_readers_of_one_broadcast_share_one_copy() {
        let (mut turn, queue) = given(&[&[b'b'; 2_000]]);
        let (mut one, mut two) = (Backlog::default(), Backlog::default());
        turn.keep(Rest::all(queue), &mut one);
        turn.keep(Rest::all(queue), &mut two);
        let kept = turn.pieces[0].kept.as_ref().expect("kept");
        assert_eq!(Arc::strong_count(kept), 3);
    }
}
