//! Slow readers (I8): what is volatile goes first, what is durable waits or dooms, answers never.

use crate::driver::{Client, Heard, Node, Taken, config, node, numbered, session};
use hivewire_engine::{Class, Config, ConnId};
use std::time::Duration;

pub(crate) const SOFT: usize = 16 * 1024;
const HARD: usize = 256 * 1024;
pub(crate) const ANSWER: usize = 32 * 1024;

pub(crate) fn narrow() -> Config {
    Config { outbox_soft: SOFT, outbox_hard: HARD, ..config() }
}

/// A session whose client does not read, with more than `backlog` bytes of answers waiting for
/// it. Says how many answers were sent.
pub(crate) fn stuck(node: &mut Node, user: &str, backlog: usize) -> (Client, ConnId, usize) {
    let client = Client::dial_narrow(node.address).upgrade();
    let (client, conn) = node.admits(client, &session(user, "phone"));
    let before = node.figure("outbox_bytes");
    let mut sent = 0;
    while node.figure("outbox_bytes") <= before + u64::try_from(backlog).expect("small") {
        let turns = node.figure("turns_total");
        node.does(|engine| engine.send(conn, numbered(sent, ANSWER).as_bytes()));
        node.sees("turns_total", |now| now > turns);
        sent += 1;
        assert!(sent < 1_000, "the kernel takes everything");
    }
    (client, conn, sent)
}

/// The answers of [`stuck`], whole and in order.
pub(crate) fn hears_answers(client: &mut Client, sent: usize) {
    for number in 0..sent {
        assert_eq!(client.hears_text(), numbered(number, ANSWER));
    }
}

