//! When Python is behind (I8): shards stop reading, TCP pushes back, nobody is given up meanwhile.

use crate::driver::{Node, config, node, numbered, session};
use hivewire_engine::{Class, Config, Granted, NewSession};
use hivewire_proto::frame::Opcode;
use std::io::Write;
use std::time::Duration;

const MESSAGES: usize = 20_000;
const LENGTH: usize = 512;

fn small() -> Config {
    Config { inbound_bytes: 64 * 1024, ..config() }
}

/// Takes until all messages are there, a few hundred at a time.
fn takes_all(node: &mut Node) {
    let mut number = 0;
    while number < MESSAGES {
        for text in node.takes_commands().1 {
            assert_eq!(text, numbered(number, LENGTH));
            number += 1;
        }
    }
}

#[test]
fn i8_reading_stops_at_the_bound_and_everything_arrives_after_it() {
    let mut node = node(small());
    let heartbeat = Granted { interval_ms: 100, timeout_ms: 100, from_client: false };
    let fast = NewSession { heartbeat, ..session("ann", "phone") };
    let (mut client, _) = node.connects_as(&fast);
    let mut socket = client.socket.try_clone().expect("a descriptor");
    let writer = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let text = numbered(number, LENGTH);
            let frame = crate::driver::frame(Opcode::Text, true, text.as_bytes());
            socket.write_all(&frame).expect("the node reads in the end");
        }
    });
    node.sees("read_stalls_total", |count| count == 1);
    // Longer than the heartbeat would have borne it, if its deadlines did not stand still.
    assert!(client.hears_nothing_for(Duration::from_millis(500)));
    let received = node.figure("messages_received_total");
    assert!(received < 1_000, "one read beyond the bound at most, not {received}");
    assert!(!writer.is_finished(), "TCP pushes back");
    // Answers go out all the same.
    node.does(|engine| engine.push("ann", (b"push", None), Class::Durable));
    assert_eq!(client.hears_text(), "push");
    takes_all(&mut node);
    writer.join().expect("everything was sent");
    assert_eq!(node.figure("heartbeat_lost_total"), 0);
}

#[test]
fn i8_all_connections_of_a_shard_wait_and_all_go_on() {
    let mut node = node(Config { inbound_bytes: 4 * 1024, ..config() });
    let mut clients: Vec<_> = (0..8).map(|n| node.connects("ann", &n.to_string()).0).collect();
    for client in &mut clients {
        client.says(&numbered(0, 8 * 1024));
    }
    node.sees("read_stalls_total", |count| count >= 1);
    for client in &mut clients {
        client.says("second");
    }
    let mut taken = 0;
    while taken < 16 {
        taken += node.takes_commands().1.len();
    }
}

/// A stranger that waits for a stalled node is not to blame for the time.
#[test]
fn the_time_to_connect_does_not_run_while_nobody_reads() {
    let mut node = node(Config { inbound_bytes: 4 * 1024, opening_ms: 300, ..config() });
    let (mut busy, _) = node.connects("ann", "phone");
    let mut waiting = node.opens();
    busy.says(&numbered(0, 8 * 1024));
    busy.says(&numbered(1, 8 * 1024));
    node.sees("read_stalls_total", |count| count == 1);
    waiting.says("connect");
    assert!(waiting.hears_nothing_for(Duration::from_millis(600)));
    let conn = loop {
        let (conn, texts) = node.takes_commands();
        if texts == ["connect"] {
            break conn;
        }
    };
    node.does(|engine| engine.connected(conn, &session("bob", "phone"), b"connected"));
    assert_eq!(waiting.hears_text(), "connected");
}
