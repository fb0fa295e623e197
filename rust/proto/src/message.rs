//! A message that arrives in pieces, and the content of a message that is whole
//! (RFC 6455 section 5.4, RFC 7692 section 6).

use crate::codec::Codec;
use crate::error::ProtocolError;
use crate::found::{Found, Kind, Place};
use crate::frame::{FrameHeader, Opcode};
use crate::input::Input;
use crate::limits::Limits;
use crate::utf8::{self, Utf8};

/// A message whose last frame has not come or is not complete.
#[derive(Debug)]
pub(crate) struct BegunMessage {
    kind: Kind,
    compressed: bool,
    frames: u32,
    /// Its first frame was not its last, so it has a deadline.
    fragmented: bool,
    since: u64,
    /// Grows as bytes arrive, never to what a header announces (I8).
    payload: Vec<u8>,
    utf8: Utf8,
}

impl BegunMessage {
    /// A message that begins with this frame.
    pub(crate) const fn new(first: FrameHeader, now: u64) -> Self {
        Self {
            kind: kind_of(first.opcode),
            compressed: first.rsv1,
            frames: 0,
            fragmented: !first.fin,
            since: now,
            payload: Vec::new(),
            utf8: Utf8::NEW,
        }
    }

    /// When it has to be complete; none for a message in a single frame.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<u64> {
        self.fragmented.then(|| self.since.saturating_add(limits.fragments_ms))
    }

    /// Whether one more frame may come at `now`; returns the bytes that came so far.
    pub(crate) fn admit(&self, limits: &Limits, now: u64) -> Result<usize, ProtocolError> {
        if self.frames >= limits.max_fragments {
            return Err(ProtocolError::TooManyFragments);
        }
        if now >= self.since.saturating_add(limits.fragments_ms) {
            return Err(ProtocolError::FragmentsTooSlow);
        }
        Ok(self.payload.len())
    }

    pub(crate) const fn count_frame(&mut self) {
        self.frames += 1;
    }

    /// Adds a piece of payload, unmasked.
    pub(crate) fn take(&mut self, piece: &[u8]) -> Result<(), ProtocolError> {
        if self.kind == Kind::Text && !self.compressed {
            self.utf8.feed(piece)?;
        }
        self.payload.extend_from_slice(piece);
        Ok(())
    }

    /// The last frame is complete: the content goes to the codec, to be lent.
    pub(crate) fn finish(
        self,
        codec: &mut Codec,
        input: &Input<'_>,
    ) -> Result<Found, ProtocolError> {
        if !self.utf8.is_complete() {
            return Err(ProtocolError::BadUtf8);
        }
        codec.assembled = self.payload;
        if self.compressed {
            return inflate(self.kind, Place::Assembled, codec, input);
        }
        Ok(Found::Message(self.kind, Place::Assembled))
    }
}

/// Inflates a whole message that lies at `place`, and checks it when it is text.
pub(crate) fn inflate(
    kind: Kind,
    place: Place,
    codec: &mut Codec,
    input: &Input<'_>,
) -> Result<Found, ProtocolError> {
    let max = codec.config().limits.max_inflated;
    let payload = match place {
        Place::Input(range) => input.slice(range),
        Place::Assembled | Place::Inflated => &codec.assembled,
    };
    codec.inflater.inflate(payload, max)?;
    if kind == Kind::Text {
        utf8::check(codec.inflater.output())?;
    }
    Ok(Found::Message(kind, Place::Inflated))
}

/// What a message that begins with this opcode carries.
pub(crate) const fn kind_of(opcode: Opcode) -> Kind {
    if matches!(opcode, Opcode::Text) { Kind::Text } else { Kind::Binary }
}
