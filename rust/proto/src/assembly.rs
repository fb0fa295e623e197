//! From frames to messages (RFC 6455 sections 5.4 to 6.2), and what a connection holds between
//! two reads: a begun header, a begun frame, a begun message.

use std::ops::Range;

use crate::close_frame;
use crate::codec::Codec;
use crate::error::ProtocolError;
use crate::found::{Found, Kind, Place};
use crate::frame::Role;
use crate::frame::{self, FrameHeader, HEADER_BYTES, Opcode, Parsed};
use crate::input::Input;
use crate::limits::Limits;
use crate::mask;
use crate::message::{BegunMessage, inflate, kind_of};
use crate::state::{Action, Signal, State};
use crate::utf8;

/// A connection after its handshake: what was agreed, and where it stands.
#[derive(Debug)]
pub(crate) struct Mode {
    pub(crate) state: State,
    us: Role,
    /// The window to compress with, 0 for none.
    pub(crate) deflate_bits: u8,
}

/// Reads the frames of a connection. It borrows the two parts of [`Mode`] and [`Begun`] so that
/// they can lie in two words at rest.
#[derive(Debug)]
pub(crate) struct Frames<'c> {
    mode: &'c mut Mode,
    /// Exists only inside a frame or a message (I10).
    begun: &'c mut Option<Box<Begun>>,
}

/// What has begun and is not complete.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    header: HeaderBytes,
    frame: Option<BegunFrame>,
    message: Option<BegunMessage>,
}

/// The first bytes of a frame header.
#[derive(Debug, Default)]
struct HeaderBytes {
    bytes: [u8; HEADER_BYTES],
    len: usize,
}

/// A frame whose payload is under way.
#[derive(Debug)]
struct BegunFrame {
    header: FrameHeader,
    received: u64,
    /// The payload so far, of a control frame only.
    control: Vec<u8>,
}

impl Mode {
    pub(crate) const fn new(us: Role, deflate_bits: u8) -> Self {
        Self { state: State::Open, us, deflate_bits }
    }
}

impl Begun {
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<u64> {
        self.message.as_ref()?.deadline(limits)
    }
}

impl<'c> Frames<'c> {
    pub(crate) const fn of(mode: &'c mut Mode, begun: &'c mut Option<Box<Begun>>) -> Self {
        Self { mode, begun }
    }

    /// Goes to `state`. A message under way is let go with its buffer when no longer wanted.
    pub(crate) fn enter(&mut self, state: State) {
        self.mode.state = state;
        if state != State::Open
            && let Some(begun) = &mut self.begun
        {
            begun.message = None;
        }
    }

