//! What became of a submission: written, waiting in the outbox of a slow reader, lost with the line.

use crate::driver::{Node, node};
use crate::outbox::{ANSWER, SOFT, hears_answers, narrow, stuck};
use hivewire_engine::flushes::Fate;
use hivewire_engine::sys::monotonic_ns;
use hivewire_engine::{Passage, Way};

fn event(node: &mut Node, user: &str, seq: u64) -> u64 {
    node.engine.event(user, seq, (br#"{"n":1}"#, None), None);
    node.engine.dispatch()
}

/// The newest passage of a user who has one device, when the turn of it has come to its end.
fn passage(node: &mut Node, user: &str, number: u64) -> Passage {
    loop {
        let last = node.engine.passages(user, number).pop().expect("a session");
        if last.fate != Some(Fate::Handed) {
            return last;
        }
        std::thread::yield_now();
    }
}

#[test]
fn what_a_line_takes_at_once_left_with_its_turn() {
    let mut node = node(narrow());
    let (mut client, _) = node.connects("ann", "phone");
    let before = monotonic_ns();
    let number = event(&mut node, "ann", 1);
    client.hears_text();
    let told = passage(&mut node, "ann", number);
    let Some(Fate::Written(at_ns)) = told.fate else { panic!("it is written: {told:?}") };
    assert!((before..=monotonic_ns()).contains(&at_ns));
    assert_eq!((told.way, told.ended_ns), (Way::Event, None));
    assert_eq!(passage(&mut node, "ann", number - 2).way, Way::Page, "it was not there");
}

#[test]
fn what_a_slow_reader_was_given_waits_until_he_reads() {
    let mut node = node(narrow());
    let (mut client, _, sent) = stuck(&mut node, "ann", SOFT);
    let first = event(&mut node, "ann", 1);
    let told = passage(&mut node, "ann", first);
    assert!(matches!(told.fate, Some(Fate::Waiting(_))), "{told:?}");
    hears_answers(&mut client, sent);
    client.hears_text();
    node.sees("outbox_bytes", |bytes| bytes == 0);
    let number = event(&mut node, "ann", 2);
    client.hears_text();
    let (slow, quick) = (passage(&mut node, "ann", first), passage(&mut node, "ann", number));
    let (Some(Fate::Written(late)), Some(Fate::Written(next))) = (slow.fate, quick.fate) else {
        panic!("both are written: {slow:?}, {quick:?}");
    };
    assert!(late < next);
}

#[test]
fn what_waits_when_the_line_ends_is_lost() {
    let mut node = node(narrow());
    let (client, conn, _) = stuck(&mut node, "ann", 2 * ANSWER);
    let number = event(&mut node, "ann", 1);
    drop(client);
    node.takes_closed(conn);
    let told = passage(&mut node, "ann", number);
    assert!(matches!(told.fate, Some(Fate::Lost(_))), "{told:?}");
    assert!(told.ended_ns.is_some());
    assert_eq!(told.device, "phone");
}
