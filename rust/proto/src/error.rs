//! What a peer can do wrong, and what it is told.
//!
//! [`Fault`] is always the peer's fault; a mistake of ours is an assertion, never one of these.

use std::fmt;

use crate::close;

/// The connection is over because of what the peer sent; nothing further is read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The upgrade request was refused: send `response` as it is, then close the TCP side.
    Http {
        /// A complete HTTP/1.1 response with `Connection: close`.
        response: Vec<u8>,
        /// Its status, 400 … 431.
        status: u16,
    },
    /// The WebSocket protocol was broken: send a Close frame with its code, then close.
    Ws(ProtocolError),
}

impl From<ProtocolError> for Fault {
    fn from(error: ProtocolError) -> Self {
        Self::Ws(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { status, .. } => write!(f, "upgrade refused with status {status}"),
            Self::Ws(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

/// A breach of RFC 6455 or RFC 7692, or of one of the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProtocolError {
    /// RSV2 or RSV3 is set, or RSV1 where no compressed message may begin (5.2; RFC 7692 6).
    ReservedBits,
    /// Opcodes 3–7 and 11–15 mean nothing (5.2).
    ReservedOpcode,
    /// A client must mask every frame (5.1).
    Unmasked,
    /// A server must not mask (5.1).
    Masked,
    /// A control frame came in fragments (5.5).
    FragmentedControl,
    /// A control frame announces more than 125 bytes (5.5).
    LongControl,
    /// The length is not written in the fewest bytes (5.2).
    NonMinimalLength,
    /// The most significant bit of a 64-bit length is set (5.2).
    LengthOverflow,
    /// A continuation frame, and no message is under way (5.4).
    ContinuationWithoutStart,
    /// A new data frame, and the message before is not complete (5.4).
    InterleavedMessage,
    /// A Close frame with one byte, or with a code that must not be sent (7.4).
    BadClose,
    /// Text, or the reason of a Close frame, is not UTF-8 (8.1).
    BadUtf8,
    /// A compressed message does not inflate (RFC 7692 7.2.2).
    BadDeflate,
    /// The message is longer than the limit allows.
    MessageTooBig,
    /// The message inflates to more than the limit allows.
    InflatedTooBig,
    /// The message has more fragments than the limit allows.
    TooManyFragments,
    /// The message was not complete in time.
    FragmentsTooSlow,
}

impl ProtocolError {
    /// The code for the Close frame that answers it: 1002, 1007 or 1009.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedBits
            | Self::ReservedOpcode
            | Self::Unmasked
            | Self::Masked
            | Self::FragmentedControl
            | Self::LongControl
            | Self::NonMinimalLength
            | Self::LengthOverflow
            | Self::ContinuationWithoutStart
            | Self::InterleavedMessage
            | Self::BadClose => close::PROTOCOL_ERROR,
            Self::BadUtf8 | Self::BadDeflate => close::BAD_DATA,
            Self::MessageTooBig
            | Self::InflatedTooBig
            | Self::TooManyFragments
            | Self::FragmentsTooSlow => close::TOO_BIG,
        }
    }

    /// One line for the Close frame's reason and for the log; never more than 123 bytes.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bits are set",
            Self::ReservedOpcode => "reserved opcode",
            Self::Unmasked => "client frames must be masked",
            Self::Masked => "server frames must not be masked",
            Self::FragmentedControl => "control frames must not be fragmented",
            Self::LongControl => "control frames carry at most 125 bytes",
            Self::NonMinimalLength => "length is not written in the fewest bytes",
            Self::LengthOverflow => "length exceeds 63 bits",
            Self::ContinuationWithoutStart => "continuation without a message",
            Self::InterleavedMessage => "new message inside a fragmented one",
            Self::BadClose => "bad close code or payload",
            Self::BadUtf8 => "text is not UTF-8",
            Self::BadDeflate => "compressed data does not inflate",
            Self::MessageTooBig => "message too big",
            Self::InflatedTooBig => "message inflates too big",
            Self::TooManyFragments => "too many fragments",
            Self::FragmentsTooSlow => "fragmented message not complete in time",
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for ProtocolError {}
