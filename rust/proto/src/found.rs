//! An event between being found and being handed out: what it is and where its payload lies.

use crate::codec::Codec;
use crate::handshake::Upgrade;
use crate::input::Input;

/// What a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Checked UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// An event before its payload is lent: the loop that finds it must not hold a borrow.
#[derive(Debug)]
pub(crate) enum Found {
    Upgrade(Box<Upgrade>),
    Message(Kind, Place),
    Ping(Place),
    Pong(Place),
    Close(Place),
}

/// Where a payload lies.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Input(std::ops::Range<usize>),
    Assembled,
    Inflated,
}

impl Place {
    #[inline]
    pub(crate) fn bytes<'x>(self, codec: &'x Codec, input: &'x Input<'_>) -> &'x [u8] {
        match self {
            Self::Input(range) => input.slice(range),
            Self::Assembled => &codec.assembled,
            Self::Inflated => codec.inflater.output(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Config;

    #[test]
    fn a_payload_is_lent_from_where_it_lies() {
        let mut codec = Codec::new(Config::default());
        codec.assembled.extend_from_slice(b"in pieces");
        let mut bytes = *b"read whole";
        let input = Input::new(&mut bytes);
        assert_eq!(Place::Input(5..10).bytes(&codec, &input), b"whole");
        assert_eq!(Place::Assembled.bytes(&codec, &input), b"in pieces");
    }
}
