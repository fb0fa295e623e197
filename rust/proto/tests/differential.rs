//! The same bytes through tungstenite, another implementation of RFC 6455: both see the same.

use std::io::{self, Cursor, Read, Write};

use hivewire_proto::frame::Opcode;
use hivewire_proto::{Config, ProtocolError};
use proptest::prelude::*;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::driver::{Driver, Frame, Seen};

/// How a stream of frames ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// It stopped in good order: nothing more, or after a Close.
    Good,
    /// The reader refused it.
    Refused,
}

/// Gives what was written into it and forgets what is written back.
struct Wire(Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(bytes: &[u8]) -> (Vec<Seen>, End) {
    let limit = Config::default().limits.max_message;
    let config =
        WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let wire = Wire(Cursor::new(bytes.to_vec()));
    let mut socket = WebSocket::from_raw_socket(wire, Role::Server, Some(config));
    let mut seen = Vec::new();
    loop {
        seen.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Text(text.to_string()),
            Ok(Message::Binary(bytes)) => Seen::Binary(bytes.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map_or((None, String::new()), |it| {
                    (Some(it.code.into()), it.reason.to_string())
                });
                seen.push(Seen::Close(code, reason));
                return (seen, End::Good);
            }
            Ok(Message::Frame(frame)) => panic!("{frame:?} is not given out while reading"),
            Err(tungstenite::Error::Io(_)) => return (seen, End::Good),
            Err(_) => return (seen, End::Refused),
        });
    }
}

fn ours(bytes: &[u8]) -> (Vec<Seen>, Option<ProtocolError>) {
    let mut seen = Driver::open(Config::default()).read(bytes);
    match seen.last() {
        Some(Seen::Broken(error)) => {
            let error = *error;
            seen.pop();
            (seen, Some(error))
        }
        _ => (seen, None),
    }
}

/// Frames that mostly follow one another well, one byte of them perhaps spoiled.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop::sample::select(&[
        Opcode::Continuation,
        Opcode::Continuation,
        Opcode::Text,
        Opcode::Text,
        Opcode::Binary,
        Opcode::Ping,
        Opcode::Pong,
        Opcode::Close,
    ]);
    let frame = (opcode, "\\PC{0,60}", any::<[u8; 4]>(), prop::bool::weighted(0.7)).prop_map(
        |(opcode, content, key, fin)| {
            let content: Vec<u8> = match opcode {
                Opcode::Close => b"\x03\xe8bye".to_vec(),
                _ => content.into_bytes().into_iter().take(120).collect(),
            };
            let frame = Frame::new(opcode, content).key(Some(key));
            if fin || opcode.is_control() { frame.bytes() } else { frame.unfinished().bytes() }
        },
    );
    let spoil = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec(frame, 1..10), spoil).prop_map(|(frames, spoil)| {
        let mut bytes = frames.concat();
        if let Some((at, byte)) = spoil {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn two_readers_see_the_same(bytes in stream()) {
        let (we_saw, our_error) = ours(&bytes);
        let (they_saw, their_end) = theirs(&bytes);
        match our_error {
            None => prop_assert_eq!((we_saw, End::Good), (they_saw, their_end)),
            // Here the other reader is known to be milder.
            Some(
                ProtocolError::NonMinimalLength
                | ProtocolError::LengthOverflow
                | ProtocolError::BadClose
                | ProtocolError::BadUtf8,
            ) => prop_assert!(they_saw.starts_with(&we_saw)),
            // It may wait for the end of a frame that we refused by its header, but it too must
            // give nothing out after it.
            Some(error) => prop_assert_eq!(we_saw, they_saw, "{:?}", error),
        }
    }
}
