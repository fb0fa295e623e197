//! A steady state allocates nothing: what one turn made serves the next.
//!
//! Counted over the whole process, so each runs in one of its own; the client's part works on
//! bytes that it made before.

use crate::driver::{Client, Node, config, frame, in_a_process_of_its_own, node};
use hivewire_engine::{Class, Config, ConnId, Inbound};
use hivewire_proto::frame::Opcode;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::convert::Infallible;
use std::io::Read;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WARM_UP: usize = 500;
const ROUNDS: usize = 2_000;

/// A list may still grow once, when a timer or a late peer comes in between.
const FEW: usize = 10;

/// Allocations of `ROUNDS` rounds, after some that may make what stays.
fn allocations(mut round: impl FnMut()) -> usize {
    (0..WARM_UP).for_each(|_| round());
    let region = Region::new(COUNTED);
    (0..ROUNDS).for_each(|_| round());
    let change = region.change();
    change.allocations + change.reallocations
}

#[test]
fn an_echo_allocates_nothing() {
    in_a_process_of_its_own("allocation::alone_echoes", 1_024);
}

#[test]
#[ignore = "counts allocations: run by an_echo_allocates_nothing in a process of its own"]
fn alone_echoes() {
    let node = node(Config { echo: true, subprotocols: false, path: "/".into(), ..config() });
    let mut client = Client::dial(node.address).upgrade_with("/", "");
    let message = frame(Opcode::Text, true, &[b'x'; 200]);
    let mut answer = [0; 204];
    let count = allocations(|| {
        client.sends(&message);
        client.socket.read_exact(&mut answer).expect("an echo");
    });
    assert!(count < FEW, "{count} in {ROUNDS} echoes");
}

#[test]
fn a_ping_allocates_nothing() {
    in_a_process_of_its_own("allocation::alone_pings", 1_024);
}

#[test]
#[ignore = "counts allocations: run by a_ping_allocates_nothing in a process of its own"]
fn alone_pings() {
    let mut node = node(Config { control_per_second: 0, ..config() });
    let (mut ann, _) = node.connects("ann", "phone");
    let asked = frame(Opcode::Text, true, br#"{"op":"ping"}"#);
    let mut answer = [0; 24];
    let count = allocations(|| {
        ann.sends(&asked);
        ann.socket.read_exact(&mut answer).expect("a pong");
    });
    assert_eq!(&answer[2..], br#"{"op":"pong","head":0}"#);
    assert!(count < FEW, "{count} in {ROUNDS} pings");
}

#[test]
fn a_command_with_its_answer_and_a_publication_allocates_nothing() {
    in_a_process_of_its_own("allocation::alone_commands", 1_024);
}

/// Python's own part is not in it; batches, parcels and what lies between them are.
#[test]
#[ignore = "counts allocations: run by a_command_with_… in a process of its own"]
fn alone_commands() {
    let mut node = node(config());
    let mut readers: Vec<(Client, ConnId)> =
        (0..20).map(|n| node.connects("bob", &n.to_string())).collect();
    let (mut ann, _) = node.connects("ann", "phone");
    node.does(|engine| readers.iter().for_each(|(_, conn)| engine.subscribe(*conn, "news")));
    let command = frame(Opcode::Text, true, br#"{"op":"say"}"#);
    let (mut answer, mut publication) = ([0; 6], [0; 6]);
    let count = allocations(|| {
        ann.sends(&command);
        while !answers(&mut node) {
            std::thread::yield_now();
        }
        ann.socket.read_exact(&mut answer).expect("an answer");
        for (reader, _) in &mut readers {
            reader.socket.read_exact(&mut publication).expect("a publication");
        }
    });
    assert_eq!((&answer[2..], &publication[2..]), (b"said".as_slice(), b"news".as_slice()));
    assert!(count < FEW, "{count} in {ROUNDS} commands");
}

/// Python's turn: take what there is, answer it and tell everybody. Whether there was anything.
fn answers(node: &mut Node) -> bool {
    let engine = &mut node.engine;
    engine.fetch();
    let mut asked = None;
    let taken = engine.drain_fetched(usize::MAX, |item| {
        if let Inbound::Commands { conn, .. } = item {
            asked = Some(conn);
        }
        Ok::<(), Infallible>(())
    });
    taken.unwrap_or_else(|never| match never {});
    let Some(conn) = asked else { return false };
    engine.send(conn, b"said");
    engine.publish("news", (b"news", None), Class::Durable);
    engine.dispatch();
    true
}
