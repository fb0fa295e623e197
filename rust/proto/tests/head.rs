use hivewire_proto::{Config, Limits};
use proptest::prelude::*;

use crate::driver::{Driver, Seen};

const GOOD: &str = "GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// The status of the answer, 101 for an upgrade, 0 for none yet.
fn status(seen: &[Seen]) -> u16 {
    match seen {
        [] => 0,
        [Seen::Upgrade(_)] => 101,
        [Seen::Refused(status, _)] => *status,
        other => panic!("{other:?}"),
    }
}

/// Reads in one piece and byte by byte, which must agree.
fn answer(bytes: impl AsRef<[u8]>) -> u16 {
    let bytes = bytes.as_ref();
    let whole = status(&Driver::server(Config::default()).read(bytes));
    let single = status(&Driver::server(Config::default()).read_split(bytes, &[1]));
    assert_eq!(whole, single, "{}", String::from_utf8_lossy(bytes));
    whole
}

#[test]
fn waits_for_the_empty_line() {
    assert_eq!(answer(GOOD), 0);
    assert_eq!(answer(format!("{GOOD}\r")), 0);
    assert_eq!(answer(format!("{GOOD}\r\n")), 101);
}

#[test]
fn one_empty_line_before_is_ignored() {
    assert_eq!(answer(format!("\r\n{GOOD}\r\n")), 101);
    assert_eq!(answer(format!("\r\n\r\n{GOOD}\r\n")), 400);
}

#[test]
fn line_ends_are_cr_lf() {
    assert_eq!(answer(GOOD.replace("\r\n", "\n")), 400);
    assert_eq!(answer("GET /v1/ws HTTP/1.1\n"), 400);
    assert_eq!(answer("\n"), 400);
}

#[test]
fn another_protocol_is_found_with_its_first_byte() {
    assert_eq!(answer(b"\x16"), 400); // TLS
    assert_eq!(answer(b"\x81"), 400); // a frame without a handshake
    assert_eq!(answer(b" GET / HTTP/1.1\r\n"), 400);
}

#[test]
fn i8_a_long_request_line_is_414() {
    let line = |len: usize| format!("GET /{} HTTP/1.1", "x".repeat(len - "GET / HTTP/1.1".len()));
    assert_eq!(answer(line(8_192)), 0);
    assert_eq!(answer(line(8_192) + "\r\n"), 0);
    assert_eq!(answer(line(8_193) + "\r\n"), 414);
    assert_eq!(answer("A".repeat(8_193)), 0);
    assert_eq!(answer("A".repeat(8_194)), 414);
    assert_eq!(answer("A".repeat(100_000)), 414);
}

#[test]
fn i8_a_long_head_is_431() {
    let padded = |total: usize| {
        let rest = total - GOOD.len() - "X: \r\n\r\n".len();
        format!("{GOOD}X: {}\r\n\r\n", "x".repeat(rest))
    };
    assert_eq!(answer(padded(16_384)), 101);
    assert_eq!(answer(padded(16_385)), 431);
    assert_eq!(answer(&padded(30_000)[..16_384]), 0);
    assert_eq!(answer(&padded(30_000)[..16_385]), 431);
}

#[test]
fn i8_many_headers_are_431() {
    let with = |headers: usize| format!("{GOOD}{}\r\n", "X: y\r\n".repeat(headers - 5));
    assert_eq!(answer(with(64)), 101);
    assert_eq!(answer(with(65)), 431);
}

#[test]
fn i8_a_lower_limit_holds() {
    let limits = Limits { headers: 4, ..Limits::default() };
    let mut driver = Driver::server(Config { limits, ..Config::default() });
    assert_eq!(status(&driver.read(format!("{GOOD}\r\n").as_bytes())), 431);
}

#[test]
fn frames_behind_the_request_are_not_lost() {
    let frames = b"\x81\x82\0\0\0\0hi";
    for sizes in [&[usize::MAX][..], &[1], &[100, 3]] {
        let bytes = [format!("{GOOD}\r\n").as_bytes(), frames].concat();
        let seen = Driver::server(Config::default()).read_split(&bytes, sizes);
        assert!(
            matches!(&seen[..], [Seen::Upgrade(_), Seen::Text(text)] if text == "hi"),
            "{seen:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_split_gives_the_same_answer(
        spoil in prop::option::of((0..GOOD.len(), any::<u8>())),
        sizes in prop::collection::vec(1..60usize, 1..5),
    ) {
        let mut bytes = format!("{GOOD}\r\n").into_bytes();
        if let Some((at, byte)) = spoil {
            bytes[at] = byte;
        }
        let whole = Driver::server(Config::default()).read(&bytes);
        let split = Driver::server(Config::default()).read_split(&bytes, &sizes);
        prop_assert_eq!(whole, split);
    }
}
