use hivewire_proto::handshake::{Refusal, accept_key, parse, refusal};
use hivewire_proto::{Config, Origins, Upgrade};
use proptest::prelude::*;

use crate::driver::{Driver, Seen};

/// The headers of a good request, by name so that a test can replace or drop one.
const GOOD: [(&str, &str); 5] = [
    ("Host", "chat.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn request(line: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    let fields = kept.chain(changes.iter().filter(|(_, value)| *value != "-"));
    let lines = fields.map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("{line}\r\n{}\r\n", lines.collect::<String>()).into_bytes()
}

fn upgrade_with(config: &Config, changes: &[(&str, &str)]) -> Result<Upgrade, Refusal> {
    parse(&request("GET /v1/ws HTTP/1.1", changes), config)
}

fn upgrade(changes: &[(&str, &str)]) -> Result<Upgrade, Refusal> {
    upgrade_with(&Config::default(), changes)
}

fn status(result: Result<Upgrade, Refusal>) -> u16 {
    result.err().map_or(101, |refusal| refusal.status)
}

#[test]
fn computes_the_accept_key_of_the_rfc() {
    // RFC 6455 section 1.3.
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn accepts_a_good_request() {
    let upgrade = upgrade(&[]).expect("it is good");
    assert_eq!((upgrade.encoding, upgrade.bearer, upgrade.deflate_bits), (None, None, 0));
    assert_eq!(
        String::from_utf8(upgrade.response).expect("ASCII"),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn reads_the_request_line() {
    for (line, expected) in [
        ("GET /v1/ws HTTP/1.1", 101),
        ("GET /v1/ws?token=never HTTP/1.1", 101),
        ("GET http://chat.example.com/v1/ws HTTP/1.1", 101),
        ("GET / HTTP/1.1", 404),
        ("GET /v1/ws/ HTTP/1.1", 404),
        ("GET /v1/wsx HTTP/1.1", 404),
        ("GET ftp://x/v1/ws HTTP/1.1", 404),
        ("GET * HTTP/1.1", 404),
        ("POST /v1/ws HTTP/1.1", 405),
        ("get /v1/ws HTTP/1.1", 405),
        ("CONNECT /v1/ws HTTP/1.1", 405),
        ("GET /v1/ws HTTP/1.0", 400),
        ("GET /v1/ws HTTP/2", 400),
        ("GET /v1/ws", 400),
        ("GET", 400),
        ("GET  /v1/ws HTTP/1.1", 400),
    ] {
        assert_eq!(status(parse(&request(line, &[]), &Config::default())), expected, "{line}");
    }
}

#[test]
fn i9_every_broken_rule_has_its_status() {
    for (changes, expected) in [
        (&[("Host", "-")][..], 400),
        (&[("Host", "a"), ("Host", "b")], 400),
        (&[("Content-Length", "1")], 400),
        (&[("Content-Length", "0")], 101),
        (&[("Content-Length", "0"), ("Content-Length", "0")], 400),
        (&[("Transfer-Encoding", "chunked")], 400),
        (&[("Content-Length", "0"), ("Transfer-Encoding", "chunked")], 400),
        (&[("Upgrade", "-")], 426),
        (&[("Upgrade", "h2c")], 426),
        (&[("Upgrade", "h2c, WebSocket")], 101),
        (&[("Connection", "-")], 426),
        (&[("Connection", "close")], 426),
        (&[("Connection", "UPGRADE")], 101),
        (&[("Sec-WebSocket-Version", "-")], 426),
        (&[("Sec-WebSocket-Version", "8")], 426),
        (&[("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Version", "13")], 426),
        (&[("Sec-WebSocket-Key", "-")], 400),
        (&[("Sec-WebSocket-Key", "")], 400),
        (&[("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ==")], 400),
        (&[("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==")], 400),
        (&[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSB0aGF0IGlzIHRvbyBsb25n")], 400),
        (&[("Origin", "https://chat.example.com")], 101),
        (&[("Origin", "https://evil.example.com")], 403),
        (&[("Origin", "null")], 403),
        (&[("Origin", "https://chat.example.com"), ("Origin", "https://chat.example.com")], 403),
        (&[("Sec-WebSocket-Protocol", "chat, mqtt")], 400),
        (&[("Sec-WebSocket-Extensions", "\"; ,=;;")], 101),
    ] {
        assert_eq!(status(upgrade(changes)), expected, "{changes:?}");
    }
}

#[test]
fn refusals_are_complete_responses() {
    let text = |status, retry| String::from_utf8(refusal(status, retry)).expect("ASCII");
    assert_eq!(
        text(503, Some(7)),
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 7\r\n\
         Content-Type: text/plain\r\nContent-Length: 20\r\n\r\nService Unavailable\n"
    );
    assert!(text(426, None).contains("\r\nSec-WebSocket-Version: 13\r\n"));
    assert!(text(405, None).contains("\r\nAllow: GET\r\n"));
    for status in [400, 403, 404, 405, 408, 414, 426, 429, 431, 503] {
        assert!(!text(status, None).contains("Refused"), "{status} has its phrase");
    }
}

#[test]
fn echoes_the_first_known_subprotocol() {
    for (offer, encoding, echoed) in [
        ("hivewire.v1.json", Some(0), "\r\nSec-WebSocket-Protocol: hivewire.v1.json\r\n"),
        ("hivewire.v1.msgpack, hivewire.v1.json", Some(1), ": hivewire.v1.msgpack\r\n"),
        ("mqtt ,\t, hivewire.v1.json", Some(0), ": hivewire.v1.json\r\n"),
    ] {
        let upgrade = upgrade(&[("Sec-WebSocket-Protocol", offer)]).expect(offer);
        assert_eq!(upgrade.encoding, encoding, "{offer}");
        assert!(String::from_utf8_lossy(&upgrade.response).contains(echoed), "{offer}");
    }
}

#[test]
fn offers_may_come_in_several_headers() {
    let offers =
        [("Sec-WebSocket-Protocol", "mqtt"), ("Sec-WebSocket-Protocol", "hivewire.v1.json")];
    assert_eq!(upgrade(&offers).map(|upgrade| upgrade.encoding), Ok(Some(0)));
}

#[test]
fn without_own_subprotocols_offers_are_ignored() {
    let config = Config { subprotocols: Vec::new(), ..Config::default() };
    let upgrade = upgrade_with(&config, &[("Sec-WebSocket-Protocol", "mqtt")]).expect("ignored");
    assert_eq!(upgrade.encoding, None);
    assert!(!String::from_utf8_lossy(&upgrade.response).contains("Protocol:"));
}

#[test]
fn the_first_token_found_wins_and_is_no_offer() {
    const ITEM: (&str, &str) = ("Sec-WebSocket-Protocol", "hivewire.bearer.item, hivewire.v1.json");
    for (changes, token, encoding) in [
        (&[("Authorization", "Bearer a.b-c_d")][..], Some("a.b-c_d"), None),
        (&[("Authorization", "bearer   x ")], Some("x"), None),
        (&[("Authorization", "Basic eDp5")], None, None),
        (&[("Authorization", "Bearer ")], None, None),
        (&[("Authorization", "Bear")], None, None),
        (&[ITEM], Some("item"), Some(0)),
        (&[("Authorization", "Bearer head"), ITEM], Some("head"), Some(0)),
        (&[("Authorization", "Basic eDp5"), ITEM], Some("item"), Some(0)),
        (&[("Sec-WebSocket-Protocol", "hivewire.bearer.alone")], Some("alone"), None),
        (&[("Sec-WebSocket-Protocol", "hivewire.bearer.")], None, None),
    ] {
        let upgrade = upgrade(changes).unwrap_or_else(|refusal| panic!("{changes:?}: {refusal:?}"));
        assert_eq!(upgrade.bearer.as_deref(), token, "{changes:?}");
        assert_eq!(upgrade.encoding, encoding, "{changes:?}");
        assert!(!String::from_utf8_lossy(&upgrade.response).contains("bearer"), "never echoed");
    }
}

#[test]
fn compression_is_agreed_only_when_it_is_on() {
    const OFFER: [(&str, &str); 1] =
        [("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=10")];
    assert_eq!(upgrade(&OFFER).map(|upgrade| upgrade.deflate_bits), Ok(0));
    let config = Config { deflate: true, ..Config::default() };
    let agreed = upgrade_with(&config, &OFFER).expect("it is good");
    assert_eq!(agreed.deflate_bits, 10);
    assert!(String::from_utf8_lossy(&agreed.response).contains(
        "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
         client_no_context_takeover; server_max_window_bits=10\r\n"
    ));
}

#[test]
fn any_origin_may_be_allowed() {
    let config = Config { origins: Origins::Any, ..Config::default() };
    assert_eq!(status(upgrade_with(&config, &[("Origin", "null")])), 101);
}

#[test]
fn i9_thousands_of_subprotocols_are_refused() {
    let offer = "a,".repeat(4_000);
    assert_eq!(status(upgrade(&[("Sec-WebSocket-Protocol", &offer)])), 400);
}

#[test]
fn i9_any_byte_in_any_header_is_refused_or_harmless() {
    let names = GOOD.map(|(name, _)| name);
    let more = ["Origin", "Authorization", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"];
    for name in names.iter().chain(&more).chain(&["X-Any"]) {
        for byte in 0..=0xff_u8 {
            for inside in [&b"a?b"[..], b"?", b"\"?", b"hivewire.bearer.?", b"bearer ?"] {
                let mut bytes = request("GET /v1/ws HTTP/1.1", &[(name, "@")]);
                let at = bytes.iter().position(|byte| *byte == b'@').expect("it is there");
                let value: Vec<u8> =
                    inside.iter().map(|one| if *one == b'?' { byte } else { *one }).collect();
                bytes.splice(at..=at, value);
                let seen = Driver::server(Config::default()).read(&bytes);
                match &seen[..] {
                    [Seen::Upgrade(_) | Seen::Refused(400..=431, _)] => {}
                    other => panic!("{name} with {byte:#x}: {other:?}"),
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn i9_any_bytes_are_judged(bytes: Vec<u8>, line in "GET /v1/ws HTTP/1.1|") {
        let request = [line.as_bytes(), b"\r\n", &bytes, b"\r\n\r\n"].concat();
        let _ = parse(&request, &Config::default());
    }
}
