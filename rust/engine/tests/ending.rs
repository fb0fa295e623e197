//! How connections end: by the peer, by a breach, by order, with the node.

use crate::driver::{Client, Heard, Taken, config, frame, node, request, session};
use hivewire_engine::{Class, Config, Granted, NewSession};
use hivewire_proto::frame::Opcode;
use std::collections::HashSet;
use std::time::Duration;

#[test]
fn the_peers_close_is_echoed() {
    let mut node = node(config());
    for (body, echoed, code) in [
        (1000_u16.to_be_bytes().as_slice(), Some(1000), 1000),
        (4999_u16.to_be_bytes().as_slice(), Some(4999), 4999),
        (b"", None, 1005),
    ] {
        let (mut client, conn) = node.connects("ann", "phone");
        client.sends_frame(Opcode::Close, body);
        assert_eq!(client.hears(), Heard::Close(echoed, String::new()));
        assert_eq!(client.hears(), Heard::End);
        assert_eq!(node.takes_closed(conn), code);
    }
}

#[test]
fn what_was_said_before_the_close_is_still_heard() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    let mut bytes = frame(Opcode::Text, true, b"last");
    bytes.extend(frame(Opcode::Close, true, b""));
    bytes.extend(frame(Opcode::Text, true, b"after the end"));
    client.sends(&bytes);
    assert_eq!(node.takes_commands(), (conn, vec!["last".to_owned()]));
    assert_eq!(node.takes_closed(conn), 1005);
}

#[test]
fn what_was_said_before_hanging_up_is_still_heard() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    client.says("last");
    client.hangs_up();
    assert_eq!(node.takes_commands(), (conn, vec!["last".to_owned()]));
    assert_eq!(node.takes_closed(conn), 1006);
    assert_eq!(client.hears(), Heard::End);
}

#[test]
fn i9_a_reset_ends_one_connection_and_nothing_else() {
    let mut node = node(config());
    let (mut other, _) = node.connects("bob", "phone");
    let (client, conn) = node.connects("ann", "phone");
    client.resets();
    assert_eq!(node.takes_closed(conn), 1006);
    other.says("");
    other.hears_text();
    assert_eq!(node.figure("panics_total"), 0);
}

#[test]
fn i9_a_breach_of_the_protocol_ends_in_its_close_code() {
    let mut node = node(Config { max_message: 1_024, max_fragments: 2, ..config() });
    let unmasked = b"\x81\x02hi".to_vec();
    let reserved = frame(Opcode::Text, true, b"hi").iter().map(|b| b ^ 0x02).take(2).collect();
    let too_many = [
        frame(Opcode::Text, false, b"a"),
        frame(Opcode::Continuation, false, b"b"),
        frame(Opcode::Continuation, true, b"c"),
    ];
    for (bytes, code) in [
        (unmasked, 1002),
        (reserved, 1002),
        (frame(Opcode::Continuation, true, b"of nothing"), 1002),
        (frame(Opcode::Close, true, b"\x03"), 1002),
        (frame(Opcode::Close, true, &1005_u16.to_be_bytes()), 1002),
        (frame(Opcode::Text, true, b"\xff\xfe"), 1007),
        (frame(Opcode::Text, false, b"begun \xff"), 1007),
        (frame(Opcode::Text, true, &[b'x'; 1_025]), 1009),
        (too_many.concat(), 1009),
    ] {
        let (mut client, conn) = node.connects("ann", "phone");
        client.sends(&bytes);
        client.hears_close(code);
        drop(client);
        assert_eq!(node.takes_closed(conn), code);
    }
    assert_eq!(node.figure("protocol_errors_total"), 9);
    assert_eq!(node.figure("panics_total"), 0);
}

#[test]
fn i9_a_message_that_never_ends_is_1009() {
    let mut node = node(Config { fragments_ms: 150, ..config() });
    let (mut client, conn) = node.connects("ann", "phone");
    client.sends(&frame(Opcode::Text, false, b"begun"));
    client.hears_close(1009);
    drop(client);
    assert_eq!(node.takes_closed(conn), 1009);
}

/// After a breach the node throws away what comes, for a second, so that its Close is not lost in
/// a reset; then it goes, whatever the peer does.
#[test]
fn a_peer_that_goes_on_after_a_breach_is_cut_off() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    client.sends(b"\x81\x02hi");
    client.says("and on");
    assert!(matches!(client.hears(), Heard::Close(Some(1002), _)));
    assert_eq!(client.hears(), Heard::End);
    client.says("and on");
    assert_eq!(node.takes_closed(conn), 1002);
    assert_eq!(node.engine.connections(), 0);
}

