//! The bare engine as an echo server.

use crate::driver::{Client, Heard, config, frame, node, numbered};
use hivewire_engine::Config;
use hivewire_proto::frame::Opcode;
use std::io::Write;

fn echo() -> Config {
    Config {
        echo: true,
        path: "/".into(),
        subprotocols: false,
        control_per_second: 0,
        max_message: 16 << 20,
        max_fragments: 70_000,
        ..config()
    }
}

#[test]
fn every_message_comes_back_as_what_it_was() {
    let node = node(echo());
    let mut client = Client::dial(node.address).upgrade_with("/", "");
    client.says("text");
    client.sends_frame(Opcode::Binary, b"\xff\x00");
    client.says("");
    client.sends(&frame(Opcode::Text, false, b"in "));
    client.sends(&frame(Opcode::Continuation, true, b"pieces"));
    client.sends_frame(Opcode::Ping, b"ping");
    assert_eq!(client.hears(), Heard::Text("text".into()));
    assert_eq!(client.hears(), Heard::Binary(vec![0xff, 0]));
    assert_eq!(client.hears(), Heard::Text(String::new()));
    assert_eq!(client.hears(), Heard::Text("in pieces".into()));
    assert_eq!(client.hears(), Heard::Pong(b"ping".to_vec()));
    let large = numbered(1, 3 << 20);
    client.says(&large);
    assert!(client.hears_text() == large);
}

#[test]
fn an_echo_server_knows_no_bye() {
    let node = node(echo());
    let mut client = Client::dial(node.address).upgrade_with("/", "");
    client.sends(b"\x81\x02hi");
    client.hears_close(1002);
}

#[test]
fn messages_come_back_compressed_where_that_was_agreed() {
    let node = node(Config { deflate: true, ..echo() });
    let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut client = Client::dial(node.address).upgrade_with("/", offer);
    let mut plain = Client::dial(node.address).upgrade_with("/", "");
    let text = numbered(1, 20_000);
    for client in [&mut client, &mut plain] {
        client.says(&text);
        assert!(client.hears_text() == text);
    }
    assert!(node.figure("sent_bytes_total") < 22_000, "one of the two answers was short");
}

/// Who sends without reading is not read until he does: an echo costs bounded memory (I8).
#[test]
fn i8_who_does_not_read_his_echoes_is_not_read() {
    const MESSAGES: usize = 2_000;
    const LENGTH: usize = 8 * 1024;
    let node = node(Config { outbox_soft: 64 * 1024, ..echo() });
    let mut client = Client::dial_narrow(node.address).upgrade_with("/", "");
    let mut socket = client.socket.try_clone().expect("a descriptor");
    let writer = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            let text = numbered(number, LENGTH);
            let frame = frame(Opcode::Text, true, text.as_bytes());
            socket.write_all(&frame).expect("the node reads in the end");
        }
    });
    node.sees("outbox_bytes", |bytes| bytes > 64 * 1024);
    for number in 0..MESSAGES {
        assert!(client.hears_text() == numbered(number, LENGTH), "echo {number} is whole");
        assert!(node.figure("outbox_bytes") <= 256 * 1024);
    }
    writer.join().expect("everything was sent");
    assert_eq!(node.figure("slow_readers_total"), 0);
}
