//! Just enough of RFC 6455: answer an upgrade, unmask frames in place, write a header.

use crate::sha1::accept_key;

/// Room in front of a payload for the longest server header used here.
pub const HEADER: usize = 4;

/// A request that is complete: the number in its path (`/17` or `/floor/17`), if any, and the
/// response. `None` until the empty line has come.
pub fn upgrade(request: &[u8]) -> Option<(Option<usize>, Vec<u8>)> {
    if !request.ends_with(b"\r\n\r\n") {
        return None;
    }
    let text = str::from_utf8(request).ok()?;
    let path = text.split(' ').nth(1)?;
    let number = path.rsplit('/').next().and_then(|word| word.parse().ok());
    let mut key = [b'A'; 24];
    let mut protocol = None;
    for line in text.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("sec-websocket-key") && value.trim().len() == 24 {
            key.copy_from_slice(value.trim().as_bytes());
        } else if name.eq_ignore_ascii_case("sec-websocket-protocol") {
            protocol = value.split(',').next();
        }
    }
    let mut response = Vec::with_capacity(192);
    response.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    response.extend_from_slice(&accept_key(&key));
    if let Some(protocol) = protocol {
        response.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        response.extend_from_slice(protocol.trim().as_bytes());
    }
    response.extend_from_slice(b"\r\n\r\n");
    Some((number, response))
}

/// A masked frame that lies whole at the start of some bytes: where its payload is.
pub struct Frame {
    pub opcode: u8,
    pub start: usize,
    pub end: usize,
}

/// Unmasks the first frame in place. `None` when it is not all there.
pub fn next_frame(bytes: &mut [u8]) -> Option<Frame> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, header) = match second & 0x7F {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => crate::sys::fail("a frame over 64 KiB"),
        short => (usize::from(short), 2),
    };
    let (start, end) = (header + 4, header + 4 + length);
    if bytes.len() < end {
        return None;
    }
    let mask: [u8; 4] = bytes[header..start].try_into().unwrap_or_default();
    let half = u64::from(u32::from_ne_bytes(mask));
    let wide = half << 32 | half;
    let (words, rest) = bytes[start..end].as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Some(Frame { opcode: first & 0x0F, start, end })
}

/// The header of an unmasked, unfragmented frame, right-aligned in four bytes; and its length.
pub fn header(opcode: u8, length: usize) -> ([u8; HEADER], usize) {
    let [high, low] = (length as u16).to_be_bytes();
    if length < 126 {
        ([0, 0, 0x80 | opcode, low], 2)
    } else {
        ([0x80 | opcode, 126, high, low], 4)
    }
}

/// Appends a whole text frame.
pub fn write_frame(out: &mut Vec<u8>, payload: &[u8]) {
    let (head, size) = header(1, payload.len());
    out.extend_from_slice(&head[HEADER - size..]);
    out.extend_from_slice(payload);
}
