//! A client's frames, built once and patched, and the splitting of a server's.

/// Any key will do (RFC 6455, 5.3 asks for unpredictable ones, for the sake of proxies between a
/// browser and its server; there is none here). One key for all keeps frames reusable.
const MASK: [u8; 4] = [0x5A, 0x17, 0xC3, 0x2E];

/// A text frame's opcode.
pub(crate) const TEXT: u8 = 1;
/// A close frame's opcode.
pub(crate) const CLOSE: u8 = 8;
/// A ping frame's opcode.
pub(crate) const PING: u8 = 9;
/// A pong frame's opcode.
pub(crate) const PONG: u8 = 10;

/// Appends a masked, unfragmented frame.
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(0x80 | short),
        (_, Ok(medium)) => {
            out.push(0xFE);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(0xFF);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// A masked text frame in which decimal counters are stepped in place.
pub(crate) struct Template {
    frame: Box<[u8]>,
    payload: usize,
}

impl Template {
    /// A frame of `payload`.
    pub(crate) fn new(payload: &[u8]) -> Self {
        let mut frame = Vec::new();
        write_frame(&mut frame, TEXT, payload);
        let payload = frame.len() - payload.len();
        Self { frame: frame.into_boxed_slice(), payload }
    }

    /// Adds one to the decimal number whose last digit is byte `last` of the payload.
    pub(crate) fn step(&mut self, last: usize) {
        for at in (0..=last).rev() {
            let key = MASK.get(at % 4).copied().unwrap_or_default();
            let Some(byte) = self.frame.get_mut(self.payload + at) else { return };
            match *byte ^ key {
                b'9' => *byte = b'0' ^ key,
                digit => {
                    *byte = (digit + 1) ^ key;
                    return;
                }
            }
        }
    }

    /// The bytes to send.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.frame
    }
}

/// A server's frame at the start of some bytes.
pub(crate) struct Frame<'b> {
    pub(crate) opcode: u8,
    pub(crate) payload: &'b [u8],
    /// Bytes of header and payload together.
    pub(crate) size: usize,
}

/// The first frame, or `None` when it is not all there.
pub(crate) fn next_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (length, rest) = match second {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let payload = rest.get(..length)?;
    let size = bytes.len() - rest.len() + length;
    Some(Frame { opcode: first & 0x0F, payload, size })
}

/// An upgrade request; `subprotocol` is offered when given.
pub(crate) fn request(host: &str, path: &str, subprotocol: Option<&str>) -> Vec<u8> {
    let offer = subprotocol.map_or(String::new(), |p| format!("Sec-WebSocket-Protocol: {p}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    )
    .into_bytes()
}

/// An upgrade that was answered with something else than 101.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The status line.
    pub(crate) line: String,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
}

/// The bytes after a complete `101` response, `None` while it is incomplete, or the refusal.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    const END: &[u8] = b"\r\n\r\n";
    let Some(end) = memchr::memmem::find(bytes, END) else { return Ok(None) };
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        return Ok(bytes.get(end + END.len()..));
    }
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let line = head.lines().next().unwrap_or_default().to_owned();
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let retry_after = fields.find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
    Err(Refusal { line, retry_after: retry_after.and_then(|(_, at)| at.trim().parse().ok()) })
}

/// The code of a Close frame's payload; 1005 where it has none (RFC 6455, 7.1.5).
pub(crate) fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmask(frame: &[u8], header: usize) -> Vec<u8> {
        frame[header..].iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    #[test]
    fn a_stepped_counter_carries() {
        let mut template = Template::new(b"id 0199 text");
        template.step(6);
        assert_eq!(unmask(template.bytes(), 6), b"id 0200 text");
    }

    #[test]
    fn lengths_take_the_shortest_form() {
        for (length, header) in [(0, 6), (125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let mut out = Vec::new();
            write_frame(&mut out, TEXT, &vec![b'x'; length]);
            assert_eq!(out.len(), header + length);
        }
    }

    #[test]
    fn a_frame_is_split_only_when_it_is_whole() {
        let bytes = b"\x81\x03abc\x81";
        let frame = next_frame(bytes).unwrap();
        assert_eq!((frame.opcode, frame.payload, frame.size), (TEXT, b"abc".as_slice(), 5));
        assert!(next_frame(&bytes[..4]).is_none());
        assert!(next_frame(&bytes[5..]).is_none());
    }

    #[test]
    fn a_response_gives_what_follows_it() {
        assert_eq!(response(b"HTTP/1.1 101 X\r\n\r\n\x81").unwrap().unwrap(), b"\x81");
        assert_eq!(response(b"HTTP/1.1 101 X\r\n").unwrap(), None);
        assert_eq!(response(b"HTTP/1.1 403 No\r\n\r\n").unwrap_err().line, "HTTP/1.1 403 No");
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let refusal = response(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\n\r\n").unwrap_err();
        let line = "HTTP/1.1 503 Busy".to_owned();
        assert_eq!(refusal, Refusal { line, retry_after: Some(7) });
    }

    #[test]
    fn a_close_has_a_code_or_says_that_it_has_none() {
        assert_eq!(close_code(b"\x0f\xa0drain"), 4000);
        assert_eq!(close_code(b""), 1005);
    }
}
