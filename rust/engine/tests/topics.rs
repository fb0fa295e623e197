//! Topics: one order reaches all their readers, and whoever missed something is told of.

use crate::driver::{Taken, config, node, session};
use crate::outbox::{SOFT, hears_answers, narrow, stuck};
use hivewire_engine::{Class, Config};
use std::time::Duration;

#[test]
fn a_publication_reaches_the_readers_of_its_topic_and_nobody_else() {
    let mut node = node(config());
    let (mut reader, reading) = node.connects("ann", "phone");
    let (mut leaver, leaving) = node.connects("bob", "phone");
    let (mut stranger, _) = node.connects("eve", "phone");
    node.does(|engine| {
        engine.subscribe(reading, "news");
        engine.subscribe(reading, "news");
        engine.subscribe(leaving, "news");
        engine.publish("news", (b"first", None), Class::Volatile);
        engine.unsubscribe(leaving, "news");
        engine.unsubscribe(leaving, "sport");
        engine.publish("news", (b"second", None), Class::Volatile);
        engine.publish("sport", (b"nobody reads this", None), Class::Volatile);
    });
    assert_eq!(reader.hears_text(), "first");
    assert_eq!(reader.hears_text(), "second");
    assert_eq!(leaver.hears_text(), "first");
    for client in [&mut reader, &mut leaver, &mut stranger] {
        assert!(client.hears_nothing_for(Duration::from_millis(20)));
    }
}

#[test]
fn a_subscription_ends_with_its_connection() {
    let mut node = node(config());
    let (client, conn) = node.connects("ann", "phone");
    node.does(|engine| engine.subscribe(conn, "news"));
    drop(client);
    node.takes_closed(conn);
    let (mut next, new) = node.connects("bob", "phone");
    assert_eq!(new.key().index, conn.key().index, "the slot is used again");
    node.does(|engine| engine.publish("news", (b"old news", None), Class::Volatile));
    assert!(next.hears_nothing_for(Duration::from_millis(20)));
}

/// A stranger must not be left in the table of readers when its slot gets a session.
#[test]
fn only_a_session_can_subscribe() {
    let mut node = node(config());
    let mut client = node.opens();
    client.says("connect");
    let (conn, _) = node.takes_commands();
    node.does(|engine| {
        engine.subscribe(conn, "news");
        engine.connected(conn, &session("ann", "phone"), b"connected");
        engine.publish("news", (b"too early", None), Class::Volatile);
        engine.subscribe(conn, "news");
        engine.publish("news", (b"now", None), Class::Volatile);
    });
    assert_eq!(client.hears_text(), "connected");
    assert_eq!(client.hears_text(), "now");
    client.resets();
    node.takes_closed(conn);
    let (mut next, _) = node.connects("bob", "phone");
    node.does(|engine| engine.publish("news", (b"old news", None), Class::Volatile));
    assert!(next.hears_nothing_for(Duration::from_millis(20)));
}

#[test]
fn all_devices_that_a_user_has_at_the_moment_can_be_subscribed_at_once() {
    let mut node = node(config());
    let (mut phone, _) = node.connects("ann", "phone");
    let (mut laptop, leaving) = node.connects("ann", "laptop");
    let (mut bob, _) = node.connects("bob", "phone");
    node.does(|engine| {
        engine.subscribe_user("ann", "news");
        engine.subscribe_user("nobody", "news");
        engine.publish("news", (b"first", None), Class::Volatile);
        engine.unsubscribe(leaving, "news");
    });
    let (mut late, _) = node.connects("ann", "watch");
    node.does(|engine| {
        engine.publish("news", (b"second", None), Class::Volatile);
        engine.unsubscribe_user("ann", "news");
        engine.unsubscribe_user("nobody", "news");
        engine.publish("news", (b"third", None), Class::Volatile);
    });
    assert_eq!((phone.hears_text(), phone.hears_text()), ("first".into(), "second".into()));
    assert_eq!(laptop.hears_text(), "first");
    for client in [&mut phone, &mut laptop, &mut late, &mut bob] {
        assert!(client.hears_nothing_for(Duration::from_millis(20)));
    }
}

