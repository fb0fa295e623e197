//! New sockets: taken from the listener, until there is no room for more.

use super::Shard;
use crate::table::{Phase, flag};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;

/// Connections that the kernel may hold for a shard that has not accepted them yet, if
/// `net.core.somaxconn` lets it. For those beyond it a connect is tried again by their kernels, after
/// seconds that double: a shard takes in 16,384 sooner than that.
const BACKLOG: i32 = 16_384;

/// A listener of the shard's own: the kernel spreads connections over all shards (`SO_REUSEPORT`).
pub(super) fn listen(address: SocketAddr, poll: &Poll, token: Token) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let mut listener = TcpListener::from_std(socket.into());
    poll.registry().register(&mut listener, token, Interest::READABLE)?;
    Ok(listener)
}

/// Fails where somebody else listens on `address` already. `SO_REUSEPORT` would let two nodes of
/// one user share a port, and each would get half of the other's clients.
///
/// # Errors
/// What `bind(2)` reports, in practice EADDRINUSE.
pub(crate) fn claim(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

impl Shard {
    /// Takes at most so many from the listener. How many there were.
    pub(super) fn accept(&mut self, most: usize) -> usize {
        self.accepting = true;
        let quiet = self.crowd.is_quiet(self.tick);
        for taken in 0..most {
            if !self.gate.may_accept(self.now_ms, quiet, self.crowd.asks()) {
                // Tried again with the next tick, see `next_look`.
                self.accepting = false;
                return taken;
            }
            match self.listener.accept() {
                Ok((stream, peer)) => {
                    self.gate.accepted(self.now_ms);
                    self.crowd.fresh += 1;
                    self.admit(stream, peer);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.crowd.knocking = false;
                    return taken;
                }
                Err(error) if is_shortage(&error) => {
                    // Edge-triggered epoll will not tell again, so the shard tries by itself
                    // once a second, without spinning (see `until_next_timer`).
                    self.accepting = false;
                    self.shared.stats.accept_pauses_total.add(1);
                    return taken;
                }
                // The peer gave up while it waited: the next one may not have.
                Err(_) => {}
            }
        }
        most
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let stats = &self.shared.stats;
        stats.accepted_total.add(1);
        let welcome = self.shared.addresses.welcomes(peer.ip(), self.now_ms);
        if !welcome && self.config.tls.is_some() {
            // To tell it would take a handshake.
            stats.refused_total.add(1);
            stats.refused_address_total.add(1);
            return;
        }
        // Answers are small and complete; nothing is gained by waiting for more to send.
        let _ = stream.set_nodelay(true);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let (now, tick) = (self.now_ms, self.tick);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&stream);
        let Some(key) = self.table.insert(stream, now, tick) else { return };
        if let Some(slot) = self.table.at(key.index) {
            slot.line.flags |= if welcome { 0 } else { flag::CROWDED };
            slot.line.flags |= if self.config.tls.is_some() { flag::SECURE } else { 0 };
        }
        self.shared.open.fetch_add(1, Ordering::AcqRel);
        let token = Token(key.index as usize);
        if self.poll.registry().register(&mut mio::unix::SourceFd(&fd), token, interest).is_err() {
            return self.kill(key.index);
        }
        debug_assert_eq!(self.table.at(key.index).map(|s| s.line.phase), Some(Phase::Upgrading));
        self.arm_opening(key.index);
    }
}

fn is_shortage(error: &io::Error) -> bool {
    let shortages = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| shortages.contains(&code))
}
