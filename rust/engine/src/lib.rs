//! The engine of hivewire: it holds the sockets, so that Python can decide.
//!
//! A [`Engine`] runs shards. A shard is a thread that shares nothing: it has its own listener
//! (`SO_REUSEPORT`), epoll, connections, timer wheel and file table. Messages cross to Python in
//! batches ([`batch`]), and orders come back in parcels ([`inbox`]). The bytes on the wire are
//! the business of `hivewire-proto`, which knows no sockets and no clock.
//!
//! Architecture invariant: nothing in here knows Python, tokens, users' rights or storage.

pub mod admission;
pub mod batch;
pub mod config;
pub mod directory;
pub mod engine;
pub mod fanout;
pub mod flushes;
mod frames;
pub mod heartbeat;
pub mod inbox;
pub mod memory;
pub mod objects;
pub mod outbox;
pub mod shard;
pub mod sight;
pub mod stats;
pub mod sys;
pub mod table;
pub mod timer;
pub mod tls;

pub use config::Config;
pub use engine::{Engine, FanOut, Inbound, NewSession, Passage, Way};
pub use inbox::{Class, Granted};
pub use table::ConnId;
