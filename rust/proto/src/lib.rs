//! The WebSocket protocol core of hivewire: bytes and `now` in, events, bytes and a deadline out.
//!
//! There is no socket, no clock and no thread here, so a test can drive two peers through
//! years of virtual time in a microsecond, and the shard keeps every decision about I/O to itself.
//!
//! ```
//! use hivewire_proto::{Codec, Config, Connection, Event, Input};
//!
//! let mut codec = Codec::new(Config::default()); // one for each shard
//! let mut connection = Connection::server(0); // one for each socket, 24 bytes
//! let mut bytes = b"GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
//!     Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
//!     .to_vec();
//! let mut input = Input::new(&mut bytes); // what one read returned
//! let Ok(Some(Event::Upgrade(upgrade))) = connection.next_event(&mut codec, &mut input, 1) else {
//!     panic!("a good request opens the connection")
//! };
//! assert!(upgrade.response.starts_with(b"HTTP/1.1 101 "));
//! assert!(matches!(connection.next_event(&mut codec, &mut input, 1), Ok(None)));
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`connection`] | the one entry: [`Connection::next_event`] and [`Connection::deadline`] |
//! | [`state`] | the close handshake as one table |
//! | [`handshake`], [`origin`] | the HTTP upgrade: limits, subprotocol, token, origin, answer |
//! | [`extension`] | negotiation of permessage-deflate |
//! | [`frame`], [`mask`], [`utf8`], [`deflate`] | RFC 6455 section 5 and RFC 7692 |
//! | `assembly`, `message`, `found` | what is held between two reads: half a frame, half a message |
//! | [`close`] | close codes, theirs and ours |
//! | [`limits`], [`error`] | every bound with unit and reason; every way to be wrong |
//!
//! **Invariants.** An open connection at rest owns no heap (I10). Whatever bytes arrive, the result
//! is an event or a [`Fault`], never a panic (I9). Every buffer has a limit that is checked before
//! the bytes are taken, and grows with what arrived, never with what was announced (I8). The split
//! of the bytes into reads changes nothing about the events.
#![forbid(unsafe_code)]

mod assembly;
pub mod close;
pub mod close_frame;
mod codec;
pub mod connection;
pub mod deflate;
pub mod error;
pub mod extension;
mod found;
pub mod frame;
pub mod handshake;
mod head;
mod input;
pub mod limits;
pub mod mask;
mod message;
pub mod origin;
pub mod state;
pub mod utf8;

pub use codec::{Codec, Config};
pub use connection::{Connection, Event};
pub use error::{Fault, ProtocolError};
pub use found::Kind;
pub use frame::Role;
pub use handshake::Upgrade;
pub use input::Input;
pub use limits::Limits;
pub use origin::Origins;
