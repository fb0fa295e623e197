//! A client of one WebSocket connection, blocking, with the protocol core's other end.

use super::PATIENCE;
use hivewire_proto::frame::{HEADER_BYTES, Opcode, encode_header};
use hivewire_proto::{Codec, Config, Connection, Event, Input, Kind, Limits, Role, mask};
use socket2::{Domain, SockRef, Socket, Type};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What the server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The end of the stream.
    End,
    /// The connection was reset.
    Reset,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    wire: Connection,
    codec: Codec,
    heard: VecDeque<Heard>,
}

impl Client {
    /// A TCP connection on which nothing has been said.
    pub(crate) fn dial(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the node accepts"))
    }

    /// One whose kernel takes little while the client does not read.
    pub(crate) fn dial_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("one");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        socket.connect(&address.into()).expect("the node accepts");
        Self::over(socket.into())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).expect("a TCP socket");
        let limits = Limits { max_message: 64 << 20, max_inflated: 64 << 20, ..Limits::default() };
        let codec = Codec::new(Config { limits, deflate: true, ..Config::default() });
        Self { socket, wire: Connection::open(Role::Client, 0), codec, heard: VecDeque::new() }
    }

    /// Sends bytes as they are, in one write.
    pub(crate) fn sends(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the node reads");
    }

    /// Upgrades with JSON.
    pub(crate) fn upgrade(self) -> Self {
        self.upgrade_with("/v1/ws", "Sec-WebSocket-Protocol: hivewire.v1.json\r\n")
    }

    /// Upgrades with `MessagePack`.
    pub(crate) fn upgrade_msgpack(self) -> Self {
        self.upgrade_with("/v1/ws", "Sec-WebSocket-Protocol: hivewire.v1.msgpack\r\n")
    }

    /// Upgrades with these header lines besides the necessary ones.
    pub(crate) fn upgrade_with(mut self, path: &str, headers: &str) -> Self {
        self.sends(request(path, headers).as_bytes());
        let response = self.hears_head();
        assert!(response.starts_with("HTTP/1.1 101 "), "{response}");
        if response.contains("permessage-deflate") {
            self.wire = Connection::open(Role::Client, 15);
        }
        self
    }

    /// The response up to its empty line; what follows stays in the socket.
    pub(crate) fn hears_head(&mut self) -> String {
        let mut head = Vec::new();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.socket.read_exact(&mut byte).expect("a whole response");
            head.push(byte[0]);
        }
        String::from_utf8(head).expect("ASCII")
    }

    /// Everything until the node ends the stream.
    pub(crate) fn reads_to_end(&mut self) -> String {
        let mut all = Vec::new();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        self.socket.read_to_end(&mut all).expect("an orderly end");
        String::from_utf8_lossy(&all).into_owned()
    }

    /// Says a text message.
    pub(crate) fn says(&mut self, text: &str) {
        self.sends(&frame(Opcode::Text, true, text.as_bytes()));
    }

    /// Says several in one write.
    pub(crate) fn says_at_once(&mut self, texts: &[&str]) {
        let frames = texts.iter().map(|text| frame(Opcode::Text, true, text.as_bytes()));
        self.sends(&frames.collect::<Vec<_>>().concat());
    }

    /// Sends one frame.
    pub(crate) fn sends_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        self.sends(&frame(opcode, true, payload));
    }

    /// The next thing that the server does.
    pub(crate) fn hears(&mut self) -> Heard {
        self.hears_within(PATIENCE).expect("the server says something in time")
    }

    /// The next text.
    pub(crate) fn hears_text(&mut self) -> String {
        match self.hears() {
            Heard::Text(text) => text,
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// `bye` with this code, then Close with it, then the end once the client has answered.
    pub(crate) fn hears_bye(&mut self, code: u16) -> String {
        let bye = self.hears_text();
        assert!(bye.starts_with(&format!("{{\"op\":\"bye\",\"code\":{code},")), "{bye}");
        self.hears_close(code);
        bye
    }

    /// Close with this code; answers it and sees the stream end.
    pub(crate) fn hears_close(&mut self, code: u16) {
        match self.hears() {
            Heard::Close(Some(heard), _) if heard == code => {}
            other => panic!("Close {code} was expected, not {other:?}"),
        }
        // The node may have ended its side already (after a breach of the protocol).
        let _ = self.socket.write_all(&frame(Opcode::Close, true, &code.to_be_bytes()));
        assert_eq!(self.hears(), Heard::End);
    }

    /// Whether the server says nothing for so long.
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) -> bool {
        self.hears_within(time).is_none()
    }

    /// The next thing that the server does, if it does it in time.
    pub(crate) fn hears_within(&mut self, time: Duration) -> Option<Heard> {
        self.socket.set_read_timeout(Some(time)).expect("a timeout");
        let mut buffer = vec![0; 64 * 1024];
        while self.heard.is_empty() {
            match self.socket.read(&mut buffer) {
                Ok(0) => self.heard.push_back(Heard::End),
                Ok(n) => self.take_in(&mut buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                // Whoever was stopped and goes on reads again.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.heard.push_back(Heard::Reset),
            }
        }
        self.heard.pop_front()
    }

    fn take_in(&mut self, bytes: &mut [u8]) {
        let mut input = Input::new(bytes);
        let Self { wire, codec, heard, .. } = self;
        while let Some(event) = wire.next_event(codec, &mut input, 0).expect("right frames") {
            heard.push_back(match event {
                Event::Message { kind: Kind::Text, payload } => {
                    Heard::Text(String::from_utf8(payload.to_vec()).expect("checked"))
                }
                Event::Message { payload, .. } => Heard::Binary(payload.to_vec()),
                Event::Ping(payload) => Heard::Ping(payload.to_vec()),
                Event::Pong(payload) => Heard::Pong(payload.to_vec()),
                Event::Close { code, reason } => Heard::Close(code, reason.to_owned()),
                Event::Upgrade(_) => unreachable!("a client is not asked to upgrade"),
            });
        }
    }

    /// Ends its own side of the stream; the other side stays open.
    pub(crate) fn hangs_up(&mut self) {
        self.socket.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// Goes without a word: the kernel sends a reset.
    pub(crate) fn resets(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).expect("linger");
    }
}

/// An upgrade request to `path` with further header lines.
pub(crate) fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         {headers}\r\n"
    )
}

/// A masked frame.
pub(crate) fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut header = [0; HEADER_BYTES];
    let used = encode_header(&mut header, opcode, fin, false, payload.len(), Some(KEY));
    let mut bytes = header[..used].to_vec();
    let mut masked = payload.to_vec();
    mask::apply(KEY, 0, &mut masked);
    bytes.append(&mut masked);
    bytes
}
