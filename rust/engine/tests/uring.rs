//! The flush of many connections together: what arrives is the same with `io_uring` and without.

use crate::driver::{Client, Node, config, node, numbered, session};
use hivewire_engine::sys::Sends;
use hivewire_engine::{Class, Config, ConnId};

/// More than go into the kernel together.
const CROWD: usize = 150;
/// Readers that are slow together.
const SLOW: usize = 6;

/// The promise, with the ring (where the kernel grants one) and without it.
fn both_ways(promise: impl Fn(Node)) {
    let granted = Sends::new(1).is_ok();
    for io_uring in [true, false] {
        let node = node(Config { io_uring, ..config() });
        assert_eq!(node.figure("io_uring"), u64::from(io_uring && granted));
        promise(node);
    }
}

/// Whether connections were written to together exactly where that is on.
fn used_the_ring(node: &Node) -> bool {
    (node.figure("uring_writes_total") > 0) == (node.figure("io_uring") == 1)
}

fn reads_news(node: &mut Node, client: Client, number: usize) -> (Client, ConnId) {
    let (client, conn) = node.admits(client, &session(&format!("user-{number}"), "phone"));
    node.does(|engine| engine.subscribe(conn, "news"));
    (client, conn)
}

#[test]
fn a_crowd_hears_everything_in_order() {
    both_ways(|mut node| {
        let mut crowd: Vec<_> = (0..CROWD)
            .map(|number| {
                let client = node.opens();
                reads_news(&mut node, client, number)
            })
            .collect();
        // By one piece, by several, and too large to go together.
        let large = numbered(2, 20_000);
        for text in ["one piece", large.as_str()] {
            node.does(|engine| engine.publish("news", (text.as_bytes(), None), Class::Durable));
            node.does(|engine| {
                for (_, conn) in &crowd {
                    engine.send(*conn, b"answer");
                }
                engine.publish("news", (b"gathered", None), Class::Durable);
            });
            for (client, _) in &mut crowd {
                assert_eq!(client.hears_text(), text);
                assert_eq!(client.hears_text(), "answer");
                assert_eq!(client.hears_text(), "gathered");
            }
        }
        assert!(used_the_ring(&node));
    });
}

#[test]
fn what_the_kernel_does_not_take_comes_later_and_whole() {
    both_ways(|mut node| {
        let mut slow: Vec<_> = (0..SLOW)
            .map(|number| {
                let client = Client::dial_narrow(node.address).upgrade();
                reads_news(&mut node, client, number).0
            })
            .collect();
        let (mut sent, mut after_the_first_backlog) = (0, 0);
        while after_the_first_backlog < 3 {
            let turns = node.figure("turns_total");
            let text = numbered(sent, 12_000);
            node.does(|engine| engine.publish("news", (text.as_bytes(), None), Class::Durable));
            node.sees("turns_total", |now| now > turns);
            sent += 1;
            after_the_first_backlog += usize::from(node.figure("outbox_bytes") > 0);
            assert!(sent < 1_000, "the kernel takes everything");
        }
        for client in &mut slow {
            for number in 0..sent {
                assert_eq!(client.hears_text(), numbered(number, 12_000));
            }
        }
        node.sees("outbox_bytes", |bytes| bytes == 0);
        assert!(used_the_ring(&node));
    });
}

#[test]
fn who_has_gone_is_closed_and_nobody_else_notices() {
    both_ways(|mut node| {
        let mut crowd: Vec<_> = (0..SLOW)
            .map(|number| {
                let client = node.opens();
                reads_news(&mut node, client, number)
            })
            .collect();
        let (gone, conn) = crowd.remove(SLOW / 2);
        gone.resets();
        node.does(|engine| engine.publish("news", (b"who is there?", None), Class::Durable));
        for (client, _) in &mut crowd {
            assert_eq!(client.hears_text(), "who is there?");
        }
        node.takes_closed(conn);
        assert!(used_the_ring(&node));
    });
}
