//! Sends as the fleet makes them: built once, with their counters at places that are known.

use crate::objects::number;
use crate::ws::Template;

/// Digits of a counter, in keys, ids and raw payloads.
pub(super) const DIGITS: usize = 10;
/// Ids have ten digits from the start, so that they can be stepped in place.
pub(super) const FIRST_ID: u64 = 1_000_000_000;
/// Where the sender stands in a key, and behind it the counter: after the run's eight digits.
const KEY_SENDER: usize = 9;
const KEY_COUNTER: usize = 16;

/// A `send` with its counters at zero, and where the last digits of these and of `to` are.
pub(super) struct First {
    pub(super) payload: Vec<u8>,
    pub(super) id: usize,
    pub(super) to: usize,
    pub(super) key: usize,
}

/// What the sender `number` says first. Its keys are `run`, `number` and the counter.
pub(super) fn first(to: &str, run: u32, number: usize, bytes: usize) -> First {
    let mut front = format!(r#"{{"op":"send","id":{FIRST_ID}"#);
    let mut grow = |piece: String| {
        front += &piece;
        front.len() - 1
    };
    let id = grow(String::new());
    let to = grow(format!(r#","to":"{to}"#));
    let key = grow(format!(r#"","key":"{run:08x}-{number:06}-{:0DIGITS$}"#, 0));
    let text = "x".repeat(bytes.max(1));
    First { payload: format!(r#"{front}","text":"{text}"}}"#).into_bytes(), id, to, key }
}

/// The counter of the message with this key; 0 for what is none of the fleet's messages.
pub(super) fn counter(key: &[u8]) -> u64 {
    number(key.get(KEY_COUNTER..).unwrap_or_default())
}

/// The sender of the message with this key.
pub(super) fn sender(key: &[u8]) -> usize {
    usize::try_from(number(key.get(KEY_SENDER..).unwrap_or_default())).unwrap_or(usize::MAX)
}

/// A message to one conversation, sent again and again under the next key.
pub(super) struct Outgoing {
    next: Template,
    id: usize,
    key: usize,
    /// The counter of the last one.
    pub(super) sent: u64,
}

impl Outgoing {
    /// The messages of the sender `number` to the conversation `to`.
    pub(super) fn new(to: &str, run: u32, number: usize, bytes: usize) -> Self {
        let first = first(to, run, number, bytes);
        Self { next: Template::new(&first.payload), id: first.id, key: first.key, sent: 0 }
    }

    /// Appends the next one.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) {
        self.next.step(self.id);
        self.next.step(self.key);
        self.sent += 1;
        out.extend_from_slice(self.next.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_stand_where_they_are_said_to() {
        let first = first("user:u000001", 0xAB, 2, 3);
        let text = String::from_utf8(first.payload.clone()).unwrap();
        assert_eq!(
            text,
            r#"{"op":"send","id":1000000000,"to":"user:u000001","key":"000000ab-000002-0000000000","text":"xxx"}"#
        );
        assert!(text[first.id..].starts_with("0,"));
        assert!(text[first.to..].starts_with("1\","));
        assert!(text[first.key..].starts_with("0\","));
    }

    #[test]
    fn a_key_tells_its_sender_and_counter() {
        let key = b"000000ab-000002-0000000017";
        assert_eq!((sender(key), counter(key)), (2, 17));
        assert_eq!(counter(b"000000ab-000002-create"), 0);
    }
}
