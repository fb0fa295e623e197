//! Every bound of the protocol core, with its unit and the reason for its default.

/// Bytes of one message as it arrives (all its frames together, before inflating).
///
/// Raising it costs memory: a peer may hold this much of a message that it never finishes.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Frames of one message. The protocol never needs more than one; a proxy may split.
///
/// Raising it costs processor time: empty fragments carry 6 bytes each and no content.
pub const MAX_FRAGMENTS: u32 = 1_024;

/// Milliseconds from the first frame of a fragmented message to its last.
pub const FRAGMENTS_MS: u64 = 10_000;

/// Bytes of one message after inflating, checked while it inflates.
///
/// Four times [`MAX_MESSAGE`]: chat text compresses three- to fourfold, bombs a thousandfold.
pub const MAX_INFLATED: usize = 256 * 1024;

/// Milliseconds from the accepted socket to the last byte of the upgrade request.
pub const HANDSHAKE_MS: u64 = 10_000;

/// Bytes of the upgrade request: request line, headers and the empty line (431 beyond).
pub const REQUEST_BYTES: usize = 16 * 1024;

/// Bytes of the request line without its line end (414 beyond).
pub const REQUEST_LINE: usize = 8 * 1024;

/// Header lines of the upgrade request (431 beyond). Browsers send about 20.
pub const HEADERS: usize = 64;

/// Bytes of one step of inflating: the bound is checked after each.
pub const INFLATE_STEP: usize = 16 * 1024;

/// Deflate streams that one compressed message may consist of, each ended by a final block.
///
/// Compressors that end their only stream in this way make one; starting anew costs half a
/// microsecond, and a message of two-byte streams would cost 20 ms.
pub const STREAMS: u32 = 16;

/// Bytes of a control frame's payload (RFC 6455 section 5.5).
pub const CONTROL_PAYLOAD: usize = 125;

/// Bytes of a Close frame's reason: a control payload without the two bytes of the code.
pub const CLOSE_REASON: usize = CONTROL_PAYLOAD - 2;

/// The bounds that a deployment may set. Each field is explained at the constant of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// [`MAX_MESSAGE`], bytes.
    pub max_message: usize,
    /// [`MAX_FRAGMENTS`], frames.
    pub max_fragments: u32,
    /// [`FRAGMENTS_MS`], milliseconds.
    pub fragments_ms: u64,
    /// [`MAX_INFLATED`], bytes.
    pub max_inflated: usize,
    /// [`HANDSHAKE_MS`], milliseconds.
    pub handshake_ms: u64,
    /// [`REQUEST_BYTES`], bytes.
    pub request_bytes: usize,
    /// [`REQUEST_LINE`], bytes.
    pub request_line: usize,
    /// [`HEADERS`], lines.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message: MAX_MESSAGE,
            max_fragments: MAX_FRAGMENTS,
            fragments_ms: FRAGMENTS_MS,
            max_inflated: MAX_INFLATED,
            handshake_ms: HANDSHAKE_MS,
            request_bytes: REQUEST_BYTES,
            request_line: REQUEST_LINE,
            headers: HEADERS,
        }
    }
}
