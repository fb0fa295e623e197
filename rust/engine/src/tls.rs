//! TLS without I/O: sealed bytes in, plain bytes out, and the other way round.
//!
//! Buffers are the shard's; a connection keeps its keys and, while a record has come in only in
//! part, that part (I10). TLS 1.2 and 1.3, no renegotiation (rustls has none), no early data,
//! resumption by tickets, so that the node remembers nothing of who has gone.

use crate::outbox::write_some;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, InsufficientSizeError};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Plain bytes that are sealed for one write: as many whole records as fit into [`SEALED`].
const SEAL_AT_ONCE: usize = 48 * 1024;

/// Room for that many plain bytes with what the records add to them.
pub const SEALED: usize = 64 * 1024;

/// A record, or a flight of the handshake, that is longer than this is nobody's we know (I8).
const PART: usize = 32 * 1024;

/// What TLS could do wrong. The alert that tells the peer is queued already.
#[derive(Debug)]
pub struct TlsFailure;

/// What one read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Plain bytes at the front of the buffer.
    pub plain: usize,
    /// The peer has said `close_notify`: nothing follows.
    pub ended: bool,
}

/// The settings of all connections from one pair of files.
///
/// # Errors
/// When a file cannot be read, holds no PEM, or key and certificate do not fit together.
pub fn load(cert: &str, key: &str) -> io::Result<Arc<ServerConfig>> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|e| pem(cert, e));
    let chain: Vec<CertificateDer<'static>> = chain?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| pem(key, e))?;
    if chain.is_empty() {
        return Err(invalid(format!("{cert}: no certificate in it")));
    }
    settings(chain, secret).map_err(|error| invalid(format!("{cert}, {key}: {error}")))
}

