use hivewire_proto::frame::Opcode::{Binary, Continuation, Text};
use hivewire_proto::{Codec, Config, Limits, ProtocolError};

use crate::driver::{Driver, Frame, Seen};

fn compressed(content: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    Codec::new(Config::default()).compress(15, content, &mut payload);
    payload
}

/// A server that takes compressed messages of up to 1,000 bytes inflated.
fn server() -> Driver {
    let limits = Limits { max_inflated: 1_000, ..Limits::default() };
    Driver::open(Config { deflate: true, limits, ..Config::default() })
}

#[test]
fn wrong_text_is_found_before_its_frame_ends() {
    let bytes = Frame::new(Text, b"all well until \xff and then much more").bytes();
    let seen = server().read(&bytes[..6 + 16]);
    assert_eq!(seen, [Seen::Broken(ProtocolError::BadUtf8)]);
}

#[test]
fn wrong_text_is_found_before_the_last_fragment() {
    let mut driver = server();
    let first = Frame::new(Text, b"\xce\xba\xe1\xbd\xb9\xcf").unfinished().bytes();
    assert_eq!(driver.read(&first), [], "a character may go on in the next fragment");
    let second = Frame::new(Continuation, b"\xed\xa0").unfinished().bytes();
    assert_eq!(driver.read(&second), [Seen::Broken(ProtocolError::BadUtf8)]);
}

#[test]
fn a_text_does_not_end_inside_a_character() {
    for bytes in [
        Frame::new(Text, b"\xe2\x82").bytes(),
        [Frame::new(Text, b"\xe2").unfinished().bytes(), Frame::new(Continuation, b"\x82").bytes()]
            .concat(),
    ] {
        for size in [1, 100] {
            let seen = server().read_split(&bytes, &[size]);
            assert_eq!(seen, [Seen::Broken(ProtocolError::BadUtf8)]);
        }
    }
}

#[test]
fn binary_may_be_anything() {
    let seen = server().read(&Frame::new(Binary, b"\xff\xfe").bytes());
    assert_eq!(seen, [Seen::Binary(b"\xff\xfe".to_vec())]);
}

#[test]
fn inflates_a_message_in_one_frame_and_in_fragments() {
    let payload = compressed(b"Hello, Hello, Hello");
    let (head, tail) = payload.split_at(4);
    let whole = Frame::new(Text, &payload).compressed().bytes();
    let pieces = [
        Frame::new(Text, head).compressed().unfinished().bytes(),
        Frame::new(Continuation, tail).bytes(),
    ];
    for bytes in [whole, pieces.concat()] {
        for size in [1, 100] {
            let seen = server().read_split(&bytes, &[size]);
            assert_eq!(seen, [Seen::Text("Hello, Hello, Hello".to_owned())]);
        }
    }
}

#[test]
fn a_compressed_connection_takes_plain_messages() {
    let seen = server().read(&Frame::new(Text, "plain").bytes());
    assert_eq!(seen, [Seen::Text("plain".to_owned())]);
}

#[test]
fn what_inflates_is_judged_like_what_is_plain() {
    let cases = [
        (compressed(&[b'x'; 1_001]), ProtocolError::InflatedTooBig),
        (compressed(b"\xff\xfe"), ProtocolError::BadUtf8),
        (b"\xff\xff\xff".to_vec(), ProtocolError::BadDeflate),
    ];
    for (payload, error) in cases {
        let seen = server().read(&Frame::new(Text, payload).compressed().bytes());
        assert_eq!(seen, [Seen::Broken(error)]);
    }
}
