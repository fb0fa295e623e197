use hivewire_proto::frame::Opcode;
use hivewire_proto::state::State;
use hivewire_proto::{Codec, Config, Connection, Event, Fault, Input, Limits, ProtocolError, Role};

use crate::driver::{Driver, Frame, Seen};

const REQUEST: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

fn open() -> Driver {
    Driver::open(Config::default())
}

fn text(content: &str) -> Vec<u8> {
    Frame::new(Opcode::Text, content).bytes()
}

#[test]
fn i10_a_connection_is_small() {
    assert!(size_of::<Connection>() <= 16, "{} bytes", size_of::<Connection>());
}

#[test]
fn i10_between_messages_nothing_is_kept() {
    let mut driver = Driver::server(Config::default());
    assert!(!driver.connection.is_at_rest(), "a handshake is under way");
    driver.read_split(REQUEST, &[10]);
    assert!(driver.connection.is_at_rest());

    let fragments = [
        Frame::new(Opcode::Text, "a").unfinished().bytes(),
        Frame::new(Opcode::Continuation, "b").bytes(),
    ];
    let ping = Frame::new(Opcode::Ping, "are you there").bytes();
    for bytes in [text("hello"), ping, fragments.concat()] {
        for size in [1, 3, 7, 100] {
            assert!(!driver.read_split(&bytes, &[size]).is_empty());
            assert!(driver.connection.is_at_rest(), "after reads of {size} of {bytes:x?}");
        }
        driver.read(&bytes[..bytes.len() - 1]);
        assert!(!driver.connection.is_at_rest(), "inside {bytes:x?}");
        driver.read(&bytes[bytes.len() - 1..]);
        assert!(driver.connection.is_at_rest());
    }
}

#[test]
fn a_message_in_one_read_is_not_copied() {
    let mut bytes = text("zero copy");
    let range = bytes.as_ptr_range();
    let mut codec = Codec::new(Config::default());
    let mut connection = Connection::open(Role::Server, 0);
    let mut input = Input::new(&mut bytes);
    let Ok(Some(Event::Message { payload, .. })) = connection.next_event(&mut codec, &mut input, 0)
    else {
        panic!("it is a message")
    };
    assert_eq!(payload, b"zero copy");
    assert!(range.contains(&payload.as_ptr()));
}

#[test]
fn the_handshake_has_a_deadline_that_bytes_do_not_extend() {
    let limits = Limits::default();
    let mut connection = Connection::server(500);
    let mut codec = Codec::new(Config::default());
    assert_eq!(connection.deadline(&limits), Some(10_500));
    let mut bytes = b"GET /v1/ws".to_vec();
    let mut input = Input::new(&mut bytes);
    let event = connection.next_event(&mut codec, &mut input, 10_400);
    assert!(matches!(event, Ok(None)));
    assert_eq!(connection.deadline(&limits), Some(10_500));
    assert_eq!(connection.expire(&limits, 10_499), None);
    assert!(matches!(connection.expire(&limits, 10_500), Some(Fault::Http { status: 408, .. })));
    assert_eq!(connection.state(), State::Closed);
    assert_eq!(connection.deadline(&limits), None);
}

#[test]
fn an_open_connection_waits_as_long_as_it_likes() {
    let limits = Limits::default();
    let mut driver = open();
    assert_eq!(driver.connection.deadline(&limits), None);
    driver.read(&text("a frame in two pieces")[..9]);
    assert_eq!(driver.connection.deadline(&limits), None);
    assert_eq!(driver.connection.expire(&limits, u64::MAX), None);
}

#[test]
fn a_message_in_fragments_has_a_deadline() {
    let limits = Limits::default();
    let mut driver = open();
    driver.now = 7;
    driver.read(&Frame::new(Opcode::Text, "a").unfinished().bytes());
    assert_eq!(driver.connection.deadline(&limits), Some(10_007));
    driver.now = 10_006;
    driver.read(&Frame::new(Opcode::Continuation, "b").unfinished().bytes());
    assert_eq!(driver.connection.deadline(&limits), Some(10_007));
    assert_eq!(driver.connection.expire(&limits, 10_006), None);
    let fault = driver.connection.expire(&limits, 10_007);
    assert_eq!(fault, Some(Fault::Ws(ProtocolError::FragmentsTooSlow)));
    assert!(!driver.connection.is_open());
}

#[test]
fn fragments_that_come_late_are_found_without_a_timer() {
    let mut driver = open();
    driver.read(&Frame::new(Opcode::Text, "a").unfinished().bytes());
    driver.now = 10_000;
    let seen = driver.read(&Frame::new(Opcode::Continuation, "b").bytes());
    assert_eq!(seen, [Seen::Broken(ProtocolError::FragmentsTooSlow)]);
}

