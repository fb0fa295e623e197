//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A fleet of WebSocket clients for hivewire, or for any WebSocket server with --raw.
#[derive(Parser, Clone)]
#[command(version, about, after_help = AFTER)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
    #[command(flatten)]
    pub(crate) fleet: Fleet,
}

const AFTER: &str = "\
Prints `holding N` when all connections of `idle` and `connect` stand, `measuring N` when the
measured window of another scenario begins, `coming back N` when those begin to connect who were
away, `cut N` when a storm begins, and one JSON object at the end. Progress goes to standard error. Exit status: 0 clean, 1 the server broke a promise or lost connections, 2 could not run.";

/// What every scenario takes.
#[derive(Args, Clone)]
pub(crate) struct Fleet {
    /// Where the server listens.
    #[arg(long, global = true, default_value = "127.0.0.1:8000", value_name = "HOST:PORT")]
    pub(crate) server: SocketAddr,
    /// The path of the upgrade request; `{}` becomes the connection's number.
    #[arg(long, global = true, default_value = "/v1/ws")]
    pub(crate) path: String,
    /// How many connections (fanout, channel: how many readers; flap: how many devices).
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
    /// How many connections may be under way at once while the fleet grows (256; comeback: all).
    #[arg(long, global = true, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// New connections a second; 0 is as fast as they go.
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) rate: u64,
    /// Threads; 0 is as few as the limit of open files allows (each has a table of its own).
    #[arg(long, global = true, default_value_t = 0, value_name = "N")]
    pub(crate) threads: usize,
    /// Connections per source address 127.0.0.x, when the server is on loopback.
    #[arg(long, global = true, default_value_t = 10_000, value_name = "N")]
    pub(crate) per_source: usize,
    /// Seconds that the fleet may take to stand, each step of a preparation, and `sync` in all.
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
    /// Groups whose members are all there: the next message when one has arrived everywhere.
    Group(Groups),
    /// One publisher, N readers of a channel: the next message when one has arrived everywhere.
    Channel {
        #[command(flatten)]
        load: Load,
        /// Further members that never connect.
        #[arg(long, default_value_t = 0, value_name = "N")]
        absent: usize,
    },
    /// N users who were away: fills their timelines, then all page through them at the same time.
    Sync {
        /// Direct messages that each user missed.
        #[arg(long, default_value_t = 1000, value_name = "N")]
        missed: u64,
        #[command(flatten)]
        past: Past,
        /// Events a page.
        #[arg(long, default_value_t = 500, value_name = "N")]
        limit: u32,
    },
    /// N users who were away: fills their timelines, then all connect at once, until all are live.
    ///
    /// Their devices are known, their cursors the server's; `connect` asks for the first page.
    Comeback {
        /// Direct messages that each user missed.
        #[arg(long, default_value_t = 20, value_name = "N")]
        missed: u64,
        #[command(flatten)]
        past: Past,
    },
    /// Direct messages to users who are not there; part of `sync` and `comeback`.
    ///
    /// The N writers are numbered from --first, the absent users just below them.
    Fill {
        /// To how many users.
        #[arg(long, value_name = "N")]
        absent: usize,
        /// Messages to each of them.
        #[arg(long, value_name = "N")]
        each: u64,
        /// Bytes of a message's text.
        #[arg(long, default_value_t = 100, value_name = "B")]
        bytes: usize,
    },
    /// Everybody is there, a few messages a second go from one to another (an open loop).
    ///
    /// Prints `sending away N` when the server is to be stopped, with --drain-within.
    Calm(Calm),
    /// All are cut off at once, and come back with tickets and back-off, honouring Retry-After.
    ///
    /// Prints `cut N` at that moment.
    Storm {
        /// Seconds from the last connection to the cut.
        #[arg(long, default_value_t = 5.0, value_name = "S")]
        warm: f64,
        /// Seconds in which all must be back.
        #[arg(long, default_value_t = 60, value_name = "S")]
        back_within: u64,
    },
    /// N devices that lose their connection over and over, watched by others, who hear nothing of
    /// it; in the end all devices leave, and all watchers are told of each.
    Flap(Flaps),
}

/// An open loop in a quiet crowd.
#[derive(Args, Clone)]
pub(crate) struct Calm {
    /// Messages a second in all, each to one other connection.
    #[arg(long, default_value_t = 1.0, value_name = "R")]
    pub(crate) per_second: f64,
    /// Bytes of a message's text.
    #[arg(long, default_value_t = 100, value_name = "B")]
    pub(crate) bytes: usize,
    #[command(flatten)]
    pub(crate) window: Window,
    /// Afterwards wait so many seconds for the server to send everybody away; 0: hang up at once.
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub(crate) drain_within: u64,
    /// Write a line for each delivery: when it was sent (ms since the epoch), microseconds it took.
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
}

