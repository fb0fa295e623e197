//! The engine as the Python side sees it: start and stop shards, [`take`] what they published,
//! [`submit`] what was decided.

mod events;
mod submit;
mod take;
mod trace;

pub use events::FanOut;
pub use submit::NewSession;
pub use take::{Frames, Inbound};
pub use trace::{Passage, Way};

use crate::admission::Addresses;
use crate::batch::{Batch, Outlet};
use crate::config::Config;
use crate::directory::{Directory, Session};
use crate::flushes::Flushes;
use crate::inbox::{Inbox, Order, Parcel};
use crate::shard::{self, Listen, Shard, Shared};
use crate::stats::Stats;
use crate::sys::Bell;
use crate::table::{ConnId, MAX_SHARDS, ROOM};
use crate::tls;
use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A running engine. Everything here happens on the thread that owns it.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    doorbell: Arc<Bell>,
    shards: Vec<Handle>,
    directory: Directory,
    fetched: VecDeque<Batch>,
    /// How far the first fetched batch has been read: items and frames.
    read: (usize, usize),
    open: Arc<AtomicUsize>,
    tls: Arc<tls::Settings>,
    addresses: Arc<Addresses>,
    /// One for each shard.
    tails: Vec<events::Tails>,
    /// How many submissions there were.
    submitted: u64,
}

/// Figures of which the worst of all shards counts, not the sum.
const WORST: [&str; 2] = ["wheel_lag_ms", "memory_pressure"];

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    parcel: Parcel,
    thread: Option<JoinHandle<()>>,
}

impl Engine {
    /// An engine that listens nowhere yet.
    ///
    /// # Errors
    /// When no descriptor can be had, or for more shards than ids can name.
    pub fn new(config: Config) -> io::Result<Self> {
        if config.shards == 0 || config.shards > MAX_SHARDS {
            let message = format!("shards must be 1 to {MAX_SHARDS}, not {}", config.shards);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let addresses = Arc::new(Addresses::new(config.admission.address));
        Ok(Self {
            tails: vec![[None; 2]; config.shards],
            submitted: 0,
            directory: Directory::for_sessions(config.max_connections.min(ROOM)),
            config: Arc::new(config),
            doorbell: Arc::new(Bell::new()?),
            shards: Vec::new(),
            fetched: VecDeque::new(),
            read: (0, 0),
            open: Arc::new(AtomicUsize::new(0)),
            tls: Arc::default(),
            addresses,
        })
    }

    /// Lets connections from here on begin with the certificate and key in these PEM files. Those
    /// that are open keep what they have. Where anything is wrong with the files, nothing changes.
    ///
    /// # Errors
    /// When a file cannot be read, holds no PEM, or key and certificate do not fit together.
    pub fn reload_tls(&mut self, cert: &str, key: &str) -> io::Result<()> {
        if self.config.tls.is_none() {
            let message = "the listener was started without TLS";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.tls.set(tls::load(cert, key)?);
        Ok(())
    }

    /// Binds and starts the shards. Returns the address that was bound.
    ///
    /// # Errors
    /// When the address cannot be resolved or bound.
    pub fn listen(&mut self) -> io::Result<SocketAddr> {
        let unresolved = || io::Error::new(io::ErrorKind::InvalidInput, "no such address");
        let mut address = self.config.address.to_socket_addrs()?.next().ok_or_else(unresolved)?;
        if let Some((cert, key)) = self.config.tls.clone() {
            self.reload_tls(&cert, &key)?;
        }
        shard::claim(address)?;
        for id in 0..self.config.shards {
            let shared = Arc::new(Shared {
                inbox: Inbox::new()?,
                outlet: Outlet::new(self.config.inbound_bytes),
                stats: Stats::default(),
                doorbell: self.doorbell.clone(),
                open: self.open.clone(),
                tls: self.tls.clone(),
                addresses: self.addresses.clone(),
                flushes: Flushes::default(),
            });
            let listen = Listen { id, address, config: self.config.clone() };
            let (bound, thread) = Shard::spawn(listen, shared.clone())?;
            // With port 0 the first shard finds the port and the others join it.
            address = bound;
            self.shards.push(Handle { shared, parcel: Parcel::default(), thread: Some(thread) });
        }
        Ok(address)
    }

    /// The doorbell to watch: readable while there may be something to take.
    #[must_use]
    pub fn doorbell(&self) -> &Bell {
        &self.doorbell
    }

    /// Hands everything queued so far to the shards. Waits for one that is too far behind. Returns
    /// the number of this submission, for [`Engine::passages`].
    pub fn dispatch(&mut self) -> u64 {
        self.submitted += 1;
        for shard in &mut self.shards {
            if !shard.parcel.orders.is_empty() {
                shard.parcel.number = self.submitted;
                let waited = shard.shared.inbox.deliver(&mut shard.parcel);
                shard.shared.stats.submit_waits_total.add(u64::from(waited));
            }
        }
        self.submitted
    }

    /// The number that what is queued now will have.
    fn next_number(&self) -> Option<NonZeroU64> {
        NonZeroU64::new(self.submitted + 1)
    }

    /// Refuses new connections and reads no further commands.
    pub fn pause(&mut self) {
        self.order_all(|| Order::Pause);
    }

    /// Says `bye` 4000 to everybody, each with its own slot inside `spread_ms`.
    pub fn drain(&mut self, spread_ms: u64) {
        self.order_all(|| Order::Drain { spread_ms });
    }

    fn order_all(&mut self, order: impl Fn() -> Order) {
        for shard in &mut self.shards {
            shard.parcel.orders.push(order());
        }
        self.dispatch();
    }

    /// Names of the devices with which `user` is connected.
    pub fn devices(&mut self, user: &str) -> Vec<String> {
        let mut devices = Vec::new();
        self.directory.for_each(user, |session| devices.push(session.device.to_string()));
        devices
    }

    /// The connections of `user`, each with the name of its device.
    pub fn sessions_of(&mut self, user: &str) -> Vec<(ConnId, String)> {
        let mut found = Vec::new();
        self.directory
            .for_each(user, |session| found.push((session.conn, session.device.to_string())));
        found
    }

    /// Names of the users that have a session.
    #[must_use]
    pub fn users(&self) -> Vec<String> {
        self.directory.users().map(str::to_owned).collect()
    }

    /// Each session's connection, user and device: what a Python layer that is new has to know.
    #[must_use]
    pub fn sessions(&self) -> Vec<(u64, String, String)> {
        let named = |(session, user): (&Session, &str)| {
            (session.conn.get(), user.to_owned(), session.device.to_string())
        };
        self.directory.sessions().map(named).collect()
    }

    /// Connections that are open now, in any phase.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Ends all shards and waits for their threads.
    pub fn stop(&mut self) {
        self.order_all(|| Order::Stop);
        for shard in &mut self.shards {
            // A shard that panicked has said so on its way out; there is nothing left to save.
            let _ = shard.thread.take().map(JoinHandle::join);
        }
    }

    /// The sum of every figure over all shards; the wheel's lag is the worst of them.
    #[must_use]
    pub fn stats(&self) -> Vec<(&'static str, u64)> {
        let mut sums: Vec<(&'static str, u64)> = Stats::default().figures();
        for shard in &self.shards {
            for (sum, (name, figure)) in sums.iter_mut().zip(shard.shared.stats.figures()) {
                sum.1 = if WORST.contains(&name) { sum.1.max(figure) } else { sum.1 + figure };
            }
            shard.shared.stats.wheel_lag_ms.set(0);
        }
        sums.push(("shards", u64::try_from(self.shards.len()).unwrap_or(0)));
        sums
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}
