//! The few protocol objects that the engine reads and writes by itself (protocol.md section 8).
//!
//! It knows them by their exact bytes; any other spelling goes to Python with the same result.

use crate::config::MSGPACK;
use hivewire_proto::close;

/// What the engine makes of a whole message without asking Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// `{"op":"ping"}` or an empty message: to be answered with a pong.
    Ping,
    /// `{"op":"pong"}`: a sign of life and nothing more.
    Pong,
}

const PING_JSON: &[u8] = br#"{"op":"ping"}"#;
const PONG_JSON: &[u8] = br#"{"op":"pong"}"#;
const PING_MSGPACK: &[u8] = b"\x81\xa2op\xa4ping";
const PONG_MSGPACK: &[u8] = b"\x81\xa2op\xa4pong";

/// Recognises the messages that never reach Python.
#[must_use]
pub fn recognise(encoding: u8, message: &[u8]) -> Option<Known> {
    let known: [(&[u8], Known); 2] = if encoding == MSGPACK {
        [(PING_MSGPACK, Known::Ping), (PONG_MSGPACK, Known::Pong)]
    } else {
        [(PING_JSON, Known::Ping), (PONG_JSON, Known::Pong)]
    };
    if message.is_empty() {
        return Some(Known::Ping);
    }
    known.into_iter().find(|(bytes, _)| *bytes == message).map(|(_, kind)| kind)
}

/// Appends a ping or pong that tells `head`, the position of this connection; `id` 0: none.
pub fn write_heartbeat(out: &mut Vec<u8>, encoding: u8, kind: Known, id: u32, head: u64) {
    let name = if kind == Known::Ping { "ping" } else { "pong" };
    let mut object = Object::start(out, encoding, 2 + usize::from(id > 0));
    object.text("op", name);
    if id > 0 {
        object.number("id", u64::from(id));
    }
    object.number("head", head);
    object.end();
}

