//! Drives a connection through reads of any size and keeps what it said.
//!
//! Shared by the tests and the fuzz targets.

use hivewire_proto::frame::{HEADER_BYTES, Opcode, encode_header};
use hivewire_proto::{
    Codec, Config, Connection, Event, Fault, Input, Kind, ProtocolError, Role, Upgrade, mask,
};

/// An event or a fault, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The upgrade was accepted.
    Upgrade(Upgrade),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The peer's Close.
    Close(Option<u16>, String),
    /// The upgrade was refused with this status and response.
    Refused(u16, Vec<u8>),
    /// The protocol was broken.
    Broken(ProtocolError),
}

impl Seen {
    fn event(event: Event<'_>) -> Self {
        match event {
            Event::Upgrade(upgrade) => Self::Upgrade(*upgrade),
            Event::Message { kind: Kind::Text, payload } => {
                let text = String::from_utf8(payload.to_vec());
                Self::Text(text.unwrap_or_else(|error| panic!("text was not checked: {error}")))
            }
            Event::Message { kind: Kind::Binary, payload } => Self::Binary(payload.to_vec()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Close { code, reason } => Self::Close(code, reason.to_owned()),
        }
    }

    fn fault(fault: Fault) -> Self {
        match fault {
            Fault::Http { response, status } => Self::Refused(status, response),
            Fault::Ws(error) => Self::Broken(error),
        }
    }
}

/// A connection with its codec and a clock that only the test moves.
#[derive(Debug)]
pub struct Driver {
    /// The shard's part.
    pub codec: Codec,
    /// The connection under test.
    pub connection: Connection,
    /// Virtual milliseconds.
    pub now: u64,
}

impl Driver {
    /// A server that awaits a request.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self { codec: Codec::new(config), connection: Connection::server(0), now: 0 }
    }

    /// A server whose handshake is done.
    #[must_use]
    pub fn open(config: Config) -> Self {
        let bits = if config.deflate { 15 } else { 0 };
        let connection = Connection::open(Role::Server, bits);
        Self { codec: Codec::new(config), connection, now: 0 }
    }

    /// Gives `bytes` as one read.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut lent = bytes.to_vec();
        let mut input = Input::new(&mut lent);
        let mut seen = Vec::new();
        loop {
            match self.connection.next_event(&mut self.codec, &mut input, self.now) {
                Ok(None) => break,
                Ok(Some(event)) => seen.push(Seen::event(event)),
                Err(fault) => seen.push(Seen::fault(fault)),
            }
        }
        assert!(input.remaining().is_empty(), "None means that the input is used up");
        seen
    }

    /// Gives `bytes` in reads of the sizes that `sizes` cycles through (at least one byte each).
    pub fn read_split(&mut self, mut bytes: &[u8], sizes: &[usize]) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut sizes = sizes.iter().cycle();
        while !bytes.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).clamp(1, bytes.len());
            let (piece, rest) = bytes.split_at(size);
            seen.extend(self.read(piece));
            bytes = rest;
        }
        seen
    }
}

/// A frame as a client sends it, right unless a test spoils it.
#[derive(Debug, Clone)]
pub struct Frame {
    opcode: Opcode,
    fin: bool,
    rsv1: bool,
    key: Option<[u8; 4]>,
    payload: Vec<u8>,
}

impl Frame {
    /// A masked frame that is a message of its own.
    #[must_use]
    pub fn new(opcode: Opcode, payload: impl AsRef<[u8]>) -> Self {
        let payload = payload.as_ref().to_vec();
        Self { opcode, fin: true, rsv1: false, key: Some([0x37, 0xfa, 0x21, 0x3d]), payload }
    }

    /// More frames of the message follow.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    /// RSV1 is set: the payload is compressed.
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.rsv1 = true;
        self
    }

    /// Masked with another key, or with none, as a server's frame.
    #[must_use]
    pub fn key(mut self, key: Option<[u8; 4]>) -> Self {
        self.key = key;
        self
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut header = [0; HEADER_BYTES];
        let len = self.payload.len();
        let used = encode_header(&mut header, self.opcode, self.fin, self.rsv1, len, self.key);
        let mut payload = self.payload.clone();
        mask::apply(self.key.unwrap_or_default(), 0, &mut payload);
        let mut bytes = header.get(..used).unwrap_or_default().to_vec();
        bytes.append(&mut payload);
        bytes
    }
}
