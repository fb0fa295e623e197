//! Frames that we write: whole and never masked, so their headers have three lengths.

use crate::config::MSGPACK;
use hivewire_proto::frame::{self, Opcode};

/// Appends the header of a whole data frame, text for JSON and binary for `MessagePack`.
pub(crate) fn write_header(arena: &mut Vec<u8>, encoding: u8, len: usize) {
    let opcode = if encoding == MSGPACK { Opcode::Binary } else { Opcode::Text };
    let mut header = [0; 14];
    let used = frame::encode_header(&mut header, opcode, true, false, len, None);
    arena.extend_from_slice(header.get(..used).unwrap_or_default());
}

/// Room in front of a payload that any header of ours fits into.
pub(crate) const HEADER_ROOM: usize = 10;

/// Writes the header of a data frame into the [`HEADER_ROOM`] in front of its payload, which
/// begins at `payload` and will be `len` bytes long. Returns where the frame begins.
pub(crate) fn write_header_before(
    arena: &mut [u8],
    payload: usize,
    encoding: u8,
    len: usize,
) -> usize {
    let opcode = if encoding == MSGPACK { Opcode::Binary } else { Opcode::Text };
    let mut header = [0; 14];
    let used = frame::encode_header(&mut header, opcode, true, false, len, None);
    let start = payload - used;
    let room = arena.get_mut(start..payload).into_iter().flatten();
    room.zip(header).for_each(|(place, byte)| *place = byte);
    start
}

/// Appends a whole frame; `deflated` sets RSV1 (RFC 7692 section 6).
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: Opcode, deflated: bool, payload: &[u8]) {
    let mut header = [0; 14];
    let used = frame::encode_header(&mut header, opcode, true, deflated, payload.len(), None);
    out.extend_from_slice(header.get(..used).unwrap_or_default());
    out.extend_from_slice(payload);
}

/// Text or binary, from the first byte of a whole frame that we wrote.
pub(crate) fn kind_of(frame: &[u8]) -> Opcode {
    let binary = frame.first().is_some_and(|first| first & 0x0f == 0x2);
    if binary { Opcode::Binary } else { Opcode::Text }
}

/// The payload of a whole frame that we wrote: unmasked, so the header has three lengths.
pub(crate) fn payload_of(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(127) => 10,
        Some(126) => 4,
        _ => 2,
    };
    frame.get(header..).unwrap_or_default()
}