#[test]
fn the_peer_closes() {
    let mut driver = open();
    let close = Frame::new(Opcode::Close, b"\x03\xe9gone").bytes();
    let seen = driver.read(&[close, text("not looked at"), vec![0xff]].concat());
    assert_eq!(seen, [Seen::Close(Some(1001), "gone".to_owned())]);
    assert_eq!(driver.connection.state(), State::Closed);
    driver.connection.note_close_sent();
    assert_eq!(driver.read(&text("nor this")), []);
}

#[test]
fn an_empty_close_has_no_code() {
    let seen = open().read(&Frame::new(Opcode::Close, "").bytes());
    assert_eq!(seen, [Seen::Close(None, String::new())]);
}

#[test]
fn after_our_close_only_the_peers_matters() {
    let mut driver = open();
    driver.read(&Frame::new(Opcode::Text, "half").unfinished().bytes());
    driver.connection.note_close_sent();
    assert_eq!(driver.connection.state(), State::Closing);
    assert_eq!(driver.connection.deadline(&Limits::default()), None, "the half message is gone");

    let on_its_way = [
        Frame::new(Opcode::Continuation, " a message").bytes(),
        text("another"),
        Frame::new(Opcode::Text, b"\xff").bytes(),
        Frame::new(Opcode::Ping, "?").bytes(),
        Frame::new(Opcode::Binary, vec![0; 100_000]).bytes(),
    ];
    assert_eq!(driver.read_split(&on_its_way.concat(), &[1, 50, 5_000]), []);
    let seen = driver.read_split(&Frame::new(Opcode::Close, b"\x03\xe8").bytes(), &[3]);
    assert_eq!(seen, [Seen::Close(Some(1000), String::new())]);
    assert_eq!(driver.connection.state(), State::Closed);
}

#[test]
fn i9_a_fault_is_the_last_thing_seen() {
    let mut driver = open();
    let seen = driver.read(&[text("good"), vec![0x81, 0x00], text("not looked at")].concat());
    assert_eq!(seen, [Seen::Text("good".to_owned()), Seen::Broken(ProtocolError::Unmasked)]);
    assert_eq!(driver.read(&text("nor this")), []);
    assert!(!driver.connection.is_at_rest());
}

#[test]
fn a_refused_request_is_the_last_thing_seen() {
    let mut driver = Driver::server(Config::default());
    let seen = driver.read(b"POST /v1/ws HTTP/1.1\r\n\r\nGET /v1/ws HTTP/1.1\r\n\r\n");
    assert!(matches!(&seen[..], [Seen::Refused(405, _)]), "{seen:?}");
    assert_eq!(driver.read(REQUEST), []);
}

#[test]
fn compression_is_reported_once_agreed() {
    let request = String::from_utf8_lossy(REQUEST).replace(
        "Host: a",
        "Host: a\r\nSec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=11",
    );
    let mut driver = Driver::server(Config { deflate: true, ..Config::default() });
    assert_eq!(driver.connection.deflate_bits(), 0);
    driver.read(request.as_bytes());
    assert_eq!(driver.connection.deflate_bits(), 11);
}

#[test]
fn a_client_reads_a_server() {
    let mut codec = Codec::new(Config::default());
    let mut connection = Connection::open(Role::Client, 0);
    let mut bytes = Frame::new(Opcode::Text, "unmasked").key(None).bytes();
    let mut input = Input::new(&mut bytes);
    let event = connection.next_event(&mut codec, &mut input, 0);
    assert!(matches!(event, Ok(Some(Event::Message { payload: b"unmasked", .. }))));
    let mut bytes = text("masked");
    let mut input = Input::new(&mut bytes);
    let event = connection.next_event(&mut codec, &mut input, 0);
    assert!(matches!(event, Err(Fault::Ws(ProtocolError::Masked))));
}

#[test]
fn two_ends_talk() {
    let mut codec = Codec::new(Config { deflate: true, ..Config::default() });
    let content = "the same words, the same words, the same words";
    let mut payload = Vec::new();
    codec.compress(12, content.as_bytes(), &mut payload);
    for (reader, key) in [(Role::Server, Some([1, 2, 3, 4])), (Role::Client, None)] {
        let mut bytes = Frame::new(Opcode::Text, &payload).compressed().key(key).bytes();
        let mut connection = Connection::open(reader, 12);
        let mut input = Input::new(&mut bytes);
        let event = connection.next_event(&mut codec, &mut input, 0);
        let Ok(Some(Event::Message { payload, .. })) = event else { panic!("{event:?}") };
        assert_eq!(payload, content.as_bytes());
    }
}
