//! Who gets in: rates of newcomers, what they catch up with, and the bound on memory.

use crate::driver::{Client, Heard, Node, config, in_a_process_of_its_own, node, request, session};
use hivewire_engine::admission::Rate;
use hivewire_engine::config::Admission;
use hivewire_engine::sys::monotonic_ns;
use hivewire_engine::{Config, Granted, NewSession};
use std::net::TcpStream;
use std::time::Duration;

const BALLAST: usize = 64 << 20;

fn asked(node: &Node) -> String {
    let mut client = Client::dial(node.address);
    client.sends(request("/v1/ws", "").as_bytes());
    client.hears_head()
}

fn assert_come_back_later(answer: &str, status: u16) -> u64 {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (_, after) = answer.split_once("Retry-After: ").expect("a time to come back");
    let seconds = after.split('\r').next().unwrap_or("").parse().expect("a number");
    assert!((1..=10).contains(&seconds), "{seconds}");
    seconds
}

#[test]
fn more_newcomers_than_the_rate_are_told_to_come_back_later() {
    let upgrades = Rate { per_second: 1, burst: 3 };
    let admission = Admission { upgrades, ..Admission::default() };
    let node = node(Config { admission, ..config() });
    let inside: Vec<Client> = (0..3).map(|_| node.opens()).collect();
    assert_come_back_later(&asked(&node), 503);
    assert_eq!(node.figure("refused_rate_total"), 1);
    let mut later = asked(&node);
    while later.starts_with("HTTP/1.1 503 ") {
        later = asked(&node);
    }
    assert!(later.starts_with("HTTP/1.1 101 "), "{later}");
    drop(inside);
}

/// One a second is let in, so each is told to come a second after the one before him.
#[test]
fn who_is_refused_is_told_when_his_turn_is() {
    let upgrades = Rate { per_second: 1, burst: 1 };
    let admission = Admission { upgrades, ..Admission::default() };
    let node = node(Config { admission, ..config() });
    let _inside = node.opens();
    let began = monotonic_ns();
    let mut refused = 0;
    while refused < 8 {
        let answer = asked(&node);
        if answer.starts_with("HTTP/1.1 101 ") {
            // A second has gone by, so one was let in.
            continue;
        }
        refused += 1;
        let told = assert_come_back_later(&answer, 503);
        let gone = (monotonic_ns() - began) / 1_000_000_000 + 1;
        assert!(told <= refused && told + gone >= refused, "{told}, {refused}, after {gone} s");
    }
}

/// A client that has waited too long hangs up, and its request is still there to be read.
#[test]
fn who_has_hung_up_meanwhile_takes_no_token() {
    let upgrades = Rate { per_second: 1, burst: 1 };
    let admission = Admission { upgrades, ..Admission::default() };
    let node = node(Config { admission, ..config() });
    // A thousand are taken at once, and a thousand a second: whoever comes now waits for long.
    let dial = || TcpStream::connect(node.address).expect("the node listens");
    let _before: Vec<TcpStream> = (0..4_000).map(|_| dial()).collect();
    let hangs_up = || {
        let mut client = Client::dial(node.address);
        client.sends(request("/v1/ws", "").as_bytes());
        client.hangs_up();
        client
    };
    let mut gone: Vec<Client> = (0..20).map(|_| hangs_up()).collect();
    assert!(gone.iter_mut().all(|client| client.reads_to_end().is_empty()));
    node.opens();
}

/// What is no valid upgrade is told so, and takes nothing of the rate.
#[test]
fn bad_requests_take_no_tokens() {
    let upgrades = Rate { per_second: 1, burst: 1 };
    let admission = Admission { upgrades, ..Admission::default() };
    let node = node(Config { admission, ..config() });
    for _ in 0..20 {
        let mut client = Client::dial(node.address);
        client.sends(b"GET /v1/ws HTTP/1.1\r\n\r\n");
        assert!(client.hears_head().starts_with("HTTP/1.1 4"));
    }
    node.opens();
}

#[test]
fn who_comes_while_others_catch_up_with_much_comes_back_later() {
    let sync = Rate { per_second: 1_000, burst: 2_000 };
    let admission = Admission { sync, ..Admission::default() };
    let mut node = node(Config { admission, ..config() });
    let (mut ann, conn) = node.connects("ann", "phone");
    node.does(|engine| engine.page(conn, "ann", "x".repeat(3_000).as_bytes(), 7, true));
    ann.hears_text();
    assert_come_back_later(&asked(&node), 503);
    let mut later = asked(&node);
    while later.starts_with("HTTP/1.1 503 ") {
        later = asked(&node);
    }
    assert!(later.starts_with("HTTP/1.1 101 "), "{later}");
}

#[test]
fn at_ninety_two_per_cent_nothing_is_read_and_no_deadline_runs() {
    in_a_process_of_its_own("admission::without_room_the_node_waits", 1_024);
}

#[test]
#[ignore = "fills the memory of its process; run by the test above"]
fn without_room_the_node_waits() {
    let before = resident();
    let mut node = node(Config {
        memory_limit: u64::try_from(before + BALLAST).expect("a size"),
        opening_ms: 200,
        ..config()
    });
    let granted = Granted { interval_ms: 500, timeout_ms: 500, from_client: false };
    let (mut ann, _) =
        node.connects_as(&NewSession { heartbeat: granted, ..session("ann", "phone") });
    let ballast = std::hint::black_box(vec![1_u8; BALLAST]);
    feels(&node, 3);
    let mut stranger = Client::dial(node.address);
    stranger.sends(request("/v1/ws", "").as_bytes());
    ann.says("waits");
    // Longer than the stranger may take, and than Ann may be silent.
    assert!(stranger.hears_nothing_for(Duration::from_secs(2)));
    assert_eq!(node.fetches(10), 0);
    drop(ballast);
    node.sees("memory_pressure", |pressure| pressure == 0);
    assert_eq!(node.takes_commands().1, ["waits"]);
    assert!(stranger.hears_head().starts_with("HTTP/1.1 101 "));
    ann.says("");
    while !matches!(ann.hears(), Heard::Text(text) if text.contains("pong")) {}
    assert_eq!(node.figure("heartbeat_lost_total"), 0);
}

#[test]
fn at_three_quarters_newcomers_come_back_later_and_nobody_else_notices() {
    in_a_process_of_its_own("admission::short_of_room_nobody_new_is_let_in", 1_024);
}

#[test]
#[ignore = "fills the memory of its process; run by the test above"]
fn short_of_room_nobody_new_is_let_in() {
    let before = resident();
    let limit = (before + BALLAST) / 80 * 100;
    let memory_limit = u64::try_from(limit).expect("a size");
    let mut node = node(Config { memory_limit, ..config() });
    let (mut ann, _) = node.connects("ann", "phone");
    let ballast = std::hint::black_box(vec![1_u8; BALLAST]);
    feels(&node, 1);
    assert_come_back_later(&asked(&node), 503);
    assert_eq!((node.figure("refused_memory_total"), node.figure("memory_pressure")), (1, 1));
    ann.says("");
    ann.hears_text();
    drop(ballast);
    node.sees("memory_pressure", |pressure| pressure == 0);
    node.opens();
}

/// A shard that sleeps does not look at the memory: somebody who comes and goes wakes it.
fn feels(node: &Node, pressure: u64) {
    while node.figure("memory_pressure") != pressure {
        drop(Client::dial(node.address));
    }
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("a number");
    pages * 4_096
}
