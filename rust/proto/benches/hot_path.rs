//! What the protocol core costs per frame, request and message: nanoseconds, best of five rounds.
//!
//! `cargo bench -p hivewire-proto`. The budget of a small frame is 100 ns; the socket calls around
//! it cost several microseconds.
#![expect(clippy::print_stdout, reason = "the figures are the product")]

use std::hint::black_box;
use std::time::Instant;

use hivewire_proto::frame::{HEADER_BYTES, Opcode, encode_header};
use hivewire_proto::{Codec, Config, Connection, Event, Input, Role, mask};

const REQUEST: &[u8] = b"GET /v1/ws HTTP/1.1\r\nHost: chat.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: https://chat.example.com\r\n\
    Sec-WebSocket-Protocol: hivewire.v1.json\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: keep-alive, Upgrade\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

fn main() {
    for len in [16, 130, 1_000, 16_000] {
        measure(&format!("text frame of {len} B, masked, whole in the input"), 50, frames(len, 50));
    }
    measure("the same of 130 B in pieces of 64 B", 50, pieces(130, 50));
    for len in [130, 16_000] {
        let mut payload = vec![7; len];
        measure(&format!("mask of {len} B"), 1, move || {
            mask::apply([1, 2, 3, 4], 0, black_box(&mut payload));
        });
    }
    measure("upgrade request of a browser", 1, upgrade());
    for len in [300, 4_000] {
        measure(&format!("compress {len} B of JSON"), 1, compress(len));
        measure(&format!("inflate {len} B of JSON"), 1, inflate(len));
    }
}

/// Runs `round` long enough to be measured and prints the best of five, for one operation.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn measure(name: &str, operations: u32, mut round: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let (start, mut rounds) = (Instant::now(), 0_u32);
        while start.elapsed().as_millis() < 100 {
            for _ in 0..16 {
                round();
            }
            rounds += 16;
        }
        let nanos = start.elapsed().as_nanos() as f64;
        best = best.min(nanos / f64::from(rounds) / f64::from(operations));
    }
    println!("{best:>10.1} ns  {name}");
}

fn masked_frame(opcode: Opcode, rsv1: bool, content: &[u8]) -> Vec<u8> {
    let (mut header, key) = ([0; HEADER_BYTES], [9, 8, 7, 6]);
    let used = encode_header(&mut header, opcode, true, rsv1, content.len(), Some(key));
    let mut payload = content.to_vec();
    mask::apply(key, 0, &mut payload);
    header.iter().take(used).copied().chain(payload).collect()
}

/// Reads everything in `bytes`; the count of payload bytes keeps the work alive.
fn drain(connection: &mut Connection, codec: &mut Codec, bytes: &mut [u8]) -> usize {
    let mut input = Input::new(bytes);
    let mut total = 0;
    while let Ok(Some(Event::Message { payload, .. })) = connection.next_event(codec, &mut input, 0)
    {
        total += payload.len();
    }
    total
}

/// `count` frames in one input. Unmasking in place spoils it, so each round copies it anew.
fn frames(len: usize, count: usize) -> impl FnMut() {
    let wire = masked_frame(Opcode::Text, false, &b"x".repeat(len)).repeat(count);
    let (mut lent, mut codec) = (wire.clone(), Codec::new(Config::default()));
    let mut connection = Connection::open(Role::Server, 0);
    move || {
        lent.copy_from_slice(&wire);
        assert_eq!(drain(&mut connection, &mut codec, &mut lent), len * count);
    }
}

fn pieces(len: usize, count: usize) -> impl FnMut() {
    let wire = masked_frame(Opcode::Text, false, &b"x".repeat(len)).repeat(count);
    let (mut lent, mut codec) = (wire.clone(), Codec::new(Config::default()));
    let mut connection = Connection::open(Role::Server, 0);
    move || {
        lent.copy_from_slice(&wire);
        let total: usize =
            lent.chunks_mut(64).map(|piece| drain(&mut connection, &mut codec, piece)).sum();
        assert_eq!(total, len * count);
    }
}

fn upgrade() -> impl FnMut() {
    let (mut lent, mut codec) = (REQUEST.to_vec(), Codec::new(Config::default()));
    move || {
        let mut connection = Connection::server(0);
        let mut input = Input::new(&mut lent);
        let event = connection.next_event(&mut codec, &mut input, 0);
        assert!(matches!(black_box(event), Ok(Some(Event::Upgrade(_)))));
    }
}

fn json(len: usize) -> Vec<u8> {
    let events = (0..len / 60).map(|n| {
        format!(r#"{{"op":"event","seq":{n},"from":"user-{}","text":"hello {}"}}"#, n % 7, n * 31)
    });
    events.collect::<String>().into_bytes()
}

fn compress(len: usize) -> impl FnMut() {
    let (content, mut codec, mut out) = (json(len), Codec::new(Config::default()), Vec::new());
    move || {
        out.clear();
        codec.compress(15, &content, &mut out);
        black_box(&out);
    }
}

fn inflate(len: usize) -> impl FnMut() {
    let (content, mut codec, mut payload) = (json(len), Codec::new(Config::default()), Vec::new());
    codec.compress(15, &content, &mut payload);
    let wire = masked_frame(Opcode::Text, true, &payload);
    let mut lent = wire.clone();
    let mut connection = Connection::open(Role::Server, 15);
    move || {
        lent.copy_from_slice(&wire);
        assert_eq!(drain(&mut connection, &mut codec, &mut lent), content.len());
    }
}
