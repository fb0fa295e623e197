//! Signs of life, the pings that ask for them, and the clocks that end a session.

use crate::driver::{Heard, config, node, session};
use hivewire_engine::sys::unix_ms;
use hivewire_engine::{Config, Granted, NewSession};
use hivewire_proto::frame::Opcode;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

const PING: &str = r#"{"op":"ping","head":0}"#;

fn every(interval_ms: u64, timeout_ms: u64) -> Granted {
    Granted { interval_ms, timeout_ms, from_client: false }
}

fn unix_s() -> u32 {
    u32::try_from(unix_ms() / 1_000).expect("before 2106")
}

#[test]
fn two_unanswered_pings_and_the_line_is_dead() {
    let mut node = node(config());
    let fast = NewSession { heartbeat: every(100, 100), ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&fast);
    assert_eq!(client.hears_text(), PING);
    assert_eq!(client.hears_text(), PING);
    client.hears_close(4004);
    assert_eq!(node.takes_closed(conn), 4004);
    assert_eq!(node.figure("pings_sent_total"), 2);
    assert_eq!(node.figure("heartbeat_lost_total"), 1);
}

/// Everybody comes back at once when a node has started: as they are asked first, so ever after.
#[test]
fn who_comes_right_after_the_start_is_not_asked_together_with_all_others() {
    const MANY: u64 = 60;
    let mut node = node(config());
    let comes = |number: u64| {
        let user = number.to_string();
        node.connects_as(&NewSession { heartbeat: every(3_000, 60_000), ..session(&user, "tv") })
    };
    let _lines: Vec<_> = (0..MANY).map(comes).collect();
    let seen = RefCell::new(BTreeSet::new());
    node.sees("pings_sent_total", |count| {
        seen.borrow_mut().insert(count);
        std::thread::sleep(Duration::from_millis(10));
        count == MANY
    });
    let steps = seen.borrow().len();
    assert!(
        steps > 8,
        "their first pings come within one and a half seconds, not in {steps} ticks"
    );
}

#[test]
fn an_answered_ping_begins_a_new_silence() {
    let mut node = node(config());
    let fast = NewSession { heartbeat: every(100, 100), ..session("ann", "phone") };
    let (mut client, _) = node.connects_as(&fast);
    // Any frame is an answer.
    let answers: [(Opcode, &[u8]); 5] = [
        (Opcode::Text, br#"{"op":"pong"}"#),
        (Opcode::Pong, b""),
        (Opcode::Text, br#"{"op":"pong"}"#),
        (Opcode::Text, br#"{"op":"ack","seq":0}"#),
        (Opcode::Text, br#"{"op":"pong"}"#),
    ];
    for (opcode, payload) in answers {
        assert_eq!(client.hears_text(), PING);
        client.sends_frame(opcode, payload);
    }
    assert_eq!(node.figure("heartbeat_lost_total"), 0);
    assert_eq!(node.takes_commands().1, [r#"{"op":"ack","seq":0}"#], "a pong is no command");
}

#[test]
fn a_busy_line_carries_no_pings() {
    let mut node = node(config());
    let fast = NewSession { heartbeat: every(300, 100), ..session("ann", "phone") };
    let (mut client, _) = node.connects_as(&fast);
    for _ in 0..10 {
        client.says("busy");
        assert!(client.hears_nothing_for(Duration::from_millis(50)));
    }
    assert_eq!(node.figure("pings_sent_total"), 0);
}

#[test]
fn a_client_that_drives_is_not_asked_and_is_given_up_when_it_is_silent() {
    let mut node = node(config());
    let heartbeat = Granted { interval_ms: 150, timeout_ms: 50, from_client: true };
    let driving = NewSession { heartbeat, position: 6, ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&driving);
    for _ in 0..6 {
        assert!(client.hears_nothing_for(Duration::from_millis(100)));
        client.says(r#"{"op":"ping"}"#);
        assert_eq!(client.hears_text(), r#"{"op":"pong","head":6}"#);
    }
    client.hears_close(4004);
    assert_eq!(node.takes_closed(conn), 4004);
    assert_eq!(node.figure("pings_sent_total"), 0);
}

#[test]
fn a_heartbeat_can_be_changed_on_the_line() {
    let mut node = node(config());
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| engine.heartbeat(conn, b"granted", every(100, 100)));
    assert_eq!(client.hears_text(), "granted");
    assert_eq!(client.hears_text(), PING);
}

#[test]
fn pings_of_every_kind_are_answered_even_before_connect() {
    let mut node = node(config());
    let mut client = node.opens();
    client.says(r#"{"op":"ping"}"#);
    assert_eq!(client.hears_text(), r#"{"op":"pong","head":0}"#);
    client.says("");
    assert_eq!(client.hears_text(), r#"{"op":"pong","head":0}"#);
    client.sends_frame(Opcode::Ping, b"payload");
    assert_eq!(client.hears(), Heard::Pong(b"payload".to_vec()));
    client.says(r#"{"op": "ping"}"#);
    assert_eq!(node.takes_commands().1, [r#"{"op": "ping"}"#], "another spelling is a command");
}

#[test]
fn a_flood_of_pings_is_4013() {
    let mut node = node(Config { control_per_second: 1, ..config() });
    let (mut client, conn) = node.connects("ann", "phone");
    // Ten are allowed in ten seconds, of whatever kind.
    for _ in 0..5 {
        client.sends_frame(Opcode::Ping, b"");
        assert_eq!(client.hears(), Heard::Pong(Vec::new()));
        client.says("");
        client.hears_text();
    }
    client.says_at_once(&[r#"{"op":"ping"}"#, "not heard any more"]);
    assert_eq!(client.hears_text(), r#"{"op":"pong","head":0}"#);
    client.hears_bye(4013);
    assert_eq!(node.takes_closed(conn), 4013);
}

#[test]
fn a_session_ends_with_its_token() {
    let mut node = node(config());
    let ending = NewSession { expires_s: unix_s(), ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&ending);
    let bye = client.hears_bye(4002);
    assert!(bye.contains(r#""reconnect":true"#), "{bye}");
    assert_eq!(node.takes_closed(conn), 4002);
}

#[test]
fn a_refresh_moves_the_end() {
    let mut node = node(config());
    let ending = NewSession { expires_s: unix_s() + 1, ..session("ann", "phone") };
    let (mut client, conn) = node.connects_as(&ending);
    node.does(|engine| engine.refresh(conn, b"refreshed", unix_s() + 1_000));
    assert_eq!(client.hears_text(), "refreshed");
    assert!(client.hears_nothing_for(Duration::from_millis(1_200)), "beyond the old end");
    node.does(|engine| engine.refresh(conn, b"shortened", unix_s()));
    assert_eq!(client.hears_text(), "shortened");
    client.hears_bye(4002);
}
