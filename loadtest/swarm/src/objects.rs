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
    /// A message in a channel that is open.
    ChannelMessage { n: u64, key: &'b [u8] },
    /// How far a channel has come.
    Channel { head: u64 },
    /// A page of the timeline.
    Page { next: u64, done: bool },
    /// The session stands; behind its head it has to sync first, unless a page came along.
    Connected { cursor: u64, head: u64, page: Option<(u64, bool)> },
    /// Events of a conversation.
    History { id: u64 },
    /// Another command was carried out; `head` is 0 when the answer has none.
    Done { id: u64, head: u64 },
    /// Who is there: the answer to `watch`, or, with `id` 0, a push.
    Presence { id: u64 },
    /// Somebody has got or read something.
    Receipt,
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
    n: Finder<'static>,
    key: Finder<'static>,
    message: Finder<'static>,
}

impl Scanner {
    /// Ready for use.
    pub(crate) fn new() -> Self {
        Self {
            seq: Finder::new(br#""seq":"#),
            n: Finder::new(br#","n":"#),
            key: Finder::new(br#","key":""#),
            message: Finder::new(br#""type":"message""#),
        }
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
            let key = self.message.find(rest).and_then(|_| self.key(rest));
            return key.map_or(Object::Event { seq }, |key| Object::Message { seq, key });
        }
        if let Some(rest) = object.strip_prefix(br#"{"op":"channel_event","#)
            && let Some(key) = self.message.find(rest).and_then(|_| self.key(rest))
        {
            return Object::ChannelMessage { n: self.n(object), key };
        }
        rare(object)
    }

    /// The place in its conversation that an answer or event tells; 0 when it has none.
    pub(crate) fn n(&self, object: &[u8]) -> u64 {
        self.n.find(object).and_then(|at| object.get(at + 5..)).map_or(0, number)
    }

    /// The keys of all messages in a listing, and their places in the conversation.
    pub(crate) fn messages<'b>(
        &'b self,
        listing: &'b [u8],
    ) -> impl Iterator<Item = (u64, &'b [u8])> {
        self.n.find_iter(listing).map(|at| {
            let rest = listing.get(at + 5..).unwrap_or_default();
            (number(rest), self.key(rest).unwrap_or_default())
        })
    }

    /// How many events a page holds.
    pub(crate) fn events(&self, page: &[u8]) -> u64 {
        self.seq.find_iter(page).count() as u64
    }

    /// The first key.
    fn key<'b>(&self, object: &'b [u8]) -> Option<&'b [u8]> {
        let rest = self.key.find(object).and_then(|at| object.get(at + 8..))?;
        rest.split(|&byte| byte == b'"').next()
    }
}

/// How many changes of users' presence an object tells.
pub(crate) fn changes(presence: &[u8]) -> u64 {
    memmem::find_iter(presence, br#""user":"#).count() as u64
}

/// How many of them say that a user is in this state.
pub(crate) fn changes_to(presence: &[u8], state: &str) -> u64 {
    let pattern = format!(r#""state":"{state}""#);
    memmem::find_iter(presence, pattern.as_bytes()).count() as u64
}

/// What is not on the hot path.
fn rare(object: &[u8]) -> Object<'_> {
    let Some(rest) = object.strip_prefix(br#"{"op":""#) else { return Object::Other };
    let op = rest.split(|&byte| byte == b'"').next().unwrap_or_default();
    match op {
        b"ping" => Object::Ping,
        b"bye" => Object::Bye,
        b"error" => Object::Error { id: field(object, br#""id":"#) },
        b"page" => {
            let (next, done) = page(object);
            Object::Page { next, done }
        }
        b"connected" => Object::Connected {
            cursor: field(object, br#""cursor":"#),
            head: field(object, br#""head":"#),
            page: memmem::find(object, br#""page":{"#).map(|_| page(object)),
        },
        b"channel" => Object::Channel { head: field(object, br#""head":"#) },
        b"history" => Object::History { id: field(object, br#""id":"#) },
        b"ok" | b"group" => {
            Object::Done { id: field(object, br#""id":"#), head: last_field(object, br#""head":"#) }
        }
        b"presence" => Object::Presence { id: field(object, br#""id":"#) },
        b"receipt" => Object::Receipt,
        _ => Object::Other,
    }
}

/// What a page says at its end: where the next one begins, and whether the line is live.
fn page(object: &[u8]) -> (u64, bool) {
    let done = memmem::rfind(object, br#""done":true"#).is_some();
    (last_field(object, br#""next":"#), done)
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
    fn another_event_gives_its_place_only() {
        let event = r#"{"op":"event","seq":1,"type":"membership","conv":"group:g","n":2,"from":"u1","key":"01JD","ts":1,"changes":[]}"#;
        assert_eq!(scan(event), Object::Event { seq: 1 });
        assert_eq!(Scanner::new().n(event.as_bytes()), 2);
    }

    #[test]
    fn a_page_is_read_from_its_end() {
        let page = r#"{"op":"page","id":3,"events":[{"seq":1,"text":"next"}],"next":88,"head":91,"done":false,"trimmed_before":1}"#;
        assert_eq!(scan(page), Object::Page { next: 88, done: false });
    }

    #[test]
    fn connected_tells_whether_the_line_is_live() {
        let object = r#"{"op":"connected","id":1,"user":"u1","head":91,"cursor":88}"#;
        assert_eq!(scan(object), Object::Connected { cursor: 88, head: 91, page: None });
        let events = r#"{"seq":89},{"seq":90},{"seq":91}"#;
        let page = format!(r#","page":{{"events":[{events}],"next":91,"head":91,"done":true}}}}"#);
        let object = object.replace('}', &page);
        let page = Some((91, true));
        assert_eq!(scan(&object), Object::Connected { cursor: 88, head: 91, page });
        assert_eq!(Scanner::new().events(object.as_bytes()), 3);
    }

    #[test]
    fn a_channel_gives_places_and_heads() {
        let event = r#"{"op":"channel_event","conv":"channel:c","n":12,"type":"message","from":"u1","key":"01JD","ts":1}"#;
        assert_eq!(scan(event), Object::ChannelMessage { n: 12, key: b"01JD" });
        let head = r#"{"op":"channel","conv":"channel:c","head":13}"#;
        assert_eq!(scan(head), Object::Channel { head: 13 });
        assert_eq!(scan(r#"{"op":"ok","id":3,"head":12}"#), Object::Done { id: 3, head: 12 });
    }

    #[test]
    fn a_history_gives_each_place_and_key() {
        let history = br#"{"op":"history","id":4,"items":[{"type":"message","conv":"channel:c","n":1,"key":"a"},{"type":"message","conv":"channel:c","n":2,"key":"b"}],"done":true}"#;
        let scanner = Scanner::new();
        let found: Vec<_> = scanner.messages(history).collect();
        assert_eq!(found, [(1, b"a".as_slice()), (2, b"b".as_slice())]);
    }

    #[test]
    fn presence_tells_how_many_and_what() {
        let push = br#"{"op":"presence","changes":[{"user":"u1","state":"offline"},{"user":"u2","state":"online"}]}"#;
        assert_eq!((changes(push), changes_to(push, "offline")), (2, 1));
    }

    #[test]
    fn pings_come_with_and_without_a_head() {
        assert_eq!(scan(r#"{"op":"ping"}"#), Object::Ping);
        assert_eq!(scan(r#"{"op":"ping","head":4}"#), Object::Ping);
    }
}