/// Appends the head of an event: everything in front of the body's own fields. `fields` is how
/// many the body has, for `MessagePack`.
pub fn write_event_head(out: &mut Vec<u8>, encoding: u8, seq: u64, fields: usize) {
    if encoding == MSGPACK {
        write_map_header(out, fields + 2);
        out.extend_from_slice(b"\xa2op\xa5event\xa3seq");
        return write_msgpack_uint(out, seq);
    }
    out.extend_from_slice(br#"{"op":"event","seq":"#);
    write_decimal(out, seq);
    out.push(b',');
}

/// Appends the `bye` that goes before a Close.
pub fn write_bye(out: &mut Vec<u8>, encoding: u8, code: u16, reason: &str, delay_ms: u64) {
    let mut object = Object::start(out, encoding, 5);
    object.text("op", "bye");
    object.number("code", u64::from(code));
    object.text("reason", reason);
    object.flag("reconnect", close::reconnect(code));
    object.number("delay_ms", delay_ms);
    object.end();
}

/// Splits a whole object into the number of its fields and the bytes after its opening, which
/// for JSON is the brace and for `MessagePack` the map header. `None`: not an object.
#[must_use]
pub fn open_body(encoding: u8, body: &[u8]) -> Option<(usize, &[u8])> {
    if encoding != MSGPACK {
        return body.strip_prefix(b"{").map(|rest| (0, rest));
    }
    match body {
        [head @ 0x80..=0x8f, rest @ ..] => Some((usize::from(head & 0x0f), rest)),
        [0xde, high, low, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

/// Writes one flat object in either encoding. The strings are ours: they need no escapes, but a
/// reason may come from the application, so quotes, backslashes and controls are replaced.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    msgpack: bool,
    first: bool,
}

impl<'o> Object<'o> {
    fn start(out: &'o mut Vec<u8>, encoding: u8, fields: usize) -> Self {
        let msgpack = encoding == MSGPACK;
        if msgpack {
            write_map_header(out, fields);
        } else {
            out.push(b'{');
        }
        Self { out, msgpack, first: true }
    }

    fn name(&mut self, name: &str) {
        if self.msgpack {
            return self.string(name);
        }
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.string(name);
        self.out.push(b':');
    }

    fn string(&mut self, text: &str) {
        if self.msgpack {
            // Longer ones do not occur: a Close frame bounds reasons at 123 bytes.
            let end = (0..=text.len().min(255)).rev().find(|&end| text.is_char_boundary(end));
            let text = text.get(..end.unwrap_or(0)).unwrap_or_default();
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            match length {
                0..=31 => self.out.push(0xa0 | length),
                _ => self.out.extend_from_slice(&[0xd9, length]),
            }
            return self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
        let plain = |b: u8| if b < 0x20 || b == b'"' || b == b'\\' { b'\'' } else { b };
        self.out.extend(text.bytes().map(plain));
        self.out.push(b'"');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.string(value);
    }

    fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        let json: &[u8] = if value { b"true" } else { b"false" };
        let twin: &[u8] = if value { &[0xc3] } else { &[0xc2] };
        self.out.extend_from_slice(if self.msgpack { twin } else { json });
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        if self.msgpack {
            return write_msgpack_uint(self.out, value);
        }
        write_decimal(self.out, value);
    }

    fn end(self) {
        if !self.msgpack {
            self.out.push(b'}');
        }
    }
}

fn write_map_header(out: &mut Vec<u8>, fields: usize) {
    match (u8::try_from(fields), u16::try_from(fields)) {
        (Ok(few @ 0..=15), _) => out.push(0x80 | few),
        (_, count) => {
            out.push(0xde);
            out.extend_from_slice(&count.unwrap_or(u16::MAX).to_be_bytes());
        }
    }
}

fn write_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        used += 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

fn write_msgpack_uint(out: &mut Vec<u8>, value: u64) {
    if let Ok(small) = u8::try_from(value) {
        match small {
            0..=0x7f => out.push(small),
            _ => out.extend_from_slice(&[0xcc, small]),
        }
    } else if let Ok(short) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&short.to_be_bytes());
    } else if let Ok(word) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JSON;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out);
        out
    }

    #[test]
    fn only_the_exact_bytes_are_known() {
        assert_eq!(recognise(JSON, br#"{"op":"ping"}"#), Some(Known::Ping));
        assert_eq!(recognise(JSON, br#"{"op":"pong"}"#), Some(Known::Pong));
        assert_eq!(recognise(JSON, br#"{"op": "ping"}"#), None);
        assert_eq!(recognise(JSON, b"\x81\xa2op\xa4ping"), None);
        assert_eq!(recognise(MSGPACK, b"\x81\xa2op\xa4ping"), Some(Known::Ping));
        assert_eq!(recognise(MSGPACK, b"\x81\xa2op\xa4pong"), Some(Known::Pong));
        assert_eq!(recognise(MSGPACK, b""), Some(Known::Ping));
    }

    #[test]
    fn heartbeats_carry_the_head() {
        let json = written(|out| write_heartbeat(out, JSON, Known::Ping, 0, 1_234_567_890_123));
        assert_eq!(json, br#"{"op":"ping","head":1234567890123}"#);
        let twin = written(|out| write_heartbeat(out, MSGPACK, Known::Pong, 0, 300));
        assert_eq!(twin, b"\x82\xa2op\xa4pong\xa4head\xcd\x01\x2c");
        let json = written(|out| write_heartbeat(out, JSON, Known::Pong, 5, 3));
        assert_eq!(json, br#"{"op":"pong","id":5,"head":3}"#);
    }

    #[test]
    fn an_event_head_opens_the_object_that_the_body_closes() {
        let body = br#"{"type":"message"}"#;
        let (fields, rest) = open_body(JSON, body).expect("an object");
        let mut event = written(|out| write_event_head(out, JSON, 40, fields));
        event.extend_from_slice(rest);
        assert_eq!(event, br#"{"op":"event","seq":40,"type":"message"}"#);
    }

    #[test]
    fn an_event_head_counts_the_fields_of_a_msgpack_body() {
        let (fields, rest) = open_body(MSGPACK, b"\x81\xa4type\xa1m").expect("a map");
        let mut event = written(|out| write_event_head(out, MSGPACK, 7, fields));
        event.extend_from_slice(rest);
        assert_eq!(event, b"\x83\xa2op\xa5event\xa3seq\x07\xa4type\xa1m");
        assert_eq!(open_body(MSGPACK, b"\xde\x00\x10rest"), Some((16, b"rest".as_slice())));
        let long = written(|out| write_event_head(out, MSGPACK, 7, 16));
        assert_eq!(long.get(..3), Some(b"\xde\x00\x12".as_slice()));
        assert_eq!(open_body(MSGPACK, b"\x93"), None);
    }

    #[test]
    fn bye_says_whether_to_come_back() {
        let bye = written(|out| write_bye(out, JSON, 4000, "drain", 250));
        let text = r#"{"op":"bye","code":4000,"reason":"drain","reconnect":true,"delay_ms":250}"#;
        assert_eq!(bye, text.as_bytes());
        let kicked = written(|out| write_bye(out, JSON, 4503, "a \"reason\"", 0));
        let text =
            r#"{"op":"bye","code":4503,"reason":"a 'reason'","reconnect":false,"delay_ms":0}"#;
        assert_eq!(kicked, text.as_bytes());
    }

    #[test]
    fn numbers_of_every_width() {
        for value in [0, 9, 10, 127, 128, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
            let text = written(|out| write_decimal(out, value));
            assert_eq!(text, value.to_string().as_bytes());
        }
        assert_eq!(written(|out| write_msgpack_uint(out, 200)), [0xcc, 200]);
        assert_eq!(written(|out| write_msgpack_uint(out, 70_000)), [0xce, 0, 1, 0x11, 0x70]);
    }
}