#[test]
fn a_close_by_order_says_bye_and_is_the_last_word() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| {
        engine.send(conn, b"before");
        engine.close(conn, 4503, "kicked \"out\"", 0);
        engine.send(conn, b"after");
        engine.event("ann", 1, (b"{}", None), None);
    });
    assert_eq!(client.hears_text(), "before");
    let bye = client.hears_bye(4503);
    let said = r#"{"op":"bye","code":4503,"reason":"kicked 'out'","reconnect":false,"delay_ms":0}"#;
    assert_eq!(bye, said);
    assert_eq!(node.takes_closed(conn), 4503);
}

#[test]
fn a_client_that_speaks_on_after_bye_is_not_heard() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| engine.close(conn, 4503, "kicked", 0));
    client.hears_text();
    client.says("one more thing");
    assert!(matches!(client.hears(), Heard::Close(Some(4503), _)));
    client.sends_frame(Opcode::Close, &4503_u16.to_be_bytes());
    assert_eq!(node.takes_closed(conn), 4503);
}

#[test]
fn a_paused_node_lets_nobody_in_and_reads_no_commands() {
    let mut node = node(config());
    let heartbeat = Granted { interval_ms: 100, timeout_ms: 100, from_client: false };
    let fast = NewSession { heartbeat, ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&fast);
    node.engine.pause();
    let mut late = Client::dial(node.address);
    late.sends(request("/v1/ws", "").as_bytes());
    assert!(late.reads_to_end().starts_with("HTTP/1.1 503 "));
    client.says("unread");
    // Nobody reads, so nobody is given up for his silence.
    while let Some(Heard::Text(ping)) = client.hears_within(Duration::from_millis(500)) {
        assert_eq!(ping, r#"{"op":"ping","head":0}"#);
    }
    assert_eq!(node.figure("heartbeat_lost_total"), 0);
    node.does(|engine| engine.send(conn, b"answers still go out"));
    assert_eq!(client.hears_text(), "answers still go out");
    assert_eq!(node.fetches(10), 0);
}

/// 4502 would tell it not to come back, and it is the node that does not read its `connect`.
#[test]
fn a_paused_node_blames_nobody_for_not_connecting() {
    let node = node(Config { opening_ms: 200, ..config() });
    let mut client = node.opens();
    let mut engine = node.engine;
    engine.pause();
    client.says("connect");
    assert!(client.hears_nothing_for(Duration::from_millis(400)));
    engine.drain(0);
    client.hears_bye(4000);
}

#[test]
fn a_drain_says_bye_to_everybody_with_a_slot_for_each() {
    const SPREAD_MS: u64 = 10_000;
    let mut node = node(Config { shards: 2, ..config() });
    let mut clients: Vec<_> = (0..20).map(|n| node.connects("ann", &n.to_string()).0).collect();
    clients.push(node.opens());
    let mut dialled = Client::dial(node.address);
    node.sees("accepted_total", |count| count == 22);
    node.engine.pause();
    node.does(|engine| {
        engine.push("ann", (b"queued before", None), Class::Durable);
    });
    node.engine.drain(SPREAD_MS);
    let mut delays = HashSet::new();
    for (n, client) in clients.iter_mut().enumerate() {
        if n < 20 {
            assert_eq!(client.hears_text(), "queued before");
        }
        let bye = client.hears_bye(4000);
        assert!(bye.contains(r#""reconnect":true"#), "{bye}");
        let delay = bye.split_once(r#""delay_ms":"#).expect("a slot").1.trim_end_matches('}');
        delays.insert(delay.parse::<u64>().expect("a number"));
    }
    assert!(delays.iter().all(|&delay| delay <= SPREAD_MS));
    assert!(delays.len() > 10, "the slots are spread: {delays:?}");
    assert_eq!(dialled.reads_to_end(), "");
    node.sees_connections(0);
    let closed = |item: &Taken| matches!(item, Taken::Closed { code: 4000, .. });
    assert!((0..20).all(|_| closed(&node.takes())));
}

/// They are told some at a time, and nobody is forgotten on the way.
#[test]
fn a_drain_says_bye_to_a_crowd() {
    let mut node = node(config());
    let mut clients: Vec<_> = (0..600).map(|n| node.connects("ann", &n.to_string()).0).collect();
    node.engine.drain(0);
    for client in &mut clients {
        client.hears_bye(4000);
    }
    drop(clients);
    node.sees_connections(0);
}

#[test]
fn stop_ends_the_threads_and_with_them_every_socket() {
    let mut node = node(Config { shards: 2, ..config() });
    let mut clients: Vec<_> = (0..10).map(|n| node.connects("ann", &n.to_string()).0).collect();
    node.engine.stop();
    for client in &mut clients {
        assert!(matches!(client.hears(), Heard::End | Heard::Reset));
    }
    std::net::TcpStream::connect(node.address).expect_err("nobody listens");
    node.engine.stop();
}
