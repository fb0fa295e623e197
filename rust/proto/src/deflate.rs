//! permessage-deflate (RFC 7692 section 7.2) without context takeover.
//!
//! Each message stands alone, so one inflater and at most seven deflaters serve a whole shard and
//! a connection holds none.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::ProtocolError;
use crate::limits::{INFLATE_STEP, STREAMS};

/// What a sync flush ends with; it is taken off each message (section 7.2.1).
const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];

/// [`FLUSH`] put back, and an empty last block: the stream ends after it exactly when the message
/// ended between two blocks, so a message that was cut is found.
const TAIL: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// Level 1 leaves a chat object a third larger, 6 makes it hardly smaller for a quarter more time.
const LEVEL: u32 = 3;

/// The windows that a deflater may have, as powers of two. zlib cannot do 8.
pub const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;

/// Inflates one message at a time. Its memory comes with the first compressed message.
#[derive(Debug, Default)]
pub struct Inflater {
    stream: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    /// Inflates the payload of a whole message; [`Self::output`] has the result.
    ///
    /// # Errors
    /// [`ProtocolError::InflatedTooBig`] as soon as more than `max` bytes came out,
    /// [`ProtocolError::BadDeflate`] when the data is wrong or cut.
    pub fn inflate(&mut self, payload: &[u8], max: usize) -> Result<(), ProtocolError> {
        self.out.clear();
        let stream = self.stream.get_or_insert_with(|| Decompress::new(false));
        let (mut rest, mut streams) = (payload, 0);
        // An empty payload is not what section 7.2.3.6 asks for, but harmless and seen in the wild.
        while !rest.is_empty() {
            streams += 1;
            if streams > STREAMS {
                return Err(ProtocolError::BadDeflate);
            }
            stream.reset(false);
            let (used, ended) = run(stream, rest, &mut self.out, max)?;
            rest = rest.get(used..).unwrap_or_default();
            if !ended {
                return match run(stream, &TAIL, &mut self.out, max)? {
                    (used, true) if used == TAIL.len() => Ok(()),
                    _ => Err(ProtocolError::BadDeflate),
                };
            }
            // Section 7.2.3.4: a block may be marked as the last one; another stream may follow.
        }
        Ok(())
    }

    /// The message inflated last.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        &self.out
    }
}

/// Feeds `input` until it is used up or the stream ends: `(bytes used, whether it ended)`.
fn run(
    stream: &mut Decompress,
    input: &[u8],
    out: &mut Vec<u8>,
    max: usize,
) -> Result<(usize, bool), ProtocolError> {
    let mut used = 0;
    loop {
        if out.len() == out.capacity() {
            out.reserve_exact(INFLATE_STEP.max(out.len()).min(max.saturating_add(1) - out.len()));
        }
        let rest = input.get(used..).unwrap_or_default();
        let (seen, written) = (stream.total_in(), out.len());
        let status = stream
            .decompress_vec(rest, out, FlushDecompress::None)
            .map_err(|_| ProtocolError::BadDeflate)?;
        let taken = usize::try_from(stream.total_in() - seen).unwrap_or(usize::MAX);
        used += taken;
        if out.len() > max {
            return Err(ProtocolError::InflatedTooBig);
        }
        if status == Status::StreamEnd {
            return Ok((used, true));
        }
        let full = out.len() == out.capacity();
        if used >= input.len() && !full {
            return Ok((used, false));
        }
        if taken == 0 && out.len() == written && !full {
            return Err(ProtocolError::BadDeflate);
        }
    }
}

/// Compresses one message at a time, one stream for each window size that a client asked for.
#[derive(Debug, Default)]
pub struct Deflater {
    streams: [Option<Compress>; 7],
}

impl Deflater {
    /// Appends the compressed payload of one message to `out`. The frame then needs RSV1.
    ///
    /// # Panics
    /// When `bits` is not in [`WINDOW_BITS`]: the caller compresses for a connection that did not
    /// negotiate it.
    pub fn compress(&mut self, bits: u8, payload: &[u8], out: &mut Vec<u8>) {
        assert!(WINDOW_BITS.contains(&bits), "window of {bits} bits was never negotiated");
        if payload.is_empty() {
            out.push(0); // section 7.2.3.6
            return;
        }
        let Some(slot) = self.streams.get_mut(usize::from(bits - WINDOW_BITS.start())) else {
            return;
        };
        let stream = slot.get_or_insert_with(|| {
            Compress::new_with_window_bits(Compression::new(LEVEL), false, bits)
        });
        stream.reset();
        out.reserve(payload.len() + payload.len() / 1_000 + 64);
        flush(stream, payload, out);
        debug_assert!(out.ends_with(&FLUSH), "a sync flush ends with an empty block");
        out.truncate(out.len() - FLUSH.len());
    }
}

/// Runs `payload` through the stream and flushes it to a byte boundary.
fn flush(stream: &mut Compress, mut payload: &[u8], out: &mut Vec<u8>) {
    loop {
        let seen = stream.total_in();
        let status = stream.compress_vec(payload, out, FlushCompress::Sync);
        debug_assert!(status.is_ok(), "deflate fails only when it is called wrongly");
        let taken = usize::try_from(stream.total_in() - seen).unwrap_or(usize::MAX);
        payload = payload.get(taken..).unwrap_or_default();
        if payload.is_empty() && out.len() < out.capacity() {
            return;
        }
        out.reserve(INFLATE_STEP);
    }
}
