//! What the kernel did not take of a connection's output, until the socket becomes writable.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

/// Bytes that one gathered write holds at most; more goes out in further writes.
pub(super) const GATHER: usize = 256 * 1024;

/// What the kernel did not take yet, in order. Exists only while the socket is full.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Bytes as they go on the line, before all chunks: records of TLS that have been sealed.
    sealed: Vec<u8>,
    /// Number of the oldest submission of which something may be in `sealed`.
    sealed_from: u64,
    chunks: VecDeque<Chunk>,
    offset: usize,
    bytes: usize,
    /// Whether the first byte that is left continues a frame that has been begun.
    mid_frame: bool,
    /// Tick of the last progress.
    pub since: u32,
}

impl Backlog {
    /// Nothing waits yet; the clock of a stalled reader starts at tick `since`.
    #[must_use]
    pub fn new(since: u32) -> Self {
        Self { since, ..Self::default() }
    }

    /// Bytes left.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.sealed.is_empty()
    }

    /// Whether no frame is left; what is left is sealed already.
    pub(super) fn has_no_chunks(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Number of the oldest submission of which something may be left; `None`: nothing is.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        if self.sealed.is_empty() {
            return self.chunks.front().map(|chunk| chunk.number);
        }
        Some(self.sealed_from)
    }

    /// Adds what TLS has sealed, of submission `number` or later. It goes out as it is, before
    /// everything that is still plain.
    pub fn push_sealed(&mut self, bytes: &[u8], number: u64) {
        self.bytes += bytes.len();
        if self.sealed.is_empty() {
            self.sealed_from = number;
        }
        self.sealed.extend_from_slice(bytes);
    }

    /// Writes the sealed bytes to the bare socket. Returns how many went out.
    ///
    /// # Errors
    /// What the socket reports, other than that it would block.
    pub fn write_sealed(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        if self.sealed.is_empty() {
            return Ok(0);
        }
        let sent = write_some(socket, &self.sealed)?;
        self.sealed.drain(..sent);
        self.bytes -= sent;
        Ok(sent)
    }

    /// Drops all that is not sealed.
    pub fn drop_chunks(&mut self) {
        self.chunks.clear();
        self.offset = 0;
        self.bytes = self.sealed.len();
    }

    /// Whether nothing is sealed that has not gone out.
    #[must_use]
    pub fn is_unsealed(&self) -> bool {
        self.sealed.is_empty()
    }

    /// Says of an empty backlog whether its first byte will continue a frame that has been begun.
    pub(super) fn begin(&mut self, mid_frame: bool) {
        self.mid_frame = mid_frame;
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.as_slice().len();
        self.chunks.push_back(chunk);
    }

    /// Writes as much as `socket` takes, gathered in `scratch`. Returns the bytes written.
    ///
    /// # Errors
    /// What the socket reports, other than that it would block.
    pub fn write(&mut self, socket: &mut impl Write, scratch: &mut Vec<u8>) -> io::Result<usize> {
        let mut written = 0;
        while !self.chunks.is_empty() {
            let gathered = &mut *scratch;
            gathered.clear();
            let mut offset = self.offset;
            for chunk in &self.chunks {
                gathered.extend_from_slice(chunk.as_slice().get(offset..).unwrap_or_default());
                offset = 0;
                if gathered.len() >= GATHER {
                    break;
                }
            }
            let sent = write_some(socket, gathered)?;
            let offered = gathered.len();
            self.consume(sent);
            written += sent;
            if sent < offered {
                break;
            }
        }
        Ok(written)
    }

    fn consume(&mut self, mut sent: usize) {
        self.bytes -= sent;
        while let Some(chunk) = self.chunks.front() {
            let left = chunk.as_slice().len() - self.offset;
            if sent < left {
                self.offset += sent;
                self.mid_frame |= sent > 0;
                return;
            }
            sent -= left;
            self.offset = 0;
            self.mid_frame = !chunk.ends_frame;
            self.chunks.pop_front();
        }
    }

    /// Drops every frame that has not been begun: a doomed reader is sent nothing more, but its
    /// stream must stay a stream of whole frames, so that the Close can be read.
    pub fn drop_whole_frames(&mut self) {
        let mut keep = 0;
        if self.mid_frame || self.offset > 0 {
            let end = self.chunks.iter().position(|chunk| chunk.ends_frame);
            keep = end.map_or(self.chunks.len(), |end| end + 1);
        }
        self.chunks.truncate(keep);
        let left: usize = self.chunks.iter().map(|chunk| chunk.as_slice().len()).sum();
        self.bytes = left - self.offset + self.sealed.len();
    }
}

