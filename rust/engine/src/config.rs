//! What an engine is told at its start. The defaults are the product's; Python sets the rest.

use crate::admission::Rate;
use hivewire_proto::{Config as ProtoConfig, Limits, Origins};

/// One tick of the timer wheel, in milliseconds. Heartbeats are seconds long, so a twentieth of
/// a second is precise enough, and 32 bits of ticks last 6.8 years.
pub const TICK_MS: u64 = 50;

/// How long a closing connection may take to drain and to answer our Close, in milliseconds.
pub const CLOSE_MS: u64 = 3_000;

/// How long the rest of a refused connection's bytes are thrown away, so that our answer is not
/// lost in a reset (RFC 9112 section 9.6), in milliseconds.
pub const LINGER_MS: u64 = 1_000;

/// Bytes of the buffer that a shard lends to the connection that it reads.
pub const READ_BUFFER: usize = 64 * 1024;

/// Connections that a shard takes from its listener in one turn.
pub const ACCEPTS_A_TURN: usize = 64;

/// WebSocket messages are compressed from this size on; below it deflate makes them longer.
pub const DEFLATE_FROM: usize = 96;

/// The range of heartbeat intervals that is granted, in milliseconds (protocol.md section 8).
pub const HEARTBEAT_RANGE_MS: (u64, u64) = (15_000, 300_000);

/// The encodings, as they are numbered in a connection's subprotocol.
pub const JSON: u8 = 0;
/// See [`JSON`].
pub const MSGPACK: u8 = 1;

/// What newcomers may cost the node a second.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Upgrades answered with 101; over it 503.
    pub upgrades: Rate,
    /// TLS handshakes; over it a line waits for its turn.
    pub tls: Rate,
    /// Bytes of pages for who catches up; while they are overspent, upgrades are answered with 503.
    pub sync: Rate,
    /// Connections from one address; over it 429. Loopback is exempt.
    pub address: Rate,
}

impl Default for Admission {
    fn default() -> Self {
        Self { upgrades: Rate::OFF, tls: Rate::OFF, sync: Rate::OFF, address: Rate::OFF }
    }
}

/// Settings of one engine. Sizes are bytes, times are milliseconds unless the name says more.
#[derive(Clone, Debug)]
pub struct Config {
    /// `HOST:PORT`; port 0 takes a free one.
    pub address: String,
    /// Threads, each with its own listener, epoll, connections and file table.
    pub shards: usize,
    /// Connections on all shards together; more are refused with 503.
    pub max_connections: usize,
    /// PEM files of the certificate chain and its key; with them the listener speaks TLS only.
    pub tls: Option<(String, String)>,
    /// The path of the upgrade request.
    pub path: String,
    /// Whether `hivewire.v1.*` is negotiated; an echo server takes any client.
    pub subprotocols: bool,
    /// Every message goes back to its sender, and nothing reaches Python.
    pub echo: bool,
    /// Whether permessage-deflate is accepted when offered.
    pub deflate: bool,
    /// The largest message of a client.
    pub max_message: usize,
    /// The most fragments of one message.
    pub max_fragments: u32,
    /// How long a fragmented message may stay unfinished.
    pub fragments_ms: u64,
    /// The largest message of a client after inflating.
    pub max_inflated: usize,
    /// What a client may send before it has `connected`.
    pub opening_bytes: usize,
    /// Time for the upgrade and `connect` together.
    pub opening_ms: u64,
    /// Origins of browsers that may connect.
    pub origins: Vec<String>,
    /// Bytes waiting for one connection from which on volatile pushes are dropped and its next
    /// command waits.
    pub outbox_soft: usize,
    /// Bytes waiting for one connection from which on a durable push closes it with 4003.
    pub outbox_hard: usize,
    /// Bytes waiting for all connections together.
    pub outbox_total: usize,
    /// A connection that takes nothing for so long is closed with 4003.
    pub outbox_stall_ms: u64,
    /// Bytes of commands that may wait for Python, a shard; then the shard stops reading.
    pub inbound_bytes: usize,
    /// Pings a second (any kind) that one connection may send on average; 0 is no limit.
    pub control_per_second: u32,
    /// See [`Admission`].
    pub admission: Admission,
    /// Resident memory from 75 % of which on newcomers are refused, from 85 % slow readers closed,
    /// from 92 % nothing is read; 0 is no limit.
    pub memory_limit: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:0".into(),
            shards: 1,
            max_connections: 50_000,
            tls: None,
            path: "/v1/ws".into(),
            subprotocols: true,
            echo: false,
            deflate: false,
            max_message: 64 * 1024,
            max_fragments: 1_024,
            fragments_ms: 10_000,
            max_inflated: 256 * 1024,
            opening_bytes: 4 * 1024,
            opening_ms: 10_000,
            origins: Vec::new(),
            outbox_soft: 256 * 1024,
            outbox_hard: 1024 * 1024,
            outbox_total: 1024 * 1024 * 1024,
            outbox_stall_ms: 10_000,
            inbound_bytes: 4 * 1024 * 1024,
            control_per_second: 10,
            admission: Admission::default(),
            memory_limit: 0,
        }
    }
}

impl Config {
    /// The part that the protocol core of each connection needs.
    #[must_use]
    pub fn proto(&self) -> ProtoConfig {
        let offers = [("hivewire.v1.json", JSON), ("hivewire.v1.msgpack", MSGPACK)];
        let subprotocols = if self.subprotocols { offers.as_slice() } else { &[] };
        let origins = match self.origins.as_slice() {
            _ if self.echo => Origins::Any,
            [] => Origins::SameHost,
            list if list.iter().any(|o| o == "*") => Origins::Any,
            list => Origins::List(list.to_vec()),
        };
        ProtoConfig {
            path: self.path.clone(),
            subprotocols: subprotocols.iter().map(|&(name, id)| (name.into(), id)).collect(),
            origins,
            deflate: self.deflate,
            limits: Limits {
                max_message: self.max_message,
                max_fragments: self.max_fragments,
                fragments_ms: self.fragments_ms,
                max_inflated: self.max_inflated,
                handshake_ms: self.opening_ms,
                ..Limits::default()
            },
        }
    }
}