/// A closed loop.
#[derive(Args, Clone, Copy)]
pub(crate) struct Load {
    /// Unanswered messages (fanout, channel: publishes) at a time, per connection that sends.
    #[arg(short = 'w', long, default_value_t = 1, value_name = "W",
          value_parser = clap::value_parser!(u64).range(1..=32))]
    pub(crate) in_flight: u64,
    /// Bytes of a message's text (echo, fanout, raw: of its payload).
    #[arg(long, default_value_t = 130, value_name = "B")]
    pub(crate) bytes: usize,
    #[command(flatten)]
    pub(crate) window: Window,
}

/// What is measured of something that goes on until it is stopped.
#[derive(Args, Clone, Copy)]
pub(crate) struct Window {
    /// Seconds before the measured window.
    #[arg(long, default_value_t = 2.0, value_name = "S")]
    pub(crate) warm: f64,
    /// Seconds of the measured window.
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    pub(crate) seconds: f64,
}

/// Groups and what their members do.
#[derive(Args, Clone, Copy)]
pub(crate) struct Groups {
    #[command(flatten)]
    pub(crate) load: Load,
    /// Members of a group; -n is a multiple of it.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) size: usize,
    /// How many of them send.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) senders: usize,
    /// Acknowledge every Nth event.
    #[arg(long, default_value_t = 16, value_name = "N")]
    pub(crate) ack_every: u32,
    /// Mark every Nth message as read; 0 is never.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) read_every: u32,
}

/// Who wrote what users missed.
#[derive(Args, Clone, Copy)]
pub(crate) struct Past {
    /// How many others wrote it; numbered from --first + N on.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) writers: usize,
    /// Bytes of a message's text.
    #[arg(long, default_value_t = 100, value_name = "B")]
    pub(crate) bytes: usize,
    /// The timelines were filled before (by `fill`).
    #[arg(long)]
    pub(crate) filled: bool,
}

/// Devices that come and go, and who watches them.
#[derive(Args, Clone, Copy)]
pub(crate) struct Flaps {
    #[command(flatten)]
    pub(crate) window: Window,
    /// How many watch each device's user.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) watched_by: usize,
    /// How many users a watcher watches; they are numbered from --first + N on.
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub(crate) watch: usize,
    /// Seconds from one loss of a connection to the same device's next.
    #[arg(long, default_value_t = 4.0, value_name = "S")]
    pub(crate) every: f64,
    /// Seconds that a device is away, below the server's linger.
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    pub(crate) away: f64,
    /// Seconds in which all watchers must hear that all have left; 0 leaves that out.
    #[arg(long, default_value_t = 60, value_name = "S")]
    pub(crate) told_within: u64,
}

/// How a scenario is measured.
pub(crate) enum Course {
    /// Until it is stopped.
    Loop(Window),
    /// Until it is done; it begins so many seconds after the last connection.
    Job(f64),
    /// Not at all: the connections are held for so many seconds, or until standard input ends.
    Hold(Option<f64>),
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
            Self::Group(_) => "group",
            Self::Channel { .. } => "channel",
            Self::Sync { .. } => "sync",
            Self::Comeback { .. } => "comeback",
            Self::Fill { .. } => "fill",
            Self::Calm(_) => "calm",
            Self::Storm { .. } => "storm",
            Self::Flap(_) => "flap",
        }
    }

    /// Whether only a chat server can play along.
    pub(crate) fn needs_objects(&self) -> bool {
        match self {
            Self::Group(_)
            | Self::Channel { .. }
            | Self::Sync { .. }
            | Self::Comeback { .. }
            | Self::Fill { .. }
            | Self::Calm(_)
            | Self::Storm { .. }
            | Self::Flap(_) => true,
            Self::Connect { .. }
            | Self::Idle { .. }
            | Self::Echo(_)
            | Self::Fanout(_)
            | Self::Messages { .. } => false,
        }
    }

    /// The closed loop, of scenarios that have one.
    pub(crate) fn load(&self) -> Option<Load> {
        match self {
            Self::Echo(load)
            | Self::Fanout(load)
            | Self::Messages { load, .. }
            | Self::Channel { load, .. }
            | Self::Group(Groups { load, .. }) => Some(*load),
            _ => None,
        }
    }

    /// What happens once all connections stand.
    pub(crate) fn course(&self) -> Course {
        match self {
            Self::Connect { hold } => Course::Hold(Some(*hold)),
            Self::Idle { hold } => Course::Hold(*hold),
            Self::Comeback { .. } => Course::Hold(Some(0.0)),
            Self::Sync { .. } | Self::Fill { .. } => Course::Job(0.0),
            Self::Storm { warm, .. } => Course::Job(*warm),
            Self::Calm(calm) => Course::Loop(calm.window),
            Self::Flap(flaps) => Course::Loop(flaps.window),
            Self::Echo(load)
            | Self::Fanout(load)
            | Self::Messages { load, .. }
            | Self::Channel { load, .. }
            | Self::Group(Groups { load, .. }) => Course::Loop(load.window),
        }
    }
}
