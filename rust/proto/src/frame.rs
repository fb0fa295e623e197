//! Frame headers (RFC 6455 section 5.2), both ways.

use crate::error::ProtocolError;
use crate::limits::CONTROL_PAYLOAD;

/// Which end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Accepts connections; its frames are not masked.
    Server,
    /// Opens connections; its frames are masked.
    Client,
}

impl Role {
    /// The other end.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}

/// The longest header: two bytes, a 64-bit length and a masking key.
pub const HEADER_BYTES: usize = 14;

/// In the place of a length: 16 bits of it follow.
const LEN_16: u8 = 0x7e;
/// In the place of a length: 64 bits of it follow.
const LEN_64: u8 = 0x7f;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next frame of a message begun before.
    Continuation = 0,
    /// The first frame of a text message.
    Text = 1,
    /// The first frame of a binary message.
    Binary = 2,
    /// The end of the connection, with a code and a reason.
    Close = 8,
    /// To be answered with a pong of the same payload.
    Ping = 9,
    /// The answer to a ping, or a sign of life nobody asked for.
    Pong = 10,
}

impl Opcode {
    /// The opcode with this number.
    ///
    /// # Errors
    /// [`ProtocolError::ReservedOpcode`].
    #[inline]
    pub const fn new(number: u8) -> Result<Self, ProtocolError> {
        Ok(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return Err(ProtocolError::ReservedOpcode),
        })
    }

    /// Close, Ping and Pong: short, whole, and allowed between the frames of a message.
    #[inline]
    #[must_use]
    pub const fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// A valid frame header. What depends on the connection (order of frames, limits, whether RSV1
/// was negotiated) is judged when the frame is put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1: the message is compressed (RFC 7692). Never set on a control frame.
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; present exactly on frames of a client.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload, below 2^63.
    pub len: u64,
}

/// What the beginning of a frame says so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The header and its own length in bytes.
    Header(FrameHeader, usize),
    /// Nothing is wrong so far; the header needs this many bytes in all, at least.
    Needs(usize),
}

/// Reads the header at the beginning of `bytes`. `from` is who sent it.
///
/// Rules are checked in the order of the bytes, each as soon as its byte is there, so that a
/// header in pieces fails in the same way as one in a single piece.
///
/// # Errors
/// The breach of section 5.2 or 5.5, as a [`ProtocolError`].
#[inline]
pub fn parse(bytes: &[u8], from: Role) -> Result<Parsed, ProtocolError> {
    let Some(&first) = bytes.first() else { return Ok(Parsed::Needs(2)) };
    let (fin, rsv1) = (first & 0x80 != 0, first & 0x40 != 0);
    let opcode = parse_first(first)?;
    let Some(&second) = bytes.get(1) else { return Ok(Parsed::Needs(2)) };
    let masked = second & 0x80 != 0;
    match (from, masked) {
        (Role::Client, false) => return Err(ProtocolError::Unmasked),
        (Role::Server, true) => return Err(ProtocolError::Masked),
        _ => {}
    }
    let short = second & 0x7f;
    if opcode.is_control() && usize::from(short) > CONTROL_PAYLOAD {
        return Err(ProtocolError::LongControl);
    }
    let (len, used) = match parse_length(bytes, short)? {
        Ok(found) => found,
        Err(needs) => return Ok(Parsed::Needs(needs)),
    };
    let header = |mask| FrameHeader { fin, rsv1, opcode, mask, len };
    if !masked {
        return Ok(Parsed::Header(header(None), used));
    }
    Ok(match bytes.get(used..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(key) => Parsed::Header(header(Some(*key)), used + 4),
        None => Parsed::Needs(used + 4),
    })
}

/// The rules of the first byte.
#[inline]
fn parse_first(first: u8) -> Result<Opcode, ProtocolError> {
    if first & 0x30 != 0 {
        return Err(ProtocolError::ReservedBits);
    }
    let opcode = Opcode::new(first & 0x0f)?;
    if opcode.is_control() {
        if first & 0x40 != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        if first & 0x80 == 0 {
            return Err(ProtocolError::FragmentedControl);
        }
    }
    Ok(opcode)
}

/// `Ok((length, bytes of the header up to the key))`, or `Err` with how many bytes it takes.
#[inline]
fn parse_length(bytes: &[u8], short: u8) -> Result<Result<(u64, usize), usize>, ProtocolError> {
    let after = bytes.get(2..).unwrap_or_default();
    match short {
        LEN_16 => {
            let Some(raw) = after.first_chunk::<2>() else { return Ok(Err(4)) };
            let len = u64::from(u16::from_be_bytes(*raw));
            if len < 126 { Err(ProtocolError::NonMinimalLength) } else { Ok(Ok((len, 4))) }
        }
        LEN_64 => {
            let Some(raw) = after.first_chunk::<8>() else { return Ok(Err(10)) };
            let len = u64::from_be_bytes(*raw);
            match len {
                0..=0xffff => Err(ProtocolError::NonMinimalLength),
                len if len >> 63 != 0 => Err(ProtocolError::LengthOverflow),
                len => Ok(Ok((len, 10))),
            }
        }
        short => Ok(Ok((u64::from(short), 2))),
    }
}

/// Writes a header for a payload of `len` bytes into the front of `buf` and returns how many
/// bytes it took (2 … 14).
#[inline]
#[must_use]
pub fn encode_header(
    buf: &mut [u8; HEADER_BYTES],
    opcode: Opcode,
    fin: bool,
    rsv1: bool,
    len: usize,
    mask: Option<[u8; 4]>,
) -> usize {
    buf[0] = u8::from(fin) << 7 | u8::from(rsv1) << 6 | opcode as u8;
    let masked = u8::from(mask.is_some()) << 7;
    let used = if let Ok(short @ 0..=125) = u8::try_from(len) {
        buf[1] = masked | short;
        2
    } else if let Ok(medium) = u16::try_from(len) {
        buf[1] = masked | LEN_16;
        [buf[2], buf[3]] = medium.to_be_bytes();
        4
    } else {
        buf[1] = masked | LEN_64;
        let long = (len as u64).to_be_bytes();
        [buf[2], buf[3], buf[4], buf[5], buf[6], buf[7], buf[8], buf[9]] = long;
        10
    };
    let Some(key) = mask else { return used };
    if let Some(slot) = buf.get_mut(used..used + 4) {
        slot.copy_from_slice(&key);
    }
    used + 4
}
