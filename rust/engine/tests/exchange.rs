//! Take and submit: what crosses the border, for whom, and in which order.

use crate::driver::{Client, Heard, Taken, config, node, session};
use hivewire_engine::ConnId;

#[test]
fn a_command_goes_in_and_its_answer_comes_out() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    client.says(r#"{"op":"send","id":7}"#);
    let session = Some(("ann".to_owned(), "phone".to_owned()));
    let frames = vec![r#"{"op":"send","id":7}"#.to_owned()];
    assert_eq!(node.takes(), Taken::Commands { conn, session, token: None, frames });
    node.does(|engine| engine.send(conn, br#"{"op":"sent","id":7}"#));
    assert_eq!(client.hears_text(), r#"{"op":"sent","id":7}"#);
}

#[test]
fn messages_that_come_together_are_one_item_in_their_order() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    client.says_at_once(&["one", "two", r#"{"op":"ping"}"#, "three"]);
    assert_eq!(node.takes_commands(), (conn, ["one", "two", "three"].map(String::from).to_vec()));
    assert_eq!(client.hears_text(), r#"{"op":"pong","head":0}"#);
}

#[test]
fn i8_a_take_hands_out_about_its_limit_of_messages_and_ends_and_rings_for_the_rest() {
    let mut node = node(config());
    let clients: Vec<_> = (0..6).map(|n| node.connects("ann", &n.to_string())).collect();
    for (mut client, _) in clients {
        client.says("hello");
        // The end of each comes as well, so that nothing of them is left behind.
        client.resets();
    }
    node.sees("connections", |count| count == 0);
    // Six messages and six ends: what is left is handed out below, when the doorbell has rung.
    for _ in 0..5 {
        assert_eq!(node.fetches(2), 2);
    }
    let mut ended = 0;
    let mut said = 0;
    while ended < 6 {
        match node.takes() {
            Taken::Closed { .. } => ended += 1,
            Taken::Commands { frames, .. } => said += frames.len(),
            Taken::Writable { .. } | Taken::Missed { .. } => panic!("nobody asked"),
        }
    }
    assert_eq!(said, 6);
}

#[test]
fn the_token_of_the_upgrade_comes_with_what_is_said_before_connected() {
    let mut node = node(config());
    let header = "Authorization: Bearer secret\r\n";
    let mut client = Client::dial(node.address).upgrade_with("/v1/ws", header);
    client.says_at_once(&["connect", "eager"]);
    let Taken::Commands { conn, session: None, token, frames } = node.takes() else {
        panic!("no session yet")
    };
    assert_eq!(token.as_deref(), Some("secret"));
    assert_eq!(frames, ["connect", "eager"]);
    node.does(|engine| engine.connected(conn, &session("ann", "phone"), b"connected"));
    assert_eq!(client.hears_text(), "connected");
    client.says("later");
    let Taken::Commands { session: Some(_), token, .. } = node.takes() else {
        panic!("a session by now")
    };
    assert_eq!(token, None);
}

/// The shard has published what was said before it learned of the session.
#[test]
fn what_was_said_while_connect_was_under_way_belongs_to_the_session() {
    let mut node = node(config());
    let mut client = node.opens();
    client.says("connect");
    let (conn, _) = node.takes_commands();
    client.says("eager");
    node.sees("messages_received_total", |count| count == 2);
    node.sees("batches_total", |count| count == 2);
    node.does(|engine| engine.connected(conn, &session("ann", "phone"), b"connected"));
    let Taken::Commands { session, frames, .. } = node.takes() else { panic!("commands") };
    assert_eq!(session, Some(("ann".to_owned(), "phone".to_owned())));
    assert_eq!(frames, ["eager"]);
}

#[test]
fn orders_for_what_is_gone_are_dropped_and_counted() {
    let mut node = node(config());
    let (client, old) = node.connects("ann", "phone");
    drop(client);
    assert_eq!(node.takes_closed(old), 1006);
    let (mut next, new) = node.connects("bob", "phone");
    assert_eq!(new.key().index, old.key().index, "the slot is used again");
    node.does(|engine| {
        engine.send(old, b"for the old one");
        engine.close(old, 4503, "kicked", 0);
        engine.send(ConnId::from_number(12_345), b"for nobody");
        engine.send(ConnId::from_number(u64::MAX), b"nor this");
        engine.send(new, b"for the new one");
    });
    assert_eq!(next.hears_text(), "for the new one");
    assert_eq!(node.figure("stale_orders_total"), 3, "the last names no shard at all");
}

#[test]
fn the_end_of_a_session_is_told_once_with_who_it_was() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    client.sends_frame(hivewire_proto::frame::Opcode::Close, &1000_u16.to_be_bytes());
    assert_eq!(client.hears(), Heard::Close(Some(1000), String::new()));
    assert_eq!(client.hears(), Heard::End);
    let session = Some(("ann".to_owned(), "phone".to_owned()));
    assert_eq!(node.takes(), Taken::Closed { conn, session, code: 1000 });
    assert!(node.engine.devices("ann").is_empty());
    assert_eq!(node.figure("sessions"), 0);
}

#[test]
fn who_never_connected_ends_without_a_word() {
    let mut node = node(config());
    drop(node.opens());
    drop(Client::dial(node.address));
    node.sees("accepted_total", |count| count == 2);
    node.sees_connections(0);
    let (_client, _) = node.connects("ann", "phone");
    assert_eq!(node.fetches(10), 0, "nothing lies in front of it");
}

#[test]
fn a_connection_that_went_before_its_connected_is_told_of_all_the_same() {
    let mut node = node(config());
    let mut client = node.opens();
    client.says("connect");
    let (conn, _) = node.takes_commands();
    drop(client);
    node.sees_connections(0);
    node.does(|engine| engine.connected(conn, &session("ann", "phone"), b"connected"));
    assert_eq!(node.engine.devices("ann"), ["phone"]);
    assert_eq!(node.engine.sessions_of("ann"), [(conn, "phone".to_owned())]);
    assert_eq!(node.takes_closed(conn), 1006);
    assert!(node.engine.devices("ann").is_empty(), "the directory has heard of it");
    assert!(node.engine.sessions_of("ann").is_empty());
}

#[test]
fn the_same_device_replaces_its_older_connection() {
    let mut node = node(config());
    let (mut old, old_conn) = node.connects("ann", "phone");
    let (mut other, _) = node.connects("ann", "laptop");
    let (mut new, _) = node.connects("ann", "phone");
    let bye = old.hears_bye(4505);
    assert!(bye.contains(r#""reconnect":false"#), "{bye}");
    assert_eq!(node.takes(), Taken::Closed { conn: old_conn, session: None, code: 4505 });
    let mut devices = node.engine.devices("ann");
    devices.sort();
    assert_eq!(devices, ["laptop", "phone"]);
    node.does(|engine| engine.event("ann", 1, (br#"{"n":1}"#, None), None));
    for client in [&mut other, &mut new] {
        assert_eq!(client.hears_text(), r#"{"op":"event","seq":1,"n":1}"#);
    }
}

#[test]
fn what_a_replaced_connection_still_says_is_void() {
    let mut node = node(config());
    let (mut old, old_conn) = node.connects("ann", "phone");
    let mut new = node.opens();
    new.says("connect");
    let (new_conn, _) = node.takes_commands();
    old.says("too late");
    node.sees("messages_received_total", |count| count == 3);
    node.sees("batches_total", |count| count == 4); // two connects, `Attached`, and this one
    node.does(|engine| engine.connected(new_conn, &session("ann", "phone"), b"connected"));
    assert_eq!(new.hears_text(), "connected");
    old.hears_bye(4505);
    assert_eq!(node.takes_closed(old_conn), 4505);
}