    /// Reads frames until one of them makes an event or the input is used up.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        codec: &mut Codec,
        input: &mut Input<'_>,
        now: u64,
    ) -> Result<Option<Found>, ProtocolError> {
        while !input.remaining().is_empty() {
            let resumes = self.begun.as_ref().is_some_and(|begun| begun.frame.is_some());
            let found = if resumes {
                self.read_payload(codec, input)?
            } else if let Some(header) = self.read_header(input)? {
                self.begin_frame(header, codec, input, now)?
            } else {
                None
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The next header, from the input itself or with the pieces that came before.
    #[inline]
    fn read_header(&mut self, input: &mut Input<'_>) -> Result<Option<FrameHeader>, ProtocolError> {
        let peer = self.mode.us.peer();
        if let Some(begun) = self.begun.as_mut()
            && begun.header.len > 0
        {
            let header = begun.header.complete(input, peer)?;
            if header.is_some() && begun.message.is_none() {
                *self.begun = None;
            }
            return Ok(header);
        }
        match frame::parse(input.remaining(), peer)? {
            Parsed::Header(header, used) => {
                input.take(used);
                Ok(Some(header))
            }
            Parsed::Needs(_) => {
                let piece = input.take(HEADER_BYTES);
                self.begun.get_or_insert_default().header.push(input.slice(piece));
                Ok(None)
            }
        }
    }

    /// A frame whose header is complete: judged, then taken whole or begun.
    #[inline]
    fn begin_frame(
        &mut self,
        header: FrameHeader,
        codec: &mut Codec,
        input: &mut Input<'_>,
        now: u64,
    ) -> Result<Option<Found>, ProtocolError> {
        let data = !header.opcode.is_control();
        if data && self.mode.state == State::Open {
            self.admit(header, &codec.config().limits, now)?;
        }
        let whole = usize::try_from(header.len).is_ok_and(|len| len <= input.remaining().len());
        if whole && data && header.fin && self.begun.is_none() {
            return self.whole_message(header, codec, input);
        }
        if whole && !data {
            let place = Place::Input(take_payload(header, 0, input));
            return control(self.mode.state, header.opcode, place, codec, input);
        }
        let begun = self.begun.get_or_insert_default();
        if data && self.mode.state == State::Open {
            begun.message.get_or_insert_with(|| BegunMessage::new(header, now)).count_frame();
        }
        begun.frame = Some(BegunFrame { header, received: 0, control: Vec::new() });
        self.read_payload(codec, input)
    }

    /// The order of frames (section 5.4) and the limits: all that a header alone can break.
    #[inline]
    fn admit(&self, header: FrameHeader, limits: &Limits, now: u64) -> Result<(), ProtocolError> {
        let continues = header.opcode == Opcode::Continuation;
        if header.rsv1 && (self.mode.deflate_bits == 0 || continues) {
            return Err(ProtocolError::ReservedBits);
        }
        let message = self.begun.as_ref().and_then(|begun| begun.message.as_ref());
        let before = match (message, continues) {
            (None, true) => return Err(ProtocolError::ContinuationWithoutStart),
            (Some(_), false) => return Err(ProtocolError::InterleavedMessage),
            (None, false) => 0,
            (Some(message), true) => message.admit(limits, now)?,
        };
        if header.len > limits.max_message.saturating_sub(before) as u64 {
            return Err(ProtocolError::MessageTooBig);
        }
        Ok(())
    }

    /// A message in one frame that lies in the input whole: nothing is copied.
    #[inline]
    fn whole_message(
        &self,
        header: FrameHeader,
        codec: &mut Codec,
        input: &mut Input<'_>,
    ) -> Result<Option<Found>, ProtocolError> {
        let range = take_payload(header, 0, input);
        if self.mode.state.on(Signal::Data).1 == Action::Ignore {
            return Ok(None);
        }
        let kind = kind_of(header.opcode);
        if header.rsv1 {
            return inflate(kind, Place::Input(range), codec, input).map(Some);
        }
        if kind == Kind::Text {
            utf8::check(input.slice(range.clone()))?;
        }
        Ok(Some(Found::Message(kind, Place::Input(range))))
    }

    /// Takes what the input has of the frame under way.
    fn read_payload(
        &mut self,
        codec: &mut Codec,
        input: &mut Input<'_>,
    ) -> Result<Option<Found>, ProtocolError> {
        let Some(begun) = self.begun.as_mut() else { return Ok(None) };
        let Some(frame) = &mut begun.frame else { return Ok(None) };
        let header = frame.header;
        let range = take_payload(header, frame.received, input);
        frame.received += range.len() as u64;
        if header.opcode.is_control() {
            frame.control.extend_from_slice(input.slice(range));
        } else if let Some(message) = &mut begun.message {
            message.take(input.slice(range))?;
        }
        if frame.received < header.len {
            return Ok(None);
        }
        self.end_frame(codec, input)
    }

    /// The last byte of a frame is here.
    fn end_frame(
        &mut self,
        codec: &mut Codec,
        input: &Input<'_>,
    ) -> Result<Option<Found>, ProtocolError> {
        let Some(begun) = self.begun.as_mut() else { return Ok(None) };
        let Some(frame) = begun.frame.take() else { return Ok(None) };
        let header = frame.header;
        let message =
            if header.fin && !header.opcode.is_control() { begun.message.take() } else { None };
        if begun.message.is_none() {
            *self.begun = None;
        }
        if header.opcode.is_control() {
            codec.assembled = frame.control;
            return control(self.mode.state, header.opcode, Place::Assembled, codec, input);
        }
        message.map(|message| message.finish(codec, input)).transpose()
    }
}

/// Close, Ping or Pong, its payload at `place`.
fn control(
    state: State,
    opcode: Opcode,
    place: Place,
    codec: &Codec,
    input: &Input<'_>,
) -> Result<Option<Found>, ProtocolError> {
    let (signal, found) = match opcode {
        Opcode::Close => {
            close_frame::parse_body(place.clone().bytes(codec, input))?;
            (Signal::PeerClose, Found::Close(place))
        }
        Opcode::Ping => (Signal::Control, Found::Ping(place)),
        _ => (Signal::Control, Found::Pong(place)),
    };
    Ok((state.on(signal).1 == Action::Deliver).then_some(found))
}

impl HeaderBytes {
    fn push(&mut self, piece: &[u8]) {
        let end = self.len + piece.len();
        if let Some(slots) = self.bytes.get_mut(self.len..end) {
            slots.copy_from_slice(piece);
            self.len = end;
        }
    }

    /// Takes the bytes that are missing, and none of the payload.
    fn complete(
        &mut self,
        input: &mut Input<'_>,
        from: Role,
    ) -> Result<Option<FrameHeader>, ProtocolError> {
        loop {
            match frame::parse(self.bytes.get(..self.len).unwrap_or_default(), from)? {
                Parsed::Header(header, _) => {
                    self.len = 0;
                    return Ok(Some(header));
                }
                Parsed::Needs(needs) => {
                    let piece = input.take(needs - self.len);
                    if piece.is_empty() {
                        return Ok(None);
                    }
                    self.push(input.slice(piece));
                }
            }
        }
    }
}

/// Takes what the input has of a payload, of which `received` bytes came before, and unmasks it.
#[inline]
fn take_payload(header: FrameHeader, received: u64, input: &mut Input<'_>) -> Range<usize> {
    let left = header.len.saturating_sub(received);
    let range = input.take(usize::try_from(left).unwrap_or(usize::MAX));
    if let Some(key) = header.mask {
        // The key repeats every four bytes, so the offset's lowest bits are all that counts.
        mask::apply(key, (received & 3) as usize, input.slice_mut(range.clone()));
    }
    range
}
