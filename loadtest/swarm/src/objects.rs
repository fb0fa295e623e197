//! The server's objects, scanned rather than parsed: they are compact, with `op` first and then `id`
//! or `seq`, as the protocol promises.

use memchr::memmem::{self, Finder};

/// What a server's object says, as far as a load client cares.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Object<'b> {
    /// A send was stored.
    Sent { id: u64, seq: u64, dup: bool },
    /// A message arrived; `key` is its sender's.
    Message { seq: u64, key: &'b [u8] },
    /// Another durable event.
    Event { seq: u64 },
    /// A page of the timeline.
    Page { next: u64, done: bool },
    /// The session stands; behind its head it has to sync first.
    Connected { cursor: u64, head: u64 },
    /// The server wants to know whether we live.
    Ping,
    /// A command was refused; `id` is 0 for an error about something without one.
    Error { id: u64 },
    /// The server is about to close.
    Bye,
    /// Anything else.
    Other,
}

/// The scanner, with its searches prepared.
pub(crate) struct Scanner {
    seq: Finder<'static>,
    key: Finder<'static>,
}

impl Scanner {
    /// Ready for use.
    pub(crate) fn new() -> Self {
        Self { seq: Finder::new(br#""seq":"#), key: Finder::new(br#","key":""#) }
    }

    /// What `object` says.
    pub(crate) fn scan<'b>(&self, object: &'b [u8]) -> Object<'b> {
        if let Some(rest) = object.strip_prefix(br#"{"op":"sent","id":"#) {
            let seq = self.seq.find(rest).and_then(|at| rest.get(at + 6..));
            let dup = !rest.ends_with(br#""dup":false}"#)
                && memmem::find(rest, br#""dup":true"#).is_some();
            return Object::Sent { id: number(rest), seq: seq.map_or(0, number), dup };
        }
        if let Some(rest) = object.strip_prefix(br#"{"op":"event","seq":"#) {
            let seq = number(rest);
            let key = self.key.find(rest).and_then(|at| rest.get(at + 8..));
            let key = key.and_then(|rest| rest.split(|&byte| byte == b'"').next());
            return key.map_or(Object::Event { seq }, |key| Object::Message { seq, key });
        }
        rare(object)
    }
}

/// What is not on the hot path.
fn rare(object: &[u8]) -> Object<'_> {
    let Some(rest) = object.strip_prefix(br#"{"op":""#) else { return Object::Other };
    let op = rest.split(|&byte| byte == b'"').next().unwrap_or_default();
    match op {
        b"ping" => Object::Ping,
        b"bye" => Object::Bye,
        b"error" => Object::Error { id: field(object, br#""id":"#) },
        b"page" => Object::Page {
            next: last_field(object, br#""next":"#),
            done: memmem::rfind(object, br#""done":true"#).is_some(),
        },
        b"connected" => Object::Connected {
            cursor: field(object, br#""cursor":"#),
            head: field(object, br#""head":"#),
        },
        _ => Object::Other,
    }
}

/// The number after the first `name`; 0 when there is none.
fn field(object: &[u8], name: &[u8]) -> u64 {
    let at = memmem::find(object, name).and_then(|at| object.get(at + name.len()..));
    at.map_or(0, number)
}

/// The number after the last `name`, for objects that carry other objects in front.
fn last_field(object: &[u8], name: &[u8]) -> u64 {
    let at = memmem::rfind(object, name).and_then(|at| object.get(at + name.len()..));
    at.map_or(0, number)
}

/// The decimal number that `bytes` start with; 0 when there is none.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).take(19);
    digits.fold(0, |sum, &digit| sum * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(object: &str) -> Object<'_> {
        // The scanner borrows nothing from itself, so a temporary one will do.
        Scanner::new().scan(object.as_bytes())
    }

    #[test]
    fn an_answer_gives_its_id_and_place() {
        let answer =
            r#"{"op":"sent","id":2,"conv":"direct:u1,u2","n":7,"seq":92,"ts":1,"dup":false}"#;
        assert_eq!(scan(answer), Object::Sent { id: 2, seq: 92, dup: false });
        let again = answer.replace("false", "true");
        assert_eq!(scan(&again), Object::Sent { id: 2, seq: 92, dup: true });
    }

    #[test]
    fn a_message_gives_its_place_and_key() {
        let event = r#"{"op":"event","seq":40,"type":"message","conv":"direct:u1,u2","n":7,"from":"u1","key":"01JD","ts":1,"text":"hi"}"#;
        assert_eq!(scan(event), Object::Message { seq: 40, key: b"01JD" });
    }

    #[test]
    fn a_page_is_read_from_its_end() {
        let page = r#"{"op":"page","id":3,"events":[{"seq":1,"text":"next"}],"next":88,"head":91,"done":false,"trimmed_before":1}"#;
        assert_eq!(scan(page), Object::Page { next: 88, done: false });
    }

    #[test]
    fn connected_tells_whether_the_line_is_live() {
        let object = r#"{"op":"connected","id":1,"user":"u1","head":91,"cursor":88}"#;
        assert_eq!(scan(object), Object::Connected { cursor: 88, head: 91 });
    }

    #[test]
    fn pings_come_with_and_without_a_head() {
        assert_eq!(scan(r#"{"op":"ping"}"#), Object::Ping);
        assert_eq!(scan(r#"{"op":"ping","head":4}"#), Object::Ping);
    }
}
