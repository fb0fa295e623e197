//! The property that everything rests on: how the bytes are split into reads changes nothing.

use hivewire_proto::frame::Opcode;
use hivewire_proto::{Codec, Config};
use proptest::prelude::*;

use crate::driver::{Driver, Frame, Seen};

const REQUEST: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Version: 13\r\n\r\n";

fn config() -> Config {
    Config { deflate: true, ..Config::default() }
}

/// One frame, good or doubtful, of any kind.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(&[
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Close,
    ]);
    let payload = prop_oneof![
        4 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => any::<String>().prop_map(|content| {
            let mut payload = Vec::new();
            Codec::new(config()).compress(15, content.as_bytes(), &mut payload);
            payload
        }),
    ];
    (opcode, payload, any::<[u8; 4]>(), prop::bool::weighted(0.7), prop::bool::weighted(0.2))
        .prop_map(|(opcode, mut payload, key, fin, rsv1)| {
            if opcode.is_control() {
                payload.truncate(125);
            }
            let mut frame = Frame::new(opcode, payload).key(Some(key));
            if !fin && !opcode.is_control() {
                frame = frame.unfinished();
            }
            if rsv1 && !opcode.is_control() {
                frame = frame.compressed();
            }
            frame.bytes()
        })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![3 => 1..8usize, 1 => 8..400usize], 1..6)
}

proptest! {
    #[test]
    fn any_split_of_frames_gives_the_same_events(
        frames in prop::collection::vec(frame(), 1..12),
        sizes in sizes(),
    ) {
        let bytes = frames.concat();
        let whole = Driver::open(config()).read(&bytes);
        prop_assert_eq!(whole, Driver::open(config()).read_split(&bytes, &sizes));
    }

    #[test]
    fn any_split_of_any_bytes_gives_the_same_events(
        mut bytes in prop::collection::vec(frame(), 1..6).prop_map(|frames| frames.concat()),
        spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        sizes in sizes(),
    ) {
        for (at, byte) in spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let whole = Driver::open(config()).read(&bytes);
        prop_assert_eq!(whole, Driver::open(config()).read_split(&bytes, &sizes));
    }

    #[test]
    fn any_split_of_a_whole_connection_gives_the_same_events(
        contents in prop::collection::vec(any::<String>(), 1..8),
        compress: bool,
        sizes in sizes(),
    ) {
        let mut codec = Codec::new(config());
        let mut bytes = REQUEST.to_vec();
        for content in &contents {
            let mut payload = Vec::new();
            if compress {
                codec.compress(15, content.as_bytes(), &mut payload);
                bytes.extend(Frame::new(Opcode::Text, payload).compressed().bytes());
            } else {
                bytes.extend(Frame::new(Opcode::Text, content).bytes());
            }
        }
        bytes.extend(Frame::new(Opcode::Close, b"\x03\xe8").bytes());
        let seen = Driver::server(config()).read_split(&bytes, &sizes);
        prop_assert!(matches!(seen.first(), Some(Seen::Upgrade(_))));
        prop_assert_eq!(seen.last(), Some(&Seen::Close(Some(1000), String::new())));
        let texts: Vec<_> = contents.into_iter().map(Seen::Text).collect();
        prop_assert_eq!(&seen[1..seen.len() - 1], &texts[..]);
    }
}
