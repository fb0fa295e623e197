//! Negotiation of permessage-deflate (RFC 7692 section 7.1).
//!
//! Whatever is odd in an offer declines that offer and never the connection (section 7.1: the
//! server may decline, the client falls back to the next offer or to none).

use crate::deflate::WINDOW_BITS;

const NAME: &[u8] = b"permessage-deflate";

/// The offer that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The window that we compress with, 9 … 15.
    pub bits: u8,
    /// Whether the client asked for the window, so that the answer must name it.
    pub bits_asked: bool,
}

impl Accepted {
    /// The value of `Sec-WebSocket-Extensions` in the response.
    #[must_use]
    pub fn response(self) -> String {
        let mut value = String::from(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        );
        if self.bits_asked {
            value.push_str("; server_max_window_bits=");
            value.push_str(&self.bits.to_string());
        }
        value
    }
}

/// The first acceptable offer of all `Sec-WebSocket-Extensions` values, in the client's order of
/// preference.
pub fn negotiate<'h>(values: impl Iterator<Item = &'h [u8]>) -> Option<Accepted> {
    values.flat_map(|value| Split::new(value, b',')).find_map(accept)
}

/// Judges one offer: `permessage-deflate; parameter; parameter=value`.
fn accept(offer: &[u8]) -> Option<Accepted> {
    let mut parts = Split::new(offer, b';');
    if !parts.next()?.eq_ignore_ascii_case(NAME) {
        return None;
    }
    let mut seen = [false; 4];
    let mut accepted = Accepted { bits: *WINDOW_BITS.end(), bits_asked: false };
    for part in parts {
        let (name, value) = match part.iter().position(|byte| *byte == b'=') {
            Some(at) => (part.get(..at)?.trim_ascii(), Some(unquoted(part.get(at + 1..)?))),
            None => (part, None),
        };
        let which = match (name, value) {
            (b"server_no_context_takeover", None) => 0,
            (b"client_no_context_takeover", None) => 1,
            (b"server_max_window_bits", Some(value)) => {
                // zlib cannot keep a window of 8 bits, so that offer is declined.
                accepted.bits = window_bits(value).filter(|bits| WINDOW_BITS.contains(bits))?;
                accepted.bits_asked = true;
                2
            }
            (b"client_max_window_bits", value) => {
                // A hint about what the client can do; we inflate every window.
                value.map_or(Some(0), window_bits)?;
                3
            }
            _ => return None,
        };
        if std::mem::replace(seen.get_mut(which)?, true) {
            return None; // section 7.1: no parameter twice
        }
    }
    Some(accepted)
}

/// A decimal number from 8 to 15 without leading zeros (sections 7.1.2.1 and 7.1.2.2).
fn window_bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// The value without blanks and without the quotes that RFC 6455 section 9.1 allows.
fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\"")).unwrap_or(value)
}

/// Splits at `separator` outside quoted strings, and trims blanks.
struct Split<'h> {
    rest: Option<&'h [u8]>,
    separator: u8,
}

impl<'h> Split<'h> {
    const fn new(value: &'h [u8], separator: u8) -> Self {
        Self { rest: Some(value), separator }
    }
}

impl<'h> Iterator for Split<'h> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        let rest = self.rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = rest.iter().position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' if quoted => {
                escaped = true;
                false
            }
            b'"' => {
                quoted = !quoted;
                false
            }
            byte => *byte == self.separator && !quoted,
        });
        self.rest = end.and_then(|end| rest.get(end + 1..));
        Some(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().trim_ascii())
    }
}