#[test]
fn the_subscriptions_of_a_replaced_connection_end_at_once() {
    let mut node = node(config());
    let (mut old, conn) = node.connects("ann", "phone");
    node.does(|engine| engine.subscribe(conn, "news"));
    let (mut new, newer) = node.connects("ann", "phone");
    node.does(|engine| {
        engine.publish("news", (b"for nobody", None), Class::Volatile);
        engine.subscribe_user("ann", "news");
        engine.publish("news", (b"for the new one", None), Class::Volatile);
    });
    old.hears_bye(4505);
    assert_eq!(node.takes_closed(conn), 4505);
    assert_eq!(new.hears_text(), "for the new one");
    drop(new);
    node.takes_closed(newer);
}

#[test]
fn who_missed_publications_is_told_of_once_when_it_reads_again() {
    let mut node = node(narrow());
    let (mut slow, conn, sent) = stuck(&mut node, "ann", SOFT);
    let (mut quick, quick_conn) = node.connects("bob", "phone");
    let topics = ["music", "news", "sport", "weather"];
    node.does(|engine| {
        for topic in topics {
            engine.subscribe(conn, topic);
            engine.subscribe(quick_conn, topic);
        }
        for topic in ["sport", "news", "sport", "music"] {
            engine.publish(topic, (topic.as_bytes(), None), Class::Volatile);
        }
        engine.unsubscribe(conn, "music");
    });
    for topic in ["sport", "news", "sport", "music"] {
        assert_eq!(quick.hears_text(), topic);
    }
    assert_eq!(node.takes_within(Duration::from_millis(50)), None, "its outbox is still full");
    hears_answers(&mut slow, sent);
    let topics = vec!["news".to_owned(), "sport".to_owned()];
    assert_eq!(node.takes(), Taken::Missed { conn, user: "ann".to_owned(), topics });
    node.does(|engine| engine.publish("news", (b"newer", None), Class::Volatile));
    assert_eq!(slow.hears_text(), "newer");
    assert_eq!(node.takes_within(Duration::from_millis(20)), None, "once");
}

/// The kernel took it all, so the reader is not slow: Python hears of it in the same turn.
#[test]
fn i8_a_burst_over_the_soft_bound_in_one_turn_is_missed_too() {
    let mut node = node(Config { outbox_soft: 100, ..config() });
    let (mut client, conn) = node.connects("ann", "phone");
    node.does(|engine| {
        engine.subscribe(conn, "news");
        for _ in 0..5 {
            engine.publish("news", (&[b'x'; 60], None), Class::Volatile);
        }
    });
    let topics = vec!["news".to_owned()];
    assert_eq!(node.takes(), Taken::Missed { conn, user: "ann".to_owned(), topics });
    assert_eq!((client.hears_text().len(), client.hears_text().len()), (60, 60));
    assert!(client.hears_nothing_for(Duration::from_millis(20)));
}

#[test]
fn who_ends_before_it_reads_again_is_not_told_of() {
    let mut node = node(narrow());
    let (slow, conn, _) = stuck(&mut node, "ann", SOFT);
    node.does(|engine| {
        engine.subscribe(conn, "news");
        engine.publish("news", (b"missed", None), Class::Volatile);
    });
    node.sees("volatile_dropped_total", |count| count == 1);
    slow.resets();
    node.takes_closed(conn);
    assert_eq!(node.takes_within(Duration::from_millis(20)), None);
}

#[test]
fn what_is_durable_is_neither_dropped_nor_missed() {
    let mut node = node(narrow());
    let (mut slow, conn, sent) = stuck(&mut node, "ann", SOFT);
    node.does(|engine| {
        engine.subscribe(conn, "news");
        engine.publish("news", (b"kept", None), Class::Durable);
    });
    hears_answers(&mut slow, sent);
    assert_eq!(slow.hears_text(), "kept");
    assert_eq!(node.takes_within(Duration::from_millis(20)), None);
}
