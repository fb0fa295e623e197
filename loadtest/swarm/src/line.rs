//! One connection of the fleet: 40 bytes while it rests.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, SockRef, Socket, Type};

use crate::ws;

/// How long a full socket buffer may stay full, in milliseconds.
const STALL_MS: u16 = 5_000;

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The TCP handshake is under way.
    Connecting,
    /// The upgrade was asked for.
    Upgrading,
    /// Its session is being opened.
    LoggingIn,
    /// It takes part.
    Ready,
    /// It was lost and will come back.
    Away,
    /// Both sides have said Close; the server ends the line (RFC 6455, 7.1.1).
    Leaving,
    /// It ended.
    Gone,
}

/// A connection.
pub(crate) struct Line {
    /// `None` while it is away.
    stream: Option<TcpStream>,
    pub(crate) state: State,
    /// How many events it had missed.
    pub(crate) missed: u16,
    /// When it was begun, in nanoseconds of the fleet's clock.
    pub(crate) began: u64,
    /// The start of a frame whose end has not come.
    rest: Vec<u8>,
}

/// What a read gave.
pub(crate) enum Arrived {
    /// So many bytes of the buffer are to be looked at.
    Bytes(usize),
    /// Nothing yet.
    Nothing,
    /// The server closed the line.
    End,
}

impl Line {
    /// Begins to connect, from `source` if given.
    pub(crate) fn open(
        server: SocketAddr,
        source: Option<IpAddr>,
        now: u64,
    ) -> Result<Self, String> {
        let words = |what| move |error| format!("{what}: {error}");
        let socket = Socket::new(Domain::for_address(server), Type::STREAM.nonblocking(), None)
            .map_err(words("socket"))?;
        if let Some(source) = source {
            // Without this bind would take a port for itself, and only 64,000 could be had in all.
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)
                .map_err(|error| words("IP_BIND_ADDRESS_NO_PORT")(error.into()))?;
            socket.bind(&SocketAddr::new(source, 0).into()).map_err(words("bind"))?;
        }
        socket.set_tcp_nodelay(true).map_err(words("TCP_NODELAY"))?;
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::EINPROGRESS as i32) => {
                return Err(words("connect")(error));
            }
            _ => {}
        }
        let stream = Some(socket.into());
        Ok(Self { stream, state: State::Connecting, missed: 0, began: now, rest: Vec::new() })
    }

    /// The socket, for epoll.
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
        self.stream.as_ref()
    }

    /// Lets go of the socket.
    pub(crate) fn end(&mut self, state: State) {
        self.stream = None;
        self.rest = Vec::new();
        self.state = state;
    }

    /// Ends the connection as a phone does that lost its network: with a reset, no word before.
    pub(crate) fn hang_up(&mut self) {
        if let Some(stream) = self.stream.take() {
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        self.end(State::Away);
    }

    /// Reads once, behind what was kept from before.
    pub(crate) fn read(&mut self, buffer: &mut Vec<u8>) -> Arrived {
        let rest = std::mem::take(&mut self.rest);
        let kept = rest.len();
        if buffer.len() < kept * 2 {
            buffer.resize(kept * 2, 0);
        }
        if let Some(front) = buffer.get_mut(..kept) {
            front.copy_from_slice(&rest);
        }
        let Some(stream) = &mut self.stream else { return Arrived::End };
        match stream.read(buffer.get_mut(kept..).unwrap_or_default()) {
            Ok(0) => Arrived::End,
            Ok(count) => Arrived::Bytes(kept + count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.keep(buffer.get(..kept).unwrap_or_default());
                Arrived::Nothing
            }
            Err(_) => Arrived::End,
        }
    }

    /// Remembers the start of a frame until the next read.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        // An empty vector owns nothing: most lines hold no bytes most of the time.
        self.rest = bytes.to_vec();
    }

    /// Writes all of `bytes`, waiting for room if it must. False when the line is broken.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        while !bytes.is_empty() {
            match stream.write(bytes) {
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut wanted = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
                    if poll(&mut wanted, STALL_MS) != Ok(1) {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Says Close as the server did. False when the line is broken.
    pub(crate) fn answer_close(&mut self, code: u16) -> bool {
        let mut close = Vec::new();
        ws::write_frame(&mut close, ws::CLOSE, &code.to_be_bytes());
        self.write(&close)
    }

    /// Whether the TCP handshake went well.
    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.stream.as_ref().map(TcpStream::take_error), Some(Ok(None)))
    }
}

/// The source address for connection `number`: a new one every `per_source`, so that the kernel's
/// search for a free port stays short. Only loopback has so many addresses to spare.
pub(crate) fn source(server: SocketAddr, number: usize, per_source: usize) -> Option<IpAddr> {
    if server.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return None;
    }
    let block = u32::try_from(number / per_source.max(1)).ok()?;
    Some(IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 0, 2).to_bits() + block)))
}
