//! The command line.

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};

/// A fleet of WebSocket clients for hivewire, or for any WebSocket server with --raw.
#[derive(Parser)]
#[command(version, about, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
    #[command(flatten)]
    pub(crate) fleet: Fleet,
}

const AFTER: &str = "\
Prints `holding N` when all connections of `idle` and `connect` stand, and one JSON object at the
end. Exit status: 0 clean, 1 the server broke a promise or lost connections, 2 could not run.";

/// What every scenario takes.
#[derive(Args, Clone)]
pub(crate) struct Fleet {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    pub(crate) server: SocketAddr,
    /// The path of the upgrade request; `{}` becomes the connection's number.
    #[arg(long, global = true, default_value = "/v1/ws")]
    pub(crate) path: String,
    /// How many connections (fanout: how many subscribers).
    #[arg(short = 'n', long, global = true, default_value_t = 100, value_name = "N")]
    pub(crate) connections: usize,
    /// Only WebSocket: no subprotocol, no token, no objects.
    #[arg(long, global = true)]
    pub(crate) raw: bool,
    /// The HS256 secret that the tokens are signed with.
    #[arg(long, global = true, env = "HIVEWIRE_AUTH__SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// User ids are this and a number of six digits.
    #[arg(long, global = true, default_value = "u")]
    pub(crate) prefix: String,
    /// The number of the first user.
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) first: usize,
    /// The device id that all users connect with.
    #[arg(long, global = true, default_value = "swarm")]
    pub(crate) device: String,
    /// How many connections may be under way at once while the fleet grows.
    #[arg(long, global = true, default_value_t = 256, value_name = "N")]
    pub(crate) concurrency: usize,
    /// New connections a second; 0 is as fast as they go.
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) rate: u64,
    /// Threads; 0 is as few as the limit of open files allows (each has a table of its own).
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
    /// Connections per source address 127.0.0.x, when the server is on loopback.
    #[arg(long, global = true, default_value_t = 10_000, value_name = "N")]
    pub(crate) per_source: usize,
    /// Seconds that the fleet may take to stand.
    #[arg(long, global = true, default_value_t = 300, value_name = "S")]
    pub(crate) ramp_timeout: u64,
    /// Read this process's CPU time at both ends of the measured window.
    #[arg(long, global = true, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
}

/// What the fleet does once it stands.
#[derive(Subcommand, Clone)]
pub(crate) enum Scenario {
    /// Connect, report how long it took, hold for a while.
    Connect {
        /// Seconds to hold the connections, answering pings.
        #[arg(long, default_value_t = 0.0, value_name = "S")]
        hold: f64,
    },
    /// Connect and hold until standard input ends.
    Idle {
        /// Hold this many seconds instead.
        #[arg(long, value_name = "S")]
        hold: Option<f64>,
    },
    /// Send, await the same, send again (raw).
    Echo(Load),
    /// One publisher, N subscribers: the next publish when one has arrived everywhere (raw).
    ///
    /// A subscriber's first message is `sub`, the publisher's is `pub`, both are answered by `ok`;
    /// what the publisher sends afterwards must reach every subscriber as it is.
    Fanout(Load),
    /// Pairs that write to each other: durable direct messages, answered and delivered.
    ///
    /// With --raw it drives the relay floor: payloads are `M`, the sender's number, a counter; the
    /// answer starts with `A`, the delivery with `E`.
    Messages {
        #[command(flatten)]
        load: Load,
        /// Acknowledge every Nth event.
        #[arg(long, default_value_t = 16, value_name = "N")]
        ack_every: u32,
    },
}

/// A closed loop.
#[derive(Args, Clone, Copy)]
pub(crate) struct Load {
    /// Unanswered messages (fanout: publishes) at a time, per connection.
    #[arg(short = 'w', long, default_value_t = 1, value_name = "W",
          value_parser = clap::value_parser!(u64).range(1..=32))]
    pub(crate) in_flight: u64,
    /// Bytes of a message's text (echo, fanout, raw: of its payload).
    #[arg(long, default_value_t = 130, value_name = "B")]
    pub(crate) bytes: usize,
    /// Seconds before the measured window.
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) warm: f64,
    /// Seconds of the measured window.
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    pub(crate) seconds: f64,
}

impl Scenario {
    /// The name it has on the command line and in the report.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Idle { .. } => "idle",
            Self::Echo(_) => "echo",
            Self::Fanout(_) => "fanout",
            Self::Messages { .. } => "messages",
        }
    }

    /// The closed loop, of scenarios that have one.
    pub(crate) fn load(&self) -> Option<Load> {
        match self {
            Self::Echo(load) | Self::Fanout(load) | Self::Messages { load, .. } => Some(*load),
            Self::Connect { .. } | Self::Idle { .. } => None,
        }
    }
}