fn settings(
    chain: Vec<CertificateDer<'static>>,
    secret: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new()?;
    // A client comes back on one connection: one ticket is enough.
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

fn pem(file: &str, error: PemError) -> io::Error {
    match error {
        PemError::Io(error) => io::Error::new(error.kind(), format!("{file}: {error}")),
        other => invalid(format!("{file}: {other}")),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// What new connections begin with; replaced while the node runs when certificates are renewed.
#[derive(Debug, Default)]
pub struct Settings(Mutex<Option<Arc<ServerConfig>>>);

impl Settings {
    /// What a new connection begins with.
    #[must_use]
    pub fn get(&self) -> Option<Arc<ServerConfig>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes effect for connections that have not begun; the others keep what they have.
    pub fn set(&self, config: Arc<ServerConfig>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(config);
    }
}

/// One TLS connection.
pub struct Tls {
    inner: UnbufferedServerConnection,
    /// The record that has not come in whole; empty at rest.
    part: Vec<u8>,
    established: bool,
    /// `close_notify` or a fatal alert is out: nothing more is sealed.
    ended: bool,
}

impl fmt::Debug for Tls {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, established, ended, .. } = self;
        write!(f, "Tls {{ part: {}, established: {established}, ended: {ended} }}", part.len())
    }
}

impl Tls {
    /// A connection whose first bytes are about to be read; `None` if `config` cannot be used.
    #[must_use]
    pub fn accept(config: Arc<ServerConfig>) -> Option<Box<Self>> {
        let inner = UnbufferedServerConnection::new(config).ok()?;
        Some(Box::new(Self { inner, part: Vec::new(), established: false, ended: false }))
    }

    /// Whether the handshake is done, so that plain bytes can be sealed.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.established && !self.ended
    }

    /// Puts the part of a record that waits here in front of what is about to be read. Returns
    /// its length.
    pub fn lend(&self, buffer: &mut [u8]) -> usize {
        if let Some(front) = buffer.get_mut(..self.part.len()) {
            front.copy_from_slice(&self.part);
        }
        self.part.len()
    }

    /// Opens what was read, the lent part in front of it. Plain bytes go to the front of `plain`,
    /// which is at least as long as `sealed`; what has to be told the peer is added to `reply`.
    ///
    /// # Errors
    /// When the peer breaks TLS; an alert is in `reply`.
    pub fn open(
        &mut self,
        sealed: &mut [u8],
        plain: &mut [u8],
        reply: &mut Vec<u8>,
    ) -> Result<Opened, TlsFailure> {
        let mut opened = Opened { plain: 0, ended: false };
        let mut from = 0;
        loop {
            let status = self.inner.process_tls_records(sealed.get_mut(from..).unwrap_or_default());
            let mut discard = status.discard;
            let mut waits = false;
            match status.state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(|_| TlsFailure)?;
                        discard += record.discard;
                        let room = plain.get_mut(opened.plain..).unwrap_or_default();
                        let Some(room) = room.get_mut(..record.payload.len()) else {
                            return Err(TlsFailure);
                        };
                        room.copy_from_slice(record.payload);
                        opened.plain += record.payload.len();
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(reply, |room| data.encode(room))?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    opened.ended = true;
                    waits = true;
                }
                Ok(ConnectionState::WriteTraffic(_)) => {
                    self.established = true;
                    waits = true;
                }
                Ok(ConnectionState::BlockedHandshake) => waits = true,
                Ok(_) => return Err(TlsFailure),
                Err(_) => {
                    from += discard;
                    return Err(self.fail(sealed.get_mut(from..).unwrap_or_default(), reply));
                }
            }
            from += discard;
            if waits {
                return self.keep(sealed.get(from..).unwrap_or_default()).map(|()| opened);
            }
        }
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), TlsFailure> {
        if rest.len() > PART {
            return Err(TlsFailure);
        }
        // At rest the part owns nothing; a buffer that was large once does not stay.
        self.part = if rest.is_empty() { Vec::new() } else { rest.to_vec() };
        Ok(())
    }

    /// Collects the alert that rustls has for the peer. It wants to be shown the same bytes again.
    fn fail(&mut self, sealed: &mut [u8], reply: &mut Vec<u8>) -> TlsFailure {
        self.ended = true;
        while let Ok(ConnectionState::EncodeTlsData(mut data)) =
            self.inner.process_tls_records(sealed).state
        {
            if encode(reply, |room| data.encode(room)).is_err() {
                break;
            }
        }
        TlsFailure
    }

    /// Seals `plain`, at most [`SEAL_AT_ONCE`] of it, into `sealed`, which has [`SEALED`] bytes.
    /// Returns how much of `plain` was taken, and the length of what it became.
    ///
    /// # Errors
    /// Before the handshake is done and after the end, or when the keys are used up.
    pub fn seal(&mut self, plain: &[u8], sealed: &mut [u8]) -> Result<(usize, usize), TlsFailure> {
        let plain = plain.get(..SEAL_AT_ONCE).unwrap_or(plain);
        if self.ended {
            return Err(TlsFailure);
        }
        let mut used = 0;
        loop {
            // What has come in of a record is part of the state and must be shown again.
            match self.inner.process_tls_records(&mut self.part).state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let room = sealed.get_mut(used..).unwrap_or_default();
                    let wrote = traffic.encrypt(plain, room).map_err(|_| TlsFailure)?;
                    return Ok((plain.len(), used + wrote));
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let room = sealed.get_mut(used..).unwrap_or_default();
                    used += data.encode(room).map_err(|_| TlsFailure)?;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                // The peer will say nothing more, but may still read.
                Ok(ConnectionState::PeerClosed) => {}
                _ => return Err(TlsFailure),
            }
        }
    }

    /// Adds `close_notify` to `reply`, once: the peer then knows that nothing was cut off.
    pub fn end(&mut self, reply: &mut Vec<u8>) {
        if self.is_established()
            && let Ok(ConnectionState::WriteTraffic(mut traffic)) =
                self.inner.process_tls_records(&mut self.part).state
        {
            let mut alert = [0; 64];
            let used = traffic.queue_close_notify(&mut alert).unwrap_or(0);
            reply.extend_from_slice(alert.get(..used).unwrap_or_default());
        }
        self.ended = true;
    }
}

/// Adds a message of the handshake to `reply`, with as much room as it says it needs.
fn encode(
    reply: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), TlsFailure> {
    let start = reply.len();
    let mut room = 4_096;
    loop {
        reply.resize(start + room, 0);
        match write(reply.get_mut(start..).unwrap_or_default()) {
            Ok(used) => {
                reply.truncate(start + used);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncodeError::AlreadyEncoded) => {
                reply.truncate(start);
                return Err(TlsFailure);
            }
        }
    }
}

/// A socket that seals what is written to it.
#[derive(Debug)]
pub struct Sealing<'s, W> {
    /// The connection.
    pub tls: &'s mut Tls,
    /// Where sealed bytes go.
    pub socket: &'s mut W,
    /// The shard's buffer of [`SEALED`] bytes.
    pub buffer: &'s mut [u8],
    /// Sealed bytes that the kernel did not take. They are on the line before anything else.
    pub left: Vec<u8>,
}

impl<W: Write> Write for Sealing<'_, W> {
    /// Takes all of `plain`, or as much as was sealed when the kernel took no more.
    fn write(&mut self, plain: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        while taken < plain.len() && self.left.is_empty() {
            let rest = plain.get(taken..).unwrap_or_default();
            let sealed = self.tls.seal(rest, self.buffer);
            let (used, len) = sealed.map_err(|_| io::Error::other("TLS has ended"))?;
            taken += used;
            let bytes = self.buffer.get(..len).unwrap_or_default();
            let sent = write_some(self.socket, bytes)?;
            self.left.extend_from_slice(bytes.get(sent..).unwrap_or_default());
        }
        if taken == 0 && !plain.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
