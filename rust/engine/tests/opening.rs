//! Upgrade and `connect`: who gets in, how long it may take, how much a stranger may say.

use crate::driver::{Client, Node, Taken, config, node, request};
use hivewire_engine::Config;
use hivewire_proto::frame::Opcode;
use std::time::Duration;

/// The answer to a request, which is all that the node says.
fn asked(node: &Node, request: &str) -> String {
    let mut client = Client::dial(node.address);
    client.sends(request.as_bytes());
    client.reads_to_end()
}

#[test]
fn what_is_no_upgrade_to_the_right_path_is_refused_in_http() {
    let node = node(config());
    let good = request("/v1/ws", "");
    let origin = "Origin: https://elsewhere.example\r\n";
    let only_unknown = "Sec-WebSocket-Protocol: mqtt\r\n";
    let many = "X: 1\r\n".repeat(80);
    for (request, status) in [
        (request("/other", ""), 404),
        (good.replace("Upgrade: websocket\r\n", ""), 426),
        (good.replace("Version: 13", "Version: 8"), 426),
        (good.replace("GET", "POST"), 405),
        (good.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"), 400),
        (request("/v1/ws", origin), 403),
        (request("/v1/ws", only_unknown), 400),
        (request("/v1/ws", &many), 431),
        ("no HTTP at all\r\n\r\n".to_owned(), 400),
    ] {
        let answer = asked(&node, &request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
    }
    assert_eq!(node.figure("refused_total"), 9);
    assert_eq!(node.figure("upgrades_total"), 0);
    node.sees_connections(0);
}

#[test]
fn a_full_node_refuses_until_there_is_room() {
    let node = node(Config { max_connections: 1, ..config() });
    let first = node.opens();
    let answer = asked(&node, &request("/v1/ws", ""));
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("Retry-After: "), "{answer}");
    drop(first);
    node.sees_connections(0);
    node.opens();
}

#[test]
fn a_request_may_come_in_pieces() {
    let node = node(config());
    let mut client = Client::dial(node.address);
    let request = request("/v1/ws", "");
    let (first, second) = request.split_at(40);
    client.sends(first.as_bytes());
    node.sees("reads_total", |count| count == 1);
    client.sends(second.as_bytes());
    node.sees("upgrades_total", |count| count == 1);
}

#[test]
fn who_does_not_upgrade_in_time_is_told_408() {
    let node = node(Config { opening_ms: 150, ..config() });
    let mut silent = Client::dial(node.address);
    let mut slow = Client::dial(node.address);
    slow.sends(b"GET /v1/ws HTTP/1.1\r\nHost: ");
    for client in [&mut silent, &mut slow] {
        assert!(client.reads_to_end().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    }
    drop((silent, slow));
    node.sees_connections(0);
}

#[test]
fn who_does_not_connect_in_time_is_4502_and_pings_do_not_help() {
    let node = node(Config { opening_ms: 250, ..config() });
    let mut silent = node.opens();
    let mut pinging = node.opens();
    for _ in 0..3 {
        pinging.says("");
        pinging.hears_text();
        assert!(pinging.hears_nothing_for(Duration::from_millis(50)));
    }
    for client in [&mut silent, &mut pinging] {
        let bye = client.hears_bye(4502);
        assert!(bye.contains(r#""reconnect":false"#), "{bye}");
    }
    node.sees_connections(0);
}

/// 4502 would tell it not to come back, and it is the node that has not looked at its `connect`.
#[test]
fn who_has_spoken_waits_for_a_node_that_is_behind() {
    let mut node = node(Config { opening_ms: 200, ..config() });
    let mut client = node.opens();
    client.says("connect");
    assert!(client.hears_nothing_for(Duration::from_millis(400)));
    let Taken::Commands { conn, .. } = node.takes() else { panic!("its `connect`") };
    node.does(|engine| engine.pong(conn, 7));
    assert_eq!(client.hears_text(), r#"{"op":"pong","id":7,"head":0}"#);
    client.hears_bye(4502);
}

#[test]
fn who_is_never_answered_does_not_wait_for_ever() {
    let node = node(Config { opening_ms: 200, ..config() });
    let mut client = node.opens();
    client.says("[]");
    client.hears_bye(4502);
}

#[test]
fn a_session_has_no_opening_deadline() {
    let mut node = node(Config { opening_ms: 200, ..config() });
    let (mut client, _) = node.connects("ann", "phone");
    assert!(client.hears_nothing_for(Duration::from_millis(400)));
}

#[test]
fn a_stranger_may_say_four_kibibytes() {
    let mut node = node(config());
    let mut client = node.opens();
    client.says(&"x".repeat(2_000));
    client.says(&"x".repeat(2_000));
    node.sees("messages_received_total", |count| count == 2);
    client.says(&"x".repeat(200));
    client.hears_bye(4502);
    assert_eq!(node.fetches(10), 2, "the message that went over the bound is not handed on");
}

/// What comes in the same read as the request counts like the rest.
#[test]
fn a_stranger_may_not_say_more_with_the_request_either() {
    let mut node = node(config());
    let mut bytes = request("/v1/ws", "").into_bytes();
    bytes.extend(crate::driver::frame(Opcode::Text, true, &[b'x'; 5_000]));
    let mut client = Client::dial(node.address);
    client.sends(&bytes);
    client.hears_head();
    client.hears_bye(4502);
    assert_eq!(node.fetches(10), 0);
}

#[test]
fn frames_may_follow_the_request_at_once() {
    let mut node = node(config());
    let mut bytes = request("/v1/ws", "").into_bytes();
    bytes.extend(crate::driver::frame(Opcode::Text, true, b"connect"));
    let mut client = Client::dial(node.address);
    client.sends(&bytes);
    assert_eq!(node.takes_commands().1, ["connect"]);
}

/// A long token must not be stored once a message (I8): it counts, and it is there once an item.
#[test]
fn i8_a_token_is_handed_over_once_for_all_that_comes_with_it() {
    let mut node = node(config());
    let token = "t".repeat(6_000);
    let header = format!("Authorization: Bearer {token}\r\n");
    let mut client = Client::dial(node.address).upgrade_with("/v1/ws", &header);
    client.says_at_once(&["x"; 500]);
    let Taken::Commands { token: handed_over, frames, .. } = node.takes() else {
        panic!("commands")
    };
    assert_eq!((handed_over.as_deref(), frames.len()), (Some(token.as_str()), 500));
}

#[test]
fn the_wrong_kind_of_data_is_1003() {
    let node = node(config());
    let mut json = node.opens();
    json.sends_frame(Opcode::Binary, b"{}");
    json.hears_close(1003);
    let mut msgpack = Client::dial(node.address).upgrade_msgpack();
    msgpack.says("{}");
    msgpack.hears_close(1003);
}
