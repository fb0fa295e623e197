use hivewire_proto::frame::Opcode::{Binary, Close, Continuation, Ping, Pong, Text};
use hivewire_proto::{Config, Limits, ProtocolError};

use crate::driver::{Driver, Frame, Seen};

/// What a server with small limits sees of these frames, whole or byte by byte.
fn seen(frames: &[Frame]) -> Vec<Seen> {
    let limits = Limits { max_message: 1_000, max_fragments: 3, ..Limits::default() };
    let driver = || Driver::open(Config { limits: limits.clone(), ..Config::default() });
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    let whole = driver().read(&bytes);
    assert_eq!(whole, driver().read_split(&bytes, &[1]), "byte by byte");
    whole
}

fn text(content: &str) -> Seen {
    Seen::Text(content.to_owned())
}

#[test]
fn joins_fragments() {
    let frames = [
        Frame::new(Text, "one ").unfinished(),
        Frame::new(Continuation, "").unfinished(),
        Frame::new(Continuation, "message"),
        Frame::new(Binary, b"\xff\x00"),
    ];
    assert_eq!(seen(&frames), [text("one message"), Seen::Binary(vec![0xff, 0])]);
}

#[test]
fn control_frames_come_between_fragments() {
    let frames = [
        Frame::new(Text, "Hel").unfinished(),
        Frame::new(Ping, "p"),
        Frame::new(Pong, vec![7; 125]),
        Frame::new(Continuation, "lo"),
        Frame::new(Ping, ""),
    ];
    let expected =
        [Seen::Ping(b"p".to_vec()), Seen::Pong(vec![7; 125]), text("Hello"), Seen::Ping(vec![])];
    assert_eq!(seen(&frames), expected);
}

#[test]
fn a_close_may_come_inside_a_message() {
    let frames = [Frame::new(Text, "never ends").unfinished(), Frame::new(Close, b"\x0f\xa0")];
    assert_eq!(seen(&frames), [Seen::Close(Some(4000), String::new())]);
}

#[test]
fn the_order_of_frames_is_kept() {
    let broken = |error| [Seen::Broken(error)];
    assert_eq!(
        seen(&[Frame::new(Continuation, "x")]),
        broken(ProtocolError::ContinuationWithoutStart)
    );
    for opcode in [Text, Binary] {
        assert_eq!(
            seen(&[Frame::new(Text, "a").unfinished(), Frame::new(opcode, "b")]),
            broken(ProtocolError::InterleavedMessage)
        );
    }
    assert_eq!(
        seen(&[Frame::new(Text, "a"), Frame::new(Continuation, "b")]),
        [text("a"), Seen::Broken(ProtocolError::ContinuationWithoutStart)]
    );
}

#[test]
fn rsv1_needs_compression_and_a_first_frame() {
    assert_eq!(
        seen(&[Frame::new(Text, "a").compressed()]),
        [Seen::Broken(ProtocolError::ReservedBits)]
    );
    let mut driver = Driver::open(Config { deflate: true, ..Config::default() });
    let frames = [Frame::new(Text, "a").unfinished(), Frame::new(Continuation, "b").compressed()];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    assert_eq!(driver.read(&bytes), [Seen::Broken(ProtocolError::ReservedBits)]);
}

#[test]
fn i8_the_length_is_judged_before_the_payload_comes() {
    assert_eq!(seen(&[Frame::new(Binary, vec![1; 1_000])]), [Seen::Binary(vec![1; 1_000])]);
    let too_big = [Seen::Broken(ProtocolError::MessageTooBig)];
    for announced in [&b"\x82\xfe\xff\xff"[..], b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff"] {
        let header = [announced, &[0; 4]].concat();
        assert_eq!(
            Driver::open(Config {
                limits: Limits { max_message: 1_000, ..Limits::default() },
                ..Config::default()
            })
            .read(&header),
            too_big
        );
    }
    let frames =
        [Frame::new(Binary, vec![1; 600]).unfinished(), Frame::new(Continuation, vec![1; 401])];
    assert_eq!(seen(&frames), too_big);
}

#[test]
fn i8_the_number_of_fragments_is_bounded() {
    let frames = |count: usize| {
        let mut frames = vec![Frame::new(Text, "").unfinished()];
        frames.extend((1..count).map(|_| Frame::new(Continuation, "").unfinished()));
        frames
    };
    assert_eq!(seen(&frames(3)), []);
    assert_eq!(seen(&frames(4)), [Seen::Broken(ProtocolError::TooManyFragments)]);
}
