//! What an event to a group, or in a channel, costs for each recipient, on both sides of the border: nanoseconds,
//! best of several rounds.
//!
//! `cargo bench -p hivewire-engine`. Submitting is the work of Python's thread below the binding;
//! delivering is the CPU time of the shard's thread, the kernel's writes included.
#![expect(clippy::print_stdout, reason = "the figures are the product")]
#![expect(clippy::expect_used, reason = "a bench that cannot go on may stop")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use hivewire_engine::sys::monotonic_ns;
use hivewire_engine::table::Key;
use hivewire_engine::{Class, Config, ConnId, Engine, Granted, Inbound, NewSession};
use std::convert::Infallible;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Users of the node, of which the groups are drawn.
const USERS: u32 = 20_000;
/// Members of a group, each with one device.
const MEMBERS: usize = 100;
/// Events that one submit carries.
const BURST: usize = 32;
const ROUNDS: usize = 20;
const QUIET: Granted = Granted { interval_ms: 300_000, timeout_ms: 60_000, from_client: false };

fn main() {
    for len in [64, 130, 300, 1_000] {
        let body = format!("{{\"type\":\"message\",\"text\":\"{}\"}}", "x".repeat(len - 28));
        println!("an event of {} B to {MEMBERS} members", body.len());
        submit(&body);
        deliver(&body, 1);
        deliver(&body, BURST);
        publish(&body, BURST);
    }
}

/// The sessions exist in the directory alone and the shard drops the orders as stale.
fn submit(body: &str) {
    let mut engine = Engine::new(Config::default()).expect("descriptors");
    engine.listen().expect("a port");
    let users: Vec<String> = (0..USERS).map(|n| format!("user-{n:06}")).collect();
    for (index, user) in (0..USERS).zip(&users) {
        let conn = ConnId::new(0, Key { index, generation: 1 }, 0);
        engine.connected(conn, &session(user), b"connected");
    }
    engine.dispatch();
    let mut random = fastrand::Rng::with_seed(1);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let groups: Vec<_> = (0..BURST).map(|_| random.choose_multiple(&users, MEMBERS)).collect();
        let start = monotonic_ns();
        for group in &groups {
            push(&mut engine, body, group.iter().map(|user| user.as_str()));
        }
        engine.dispatch();
        best = best.min((monotonic_ns() - start) as f64 / (BURST * MEMBERS) as f64);
    }
    println!("{best:>10.1} ns  submitted");
}

fn deliver(body: &str, burst: usize) {
    let frame = framed(body.len() + r#""op":"event","seq":1000000,"#.len());
    let best = deliver_by(frame, burst, |engine, users| {
        push(engine, body, users.iter().map(String::as_str));
    });
    println!("{best:>10.1} ns  delivered, {burst} a turn");
}

fn publish(body: &str, burst: usize) {
    let best = deliver_by(framed(body.len()), burst, |engine, _| {
        engine.publish("news", (body.as_bytes(), None), Class::Durable);
    });
    println!("{best:>10.1} ns  delivered from a topic, {burst} a turn");
}

fn framed(len: usize) -> usize {
    len + if len < 126 { 2 } else { 4 }
}

/// Real sockets that are read between the submits; `send` makes one frame for each of them, and
/// is called `burst` times a submit.
fn deliver_by(frame: usize, burst: usize, send: impl Fn(&mut Engine, &[String])) -> f64 {
    let mut engine = Engine::new(Config::default()).expect("descriptors");
    let address = engine.listen().expect("a port");
    let users: Vec<String> = (0..MEMBERS).map(|n| format!("user-{n:06}")).collect();
    let mut sockets: Vec<_> = users.iter().map(|user| join(&mut engine, address, user)).collect();
    let mut buffer = vec![0; burst * frame];
    let (turns, mut best) = (2_000 / burst, f64::INFINITY);
    for _ in 0..ROUNDS / 4 {
        let start = shard_ns();
        for _ in 0..turns {
            (0..burst).for_each(|_| send(&mut engine, &users));
            engine.dispatch();
            for socket in &mut sockets {
                socket.read_exact(&mut buffer).expect("the frames");
            }
        }
        best = best.min((shard_ns() - start) as f64 / (turns * burst * MEMBERS) as f64);
    }
    best
}

fn push<'u>(engine: &mut Engine, body: &str, users: impl Iterator<Item = &'u str>) {
    let mut event = engine.fan_out((body.as_bytes(), None), None);
    for user in users {
        event.to(user, 1_000_000);
    }
    event.end();
}

fn session(user: &str) -> NewSession<'_> {
    NewSession { user, device: "phone", position: 0, live: true, expires_s: 0, heartbeat: QUIET }
}

/// A client with a live session.
fn join(engine: &mut Engine, address: SocketAddr, user: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("the node accepts");
    let request = "GET /v1/ws HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("written");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("a response");
        head.extend(byte);
    }
    socket.write_all(b"\x81\x82\x00\x00\x00\x00{}").expect("written");
    let conn = spoken(engine);
    engine.connected(conn, &session(user), b"{}");
    engine.subscribe(conn, "news");
    engine.dispatch();
    socket.read_exact(&mut [0; 4]).expect("the answer");
    socket
}

/// The connection that speaks next.
fn spoken(engine: &mut Engine) -> ConnId {
    let mut found = None;
    while found.is_none() {
        engine.fetch();
        let each = |item: Inbound<'_>| -> Result<(), Infallible> {
            if let Inbound::Commands { conn, .. } = item {
                found = Some(conn);
            }
            Ok(())
        };
        let Ok(()) = engine.drain_fetched(usize::MAX, each);
    }
    found.expect("the loop ends with one")
}

/// CPU time of the only shard's thread.
fn shard_ns() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap_or_default();
    let shard = tasks
        .map(|task| task.expect("a thread").path())
        .find(|task| read(task.join("comm")).starts_with("hw-shard"))
        .expect("the shard runs");
    let figures = read(shard.join("schedstat"));
    figures.split(' ').next().and_then(|ns| ns.parse().ok()).expect("nanoseconds on the CPU")
}