/// Bytes of one slow reader, or one copy for all slow readers of a broadcast.
#[derive(Debug)]
pub(super) enum Bytes {
    Own(Box<[u8]>),
    Shared(Arc<[u8]>),
}

/// A stretch of output that is kept.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    /// Whether a WebSocket frame ends with it.
    pub(super) ends_frame: bool,
    /// Of the first submission in the turn that left it over.
    pub(super) number: u64,
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Own(bytes) => bytes,
            Bytes::Shared(bytes) => bytes,
        }
    }
}

/// One write; 0 when the socket would block.
pub(crate) fn write_some(socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match socket.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::socket::Socket;
    use super::*;

    fn given(pieces: &[(&str, bool)]) -> Backlog {
        let mut backlog = Backlog::new(0);
        for &(text, ends_frame) in pieces {
            let bytes = Bytes::Own(text.as_bytes().into());
            let number = u64::try_from(backlog.chunks.len()).expect("few") + 1;
            backlog.push(Chunk { bytes, ends_frame, number });
        }
        backlog
    }

    fn writes(backlog: &mut Backlog, room: usize) -> String {
        let mut socket = Socket { room, ..Socket::default() };
        backlog.write(&mut socket, &mut Vec::new()).expect("no error");
        String::from_utf8(socket.taken).expect("ASCII")
    }

    #[test]
    fn what_is_left_goes_out_in_order_and_is_counted() {
        let mut backlog = given(&[("first", true), ("second", true)]);
        assert_eq!((backlog.bytes(), writes(&mut backlog, 7)), (11, "firstse".to_owned()));
        assert_eq!((backlog.bytes(), writes(&mut backlog, 0)), (4, String::new()));
        assert_eq!((backlog.bytes(), writes(&mut backlog, 100)), (4, "cond".to_owned()));
        assert!(backlog.is_empty());
    }

    #[test]
    fn its_oldest_submission_is_the_one_that_the_kernel_has_not_wholly_taken() {
        let mut backlog = given(&[("first", true), ("second", true)]);
        assert_eq!(backlog.oldest(), Some(1));
        writes(&mut backlog, 4);
        assert_eq!(backlog.oldest(), Some(1));
        writes(&mut backlog, 1);
        assert_eq!(backlog.oldest(), Some(2));
        backlog.push_sealed(b"record", 1);
        backlog.push_sealed(b"record", 2);
        assert_eq!(backlog.oldest(), Some(1), "what is sealed goes first");
        let mut socket = Socket { room: 100, ..Socket::default() };
        backlog.write_sealed(&mut socket).expect("no error");
        writes(&mut backlog, 100);
        assert_eq!(backlog.oldest(), None);
    }

    #[test]
    fn what_has_not_been_begun_can_be_dropped_and_the_begun_frame_is_finished() {
        let pieces = [("head", false), ("tail", true), ("next", true)];
        for (room, left) in [(0, ""), (1, "eadtail"), (4, "tail"), (6, "il"), (8, ""), (9, "ext")] {
            let mut backlog = given(&pieces);
            writes(&mut backlog, room);
            backlog.drop_whole_frames();
            assert_eq!(backlog.bytes(), left.len(), "after {room} bytes");
            assert_eq!(writes(&mut backlog, 100), left);
        }
        let mut backlog = given(&[("rest", true), ("next", true)]);
        backlog.begin(true);
        backlog.drop_whole_frames();
        assert_eq!(writes(&mut backlog, 100), "rest", "begun before it became a backlog");
    }
}