#[test]
fn over_the_soft_bound_only_what_is_volatile_is_dropped() {
    let mut node = node(narrow());
    let (mut client, conn, sent) = stuck(&mut node, "ann", SOFT);
    node.does(|engine| {
        engine.push("ann", (b"typing", None), Class::Volatile);
        engine.event("ann", 1, (br#"{"n":1}"#, None), None);
        engine.send(conn, b"answer");
    });
    node.sees("volatile_dropped_total", |count| count == 1);
    hears_answers(&mut client, sent);
    assert_eq!(client.hears_text(), r#"{"op":"event","seq":1,"n":1}"#);
    assert_eq!(client.hears_text(), "answer");
    node.sees("outbox_bytes", |bytes| bytes == 0);
    node.does(|engine| engine.push("ann", (b"typing", None), Class::Volatile));
    assert_eq!(client.hears_text(), "typing");
}

/// What the same turn has queued counts too, or a burst would pass the bound as a whole.
#[test]
fn i8_what_is_volatile_is_bounded_within_a_turn() {
    let mut node = node(narrow());
    let (mut client, conn) = node.connects("ann", "phone");
    let (other, _) = node.connects("bob", "phone");
    let push = numbered(0, SOFT / 4);
    node.does(|engine| {
        for _ in 0..4 {
            engine.push("ann", (push.as_bytes(), None), Class::Volatile);
            engine.send_volatile(conn, push.as_bytes());
        }
        engine.send(conn, b"answer");
        engine.push("bob", (b"typing", None), Class::Volatile);
    });
    for _ in 0..4 {
        assert_eq!(client.hears_text(), push);
    }
    assert_eq!(client.hears_text(), "answer");
    assert_eq!(node.figure("volatile_dropped_total"), 4);
    node.does(|engine| engine.send_volatile(conn, b"the next turn"));
    assert_eq!(client.hears_text(), "the next turn");
    drop(other);
}

#[test]
fn answers_never_doom_but_a_durable_push_over_the_hard_bound_does() {
    let mut node = node(narrow());
    let (mut client, conn, sent) = stuck(&mut node, "ann", HARD + ANSWER);
    let (mut other, _) = node.connects("ann", "laptop");
    assert_eq!(node.figure("slow_readers_total"), 0);
    node.does(|engine| {
        engine.event("ann", 1, (br#"{"n":1}"#, None), None);
    });
    node.sees("slow_readers_total", |count| count == 1);
    assert_eq!(other.hears_text(), r#"{"op":"event","seq":1,"n":1}"#);
    node.does(|engine| engine.send(conn, b"too late"));
    node.sees("stale_orders_total", |count| count == 1);
    // What the kernel had and the frame that was begun, then Close and nothing else.
    let mut heard = 0;
    let last = loop {
        match client.hears() {
            Heard::Text(text) => assert_eq!(text, numbered(heard, ANSWER)),
            last => break last,
        }
        heard += 1;
    };
    assert!(heard < sent, "what had not been begun was dropped");
    assert!(matches!(last, Heard::Close(Some(4003), _)), "no bye before it: {last:?}");
    client.hangs_up();
    assert_eq!(node.takes_closed(conn), 4003);
    assert_eq!(node.figure("outbox_bytes"), 0);
}

#[test]
fn a_reader_that_takes_nothing_for_too_long_is_doomed() {
    let mut node = node(Config { outbox_stall_ms: 200, ..narrow() });
    let (mut client, conn, _) = stuck(&mut node, "ann", 0);
    node.sees("slow_readers_total", |count| count == 1);
    while let Heard::Text(_) = client.hears() {}
    client.hangs_up();
    assert_eq!(node.takes_closed(conn), 4003);
}

/// All in all it takes longer than the stall; a third of the kernel's buffer, which has to be
/// free before the node hears of it, takes less.
#[test]
fn a_reader_that_takes_a_little_now_and_then_is_not() {
    const STEPS: usize = 10;
    let mut node = node(Config { outbox_stall_ms: 800, ..narrow() });
    let (mut client, _, sent) = stuck(&mut node, "ann", HARD);
    for number in 0..sent {
        assert_eq!(client.hears_text(), numbered(number, ANSWER));
        if number % sent.div_ceil(STEPS) == 0 {
            assert_eq!(node.takes_within(Duration::from_millis(100)), None);
        }
    }
    assert_eq!(node.figure("slow_readers_total"), 0);
}

#[test]
fn over_the_soft_bound_the_next_command_waits() {
    let mut node = node(narrow());
    let (mut client, conn, sent) = stuck(&mut node, "ann", SOFT);
    client.says("next");
    assert_eq!(node.takes_within(Duration::from_millis(100)), None);
    hears_answers(&mut client, sent);
    assert_eq!(node.takes_commands(), (conn, vec!["next".to_owned()]));
}

#[test]
fn writable_is_told_at_once_or_when_the_outbox_has_drained() {
    let mut node = node(narrow());
    let (_free, free_conn) = node.connects("bob", "phone");
    let session = |user: &str| Some((user.to_owned(), "phone".to_owned()));
    node.does(|engine| engine.notify(free_conn));
    assert_eq!(node.takes(), Taken::Writable { conn: free_conn, session: session("bob") });
    let (mut client, conn, sent) = stuck(&mut node, "ann", SOFT);
    node.does(|engine| engine.notify(conn));
    assert_eq!(node.takes_within(Duration::from_millis(100)), None);
    hears_answers(&mut client, sent);
    assert_eq!(node.takes(), Taken::Writable { conn, session: session("ann") });
    assert_eq!(node.takes_within(Duration::from_millis(20)), None, "once");
}

#[test]
fn writable_comes_after_what_was_queued_with_it() {
    let mut node = node(narrow());
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| {
        engine.send(conn, b"answer");
        engine.notify(conn);
    });
    assert!(matches!(node.takes(), Taken::Writable { .. }));
    assert_eq!(client.hears_text(), "answer");
}

#[test]
fn all_outboxes_together_are_bounded_too() {
    let total = 8 * ANSWER;
    let mut node = node(Config { outbox_total: total, outbox_hard: 64 << 20, ..narrow() });
    let (_first, ..) = stuck(&mut node, "ann", total / 2);
    node.does(|engine| engine.event("ann", 1, (b"{}", None), None));
    let (_second, ..) = stuck(&mut node, "bob", total);
    assert_eq!(node.figure("slow_readers_total"), 0, "answers do not count against it");
    node.does(|engine| engine.event("bob", 1, (b"{}", None), None));
    node.sees("slow_readers_total", |count| count == 1);
    node.sees("outbox_bytes", |bytes| bytes <= u64::try_from(total).expect("small"));
}

/// Blocked readers keep one copy of a shared tail between them; each gets all of it in order.
#[test]
fn slow_readers_of_the_same_events_get_them_whole_and_in_order() {
    const EVENTS: u64 = 400;
    let mut node = node(Config { outbox_hard: 64 << 20, ..narrow() });
    let mut clients: Vec<_> = (0..3)
        .map(|n| {
            let client = Client::dial_narrow(node.address).upgrade();
            node.admits(client, &session("ann", &n.to_string())).0
        })
        .collect();
    let body = numbered(1, 16 * 1024);
    for seq in 1..=EVENTS {
        node.does(|engine| engine.event("ann", seq, (body.as_bytes(), None), None));
    }
    for client in &mut clients {
        for seq in 1..=EVENTS {
            let event = format!("{{\"op\":\"event\",\"seq\":{seq},{}", &body[1..]);
            assert!(client.hears_text() == event, "event {seq} is not as it was sent");
        }
    }
    assert_eq!(node.figure("slow_readers_total"), 0);
}
