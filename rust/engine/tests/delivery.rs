//! Fan-out: who gets an event, a push, a publication, and what stands in its head.

use crate::driver::{Client, Heard, Taken, config, node, numbered, session};
use hivewire_engine::{Class, ConnId, Engine, NewSession};

const TWIN: Option<&[u8]> = Some(b"\x81\xa1n\x01");

#[test]
fn an_event_reaches_every_live_device_and_the_sender_gets_its_answer_instead() {
    let mut node = node(config());
    let (mut sender, conn) = node.connects("ann", "phone");
    let (mut other, _) = node.connects("ann", "laptop");
    let not_live = NewSession { live: false, ..session("ann", "watch") };
    let (mut behind, _) = node.connects_as(&not_live);
    let (mut stranger, _) = node.connects("bob", "phone");
    node.does(|engine| {
        engine.event("ann", 5, (br#"{"n":1}"#, None), Some((conn, br#"{"op":"sent","id":2}"#)));
    });
    assert_eq!(sender.hears_text(), r#"{"op":"sent","id":2}"#);
    assert_eq!(other.hears_text(), r#"{"op":"event","seq":5,"n":1}"#);
    for (client, head) in [(&mut sender, 5), (&mut other, 5), (&mut behind, 0), (&mut stranger, 0)]
    {
        client.says(r#"{"op":"ping"}"#);
        assert_eq!(client.hears_text(), format!(r#"{{"op":"pong","head":{head}}}"#));
    }
}

#[test]
fn a_sender_that_is_not_live_gets_its_answer_and_keeps_its_position() {
    let mut node = node(config());
    let behind = NewSession { live: false, position: 3, ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&behind);
    node.does(|engine| engine.event("ann", 9, (b"{}", None), Some((conn, b"sent"))));
    assert_eq!(client.hears_text(), "sent");
    client.says("");
    assert_eq!(client.hears_text(), r#"{"op":"pong","head":3}"#);
}

#[test]
fn the_answer_to_a_sender_that_has_gone_goes_nowhere_and_the_others_get_the_event() {
    let mut node = node(config());
    let (gone, conn) = node.connects("ann", "phone");
    let (mut other, _) = node.connects("ann", "laptop");
    drop(gone);
    node.takes_closed(conn);
    node.does(|engine| engine.event("ann", 1, (br#"{"n":1}"#, None), Some((conn, b"sent"))));
    assert_eq!(other.hears_text(), r#"{"op":"event","seq":1,"n":1}"#);
}

#[test]
fn pages_and_syncing_switch_the_live_flag_and_move_the_position() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| {
        engine.syncing(conn, "ann");
        engine.event("ann", 1, (br#"{"n":1}"#, None), None);
        engine.page(conn, "ann", b"page one", 1, false);
        engine.event("ann", 2, (br#"{"n":2}"#, None), None);
        engine.page(conn, "ann", b"page two", 2, true);
        engine.event("ann", 3, (br#"{"n":3}"#, None), None);
        engine.pong(conn, 9);
    });
    assert_eq!(client.hears_text(), "page one");
    assert_eq!(client.hears_text(), "page two");
    assert_eq!(client.hears_text(), r#"{"op":"event","seq":3,"n":3}"#);
    assert_eq!(client.hears_text(), r#"{"op":"pong","id":9,"head":3}"#);
}

#[test]
fn a_msgpack_client_gets_its_twin_of_everything() {
    let mut node = node(config());
    let mut client = Client::dial(node.address).upgrade_msgpack();
    client.sends_frame(hivewire_proto::frame::Opcode::Binary, b"\x81\xa2op\xa7connect");
    let Taken::Commands { conn, .. } = node.takes() else { panic!("commands") };
    assert_eq!(conn.encoding(), 1);
    node.does(|engine| {
        engine.connected(conn, &session("ann", "phone"), b"\x80");
        engine.event("ann", 7, (br#"{"n":1}"#, TWIN), None);
        engine.push("ann", (b"json", TWIN), Class::Durable);
    });
    assert_eq!(client.hears(), Heard::Binary(b"\x80".to_vec()));
    let event = b"\x83\xa2op\xa5event\xa3seq\x07\xa1n\x01";
    assert_eq!(client.hears(), Heard::Binary(event.to_vec()));
    assert_eq!(client.hears(), Heard::Binary(b"\x81\xa1n\x01".to_vec()));
    for ping in [b"\x81\xa2op\xa4ping".as_slice(), b""] {
        client.sends_frame(hivewire_proto::frame::Opcode::Binary, ping);
        let pong = b"\x82\xa2op\xa4pong\xa4head\x07";
        assert_eq!(client.hears(), Heard::Binary(pong.to_vec()));
    }
}

/// Never a hole: who cannot be given an event comes back and resumes where it was.
#[test]
fn a_msgpack_client_without_a_twin_of_an_event_is_closed() {
    let mut node = node(config());
    let mut client = Client::dial(node.address).upgrade_msgpack();
    client.sends_frame(hivewire_proto::frame::Opcode::Binary, b"\x81\xa2op\xa7connect");
    let (conn, _) = node.takes_commands();
    node.does(|engine| {
        engine.connected(conn, &session("ann", "phone"), b"\x80");
        engine.event("ann", 7, (br#"{"n":1}"#, None), None);
        engine.event("ann", 8, (br#"{"n":2}"#, TWIN), None);
    });
    assert_eq!(client.hears(), Heard::Binary(b"\x80".to_vec()));
    let Heard::Binary(bye) = client.hears() else { panic!("bye is an object") };
    assert!(bye.starts_with(b"\x85\xa2op\xa3bye\xa4code\xcd\x0f\xa6"), "4006, and no event");
    client.hears_close(4006);
    assert_eq!(node.takes_closed(conn), 4006);
}

/// The fan-out of an event to a group, as one order.
fn event_to(engine: &mut Engine, members: &[(&str, u64)], body: &str, origin: Option<ConnId>) {
    let origin = origin.map(|conn| (conn, b"sent".as_slice()));
    let mut event = engine.fan_out((body.as_bytes(), TWIN), origin);
    for &(user, seq) in members {
        event.to(user, seq);
    }
    event.end();
}

#[test]
fn one_event_goes_to_many_users_each_with_a_position_of_its_own() {
    let mut node = node(config());
    let (mut ann, conn) = node.connects("ann", "phone");
    let (mut laptop, _) = node.connects("ann", "laptop");
    let (mut bob, _) = node.connects("bob", "phone");
    let (mut eve, _) = node.connects_as(&NewSession { live: false, ..session("eve", "phone") });
    let members = [("bob", 90), ("ann", 5), ("nobody", 3), ("eve", 7)];
    node.does(|engine| {
        event_to(engine, &members, r#"{"n":1}"#, Some(conn));
        engine.event("bob", 91, (br#"{"n":2}"#, None), None);
    });
    assert_eq!(ann.hears_text(), "sent");
    assert_eq!(laptop.hears_text(), r#"{"op":"event","seq":5,"n":1}"#);
    assert_eq!(bob.hears_text(), r#"{"op":"event","seq":90,"n":1}"#);
    assert_eq!(bob.hears_text(), r#"{"op":"event","seq":91,"n":2}"#);
    for (client, head) in [(&mut ann, 5), (&mut laptop, 5), (&mut bob, 91), (&mut eve, 0)] {
        client.says("");
        assert_eq!(client.hears_text(), format!(r#"{{"op":"pong","head":{head}}}"#));
    }
}

#[test]
fn a_sender_outside_of_the_recipients_gets_its_answer_by_itself() {
    let mut node = node(config());
    let (mut ann, conn) = node.connects("ann", "phone");
    let (mut bob, _) = node.connects("bob", "phone");
    node.does(|engine| {
        event_to(engine, &[("bob", 1)], r#"{"n":1}"#, Some(conn));
        event_to(engine, &[], r#"{"n":2}"#, Some(conn));
    });
    assert_eq!(bob.hears_text(), r#"{"op":"event","seq":1,"n":1}"#);
    assert_eq!((ann.hears_text(), ann.hears_text()), ("sent".to_owned(), "sent".to_owned()));
    ann.says("");
    assert_eq!(ann.hears_text(), r#"{"op":"pong","head":0}"#, "its position stays");
}

/// One that has gone, one that is doomed, one without a twin: the others notice nothing.
#[test]
fn a_recipient_that_cannot_be_served_harms_no_other() {
    let mut node = node(hivewire_engine::Config { outbox_hard: 256 * 1024, ..config() });
    let (gone, gone_conn) = node.connects("gone", "phone");
    let slow = Client::dial_narrow(node.address).upgrade();
    let (slow, _) = node.admits(slow, &session("slow", "phone"));
    let mut twin = Client::dial(node.address).upgrade_msgpack();
    twin.sends_frame(hivewire_proto::frame::Opcode::Binary, b"\x81\xa2op\xa7connect");
    let (conn, _) = node.takes_commands();
    node.does(|engine| engine.connected(conn, &session("twin", "phone"), b"\x80"));
    assert_eq!(twin.hears(), Heard::Binary(b"\x80".to_vec()));
    let (mut fine, _) = node.connects("fine", "phone");
    drop(gone);
    node.takes_closed(gone_conn);
    let members = ["gone", "slow", "twin", "fine"];
    let mut sent = 0;
    while node.figure("slow_readers_total") == 0 {
        sent += 1;
        let body = numbered(0, 60_000);
        node.does(|engine| {
            let mut event = engine.fan_out((body.as_bytes(), None), None);
            for user in members {
                event.to(user, sent);
            }
            event.end();
        });
        let event = format!("{{\"op\":\"event\",\"seq\":{sent},{}", &body[1..]);
        assert_eq!(fine.hears_text(), event);
        assert!(sent < 1_000, "the kernel takes everything");
    }
    let Heard::Binary(bye) = twin.hears() else { panic!("bye is an object") };
    assert!(bye.starts_with(b"\x85\xa2op\xa3bye\xa4code\xcd\x0f\xa6"), "4006, and no event");
    drop(slow);
}

/// A shard stores the tail of an event once; all recipients but the first refer to it.
#[test]
fn a_shared_tail_arrives_whole_in_both_encodings() {
    let mut node = node(config());
    let mut texts: Vec<_> = (0..3).map(|n| node.connects("ann", &n.to_string()).0).collect();
    let mut twins = Vec::new();
    for device in ["four", "five", "six"] {
        let mut client = Client::dial(node.address).upgrade_msgpack();
        client.sends_frame(hivewire_proto::frame::Opcode::Binary, b"\x81\xa2op\xa7connect");
        let (conn, _) = node.takes_commands();
        node.does(|engine| engine.connected(conn, &session("ann", device), b"\x80"));
        assert_eq!(client.hears(), Heard::Binary(b"\x80".to_vec()));
        twins.push(client);
    }
    let lengths = [20, 120, 127, 128, 250, 600, 66_000];
    let binary = |len: usize| {
        let size = u16::try_from(len.min(60_000)).expect("short");
        let mut body = b"\x81\xa1n\xc5".to_vec();
        body.extend(size.to_be_bytes());
        body.resize(body.len() + usize::from(size), b'x');
        body
    };
    node.does(|engine| {
        for (seq, &len) in (1..).zip(&lengths) {
            engine.event("ann", seq, (numbered(len, len).as_bytes(), Some(&binary(len))), None);
        }
    });
    for (seq, &len) in (1..).zip(&lengths) {
        let event = format!("{{\"op\":\"event\",\"seq\":{seq},{}", &numbered(len, len)[1..]);
        for client in &mut texts {
            assert_eq!(client.hears_text(), event);
        }
        let mut event = b"\x83\xa2op\xa5event\xa3seq".to_vec();
        event.push(seq);
        event.extend(&binary(len)[1..]);
        for client in &mut twins {
            assert_eq!(client.hears(), Heard::Binary(event.clone()));
        }
    }
}

/// With every length that a frame header has.
#[test]
fn large_bodies_are_shared_and_arrive_whole() {
    let mut node = node(config());
    let mut clients: Vec<_> = (0..4).map(|n| node.connects("ann", &n.to_string()).0).collect();
    let (mut bob, _) = node.connects("bob", "phone");
    let bodies: Vec<String> =
        [50, 125, 126, 65_500, 70_000].iter().map(|&len| numbered(len, len)).collect();
    node.does(|engine| {
        for (seq, body) in (1..).zip(&bodies) {
            engine.event("ann", seq, (body.as_bytes(), None), None);
            engine.event("bob", seq + 100, (body.as_bytes(), None), None);
        }
    });
    for (seq, body) in (1..).zip(&bodies) {
        let event = |seq: u64| format!("{{\"op\":\"event\",\"seq\":{seq},{}", &body[1..]);
        for client in &mut clients {
            assert_eq!(client.hears_text(), event(seq));
        }
        assert_eq!(bob.hears_text(), event(seq + 100));
    }
}

/// Compressed once a turn for all that share it; who did not agree to it gets it plain.
#[test]
fn compressed_and_plain_readers_get_the_same() {
    let mut node = node(hivewire_engine::Config { deflate: true, ..config() });
    let offer = "Sec-WebSocket-Protocol: hivewire.v1.json\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let mut clients = vec![node.connects("ann", "plain")];
    for device in ["one", "two"] {
        let client = Client::dial(node.address).upgrade_with("/v1/ws", offer);
        clients.push(node.admits(client, &session("ann", device)));
    }
    let (short, long) = (numbered(1, 60), numbered(2, 5_000));
    node.does(|engine| {
        for (_, conn) in &clients {
            engine.subscribe(*conn, "news");
        }
        for (seq, body) in (1..).zip([&short, &long]) {
            engine.event("ann", seq, (body.as_bytes(), None), None);
            engine.publish("news", (body.as_bytes(), None), Class::Durable);
        }
    });
    for (client, _) in &mut clients {
        for (seq, body) in (1..).zip([&short, &long]) {
            let event = format!("{{\"op\":\"event\",\"seq\":{seq},{}", &body[1..]);
            assert_eq!(client.hears_text(), event);
            assert_eq!(&client.hears_text(), body);
        }
    }
}

#[test]
fn a_push_reaches_all_devices_live_or_not() {
    let mut node = node(config());
    let (mut live, _) = node.connects("ann", "phone");
    let not_live = NewSession { live: false, ..session("ann", "watch") };
    let (mut behind, _) = node.connects_as(&not_live);
    node.does(|engine| engine.push("ann", (b"typing", None), Class::Volatile));
    assert_eq!(live.hears_text(), "typing");
    assert_eq!(behind.hears_text(), "typing");
}
