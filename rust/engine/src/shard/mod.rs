//! A shard: one thread, its own listener, epoll, connections, wheel and file table.
//!
//! It lives in turns, and a turn has fixed phases:
//!
//! wait · take inbox · read · timers · publish batch · flush · reap
//!
//! What a phase produces is queued; each connection is written to once, at the end of the turn,
//! and no slot is freed before `reap`, so an index means the same connection all turn long.
//! Those who come and go have their part after that, and phases of their own: see [`crowd`].

mod accept;
mod calm;
mod close;
mod crowd;
mod gate;
mod orders;
mod output;
mod read;
mod secure;
mod timers;
mod write;

pub(crate) use accept::claim;

use crate::admission::Addresses;
use crate::batch::{Batch, Item, Outlet};
use crate::config::{Config, READ_BUFFER, TICK_MS};
use crate::fanout::Topics;
use crate::flushes::Flushes;
use crate::inbox::{Inbox, Parcel};
use crate::memory::Ceiling;
use crate::sight::Sight;
use crate::stats::Stats;
use crate::sys::{Bell, Clock, block_signals, unshare_file_table};
use crate::table::{ConnId, Key, Phase, ROOM, Slot, Table, flag};
use crate::timer::{NONE, Wheel};
use crate::tls::Settings;
use calm::Calm;
use crowd::Crowd;
use gate::Gate;
use hivewire_proto::Codec;
use mio::net::TcpListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use output::Output;
use secure::Secure;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

const LISTENER: Token = Token(usize::MAX - 1);
const INBOX: Token = Token(usize::MAX - 2);

/// Events that one wait returns at most.
const EVENTS: usize = 4_096;

/// A shard is born an hour old. Stamps are set back by up to half the longest heartbeat (27 min), so
/// that lines that came together are not asked together; from zero those of the first minutes would
/// all end up at zero, and whoever comes back to a new node be asked in one moment for ever after.
const BORN_MS: u64 = 3_600_000;

/// What a shard shares with the Python-facing side, and nothing else.
#[derive(Debug)]
pub struct Shared {
    /// Orders for the shard.
    pub inbox: Inbox,
    /// Batches for Python.
    pub outlet: Outlet,
    /// Figures.
    pub stats: Stats,
    /// Rings for all shards.
    pub doorbell: Arc<Bell>,
    /// Connections on all shards.
    pub open: Arc<AtomicUsize>,
    /// What new connections speak TLS with; `None`: they do not.
    pub tls: Arc<Settings>,
    /// Who has connected from where.
    pub addresses: Arc<Addresses>,
    /// When output left.
    pub flushes: Flushes,
}

/// Where and how a shard listens.
#[derive(Debug)]
pub struct Listen {
    /// Its number.
    pub id: usize,
    /// With port 0 it takes a free one.
    pub address: SocketAddr,
    /// The engine's settings.
    pub config: Arc<Config>,
}

/// The state of the thread.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is its own condition, none excludes another"
)]
pub struct Shard {
    id: u32,
    config: Arc<Config>,
    shared: Arc<Shared>,
    clock: Clock,
    now_ms: u64,
    tick: u32,
    poll: Poll,
    listener: TcpListener,
    accepting: bool,
    table: Table,
    wheel: Wheel,
    topics: Topics,
    codec: Codec,
    buffer: Box<[u8]>,
    /// What lines that speak TLS share.
    secure: Secure,
    gate: Gate,
    ceiling: Ceiling,
    output: Output,
    batch: Batch,
    parcels: Vec<Parcel>,
    /// Number of the last submission that was carried out.
    taken: u64,
    readable: Vec<u32>,
    crowd: Crowd,
    /// The last look at events brought something of those who stay, or of Python, or nothing.
    stirred: bool,
    dead: Vec<u32>,
    /// Arenas on their way back to Python's side.
    spent: Vec<Vec<u8>>,
    due: Vec<u32>,
    calm: Calm,
    rng: fastrand::Rng,
    /// No new connections, no further commands.
    paused: bool,
    /// Python is behind: nothing is read until it has caught up.
    stalled: bool,
    /// When something was read: silence is counted then only.
    sight: Sight,
    stopping: bool,
}

impl Shard {
    /// Starts a shard on a thread of its own. Returns the address it listens on.
    ///
    /// # Errors
    /// When the thread cannot be started or the address cannot be bound.
    pub fn spawn(listen: Listen, shared: Arc<Shared>) -> io::Result<(SocketAddr, JoinHandle<()>)> {
        let (tell, told) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("hw-shard-{}", listen.id));
        let thread = thread.spawn(move || {
            block_signals();
            // The wake-up and the doorbell were made before and keep their numbers.
            let keep = [shared.inbox.bell().as_raw_fd(), shared.doorbell.as_raw_fd()];
            let own = unshare_file_table(&keep).is_ok();
            shared.stats.own_file_table.set(u64::from(own));
            match Self::new(&listen, shared) {
                Ok(mut ready) => {
                    let _ = tell.send(ready.listener.local_addr());
                    ready.run();
                }
                Err(error) => drop(tell.send(Err(error))),
            }
        })?;
        let ended = |_| io::Error::other("the shard ended before it listened");
        Ok((told.recv().map_err(ended)??, thread))
    }

    fn new(listen: &Listen, shared: Arc<Shared>) -> io::Result<Self> {
        let config = listen.config.clone();
        let poll = Poll::new()?;
        let listener = accept::listen(listen.address, &poll, LISTENER)?;
        let wake = shared.inbox.bell().as_raw_fd();
        poll.registry().register(&mut SourceFd(&wake), INBOX, Interest::READABLE)?;
        let mut new = Self {
            id: u32::try_from(listen.id).unwrap_or(0),
            codec: Codec::new(config.proto()),
            shared,
            clock: Clock::start(),
            now_ms: 0,
            tick: 0,
            poll,
            listener,
            accepting: true,
            table: Table::for_connections(room(&config)),
            wheel: Wheel::new(ticks_of(BORN_MS)),
            topics: Topics::default(),
            buffer: vec![0; READ_BUFFER].into(),
            secure: Secure::default(),
            gate: Gate::new(&config.admission, config.shards),
            ceiling: Ceiling::new(config.memory_limit),
            output: Output::default(),
            batch: Batch::default(),
            parcels: Vec::new(),
            taken: 0,
            readable: Vec::new(),
            crowd: Crowd::default(),
            stirred: false,
            dead: Vec::new(),
            spent: Vec::new(),
            due: Vec::new(),
            calm: Calm::default(),
            rng: fastrand::Rng::new(),
            paused: false,
            stalled: false,
            sight: Sight::default(),
            stopping: false,
            config,
        };
        new.read_clock();
        Ok(new)
    }

    /// Turns until it is told to stop. A panic outside of a connection's own input is a bug that
    /// may have left anything behind: the process ends, and what was answered is on disk.
    fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopping {
            if catch_unwind(AssertUnwindSafe(|| self.turn(&mut events))).is_err() {
                std::process::abort();
            }
        }
        self.shared.inbox.close();
    }

    fn turn(&mut self, events: &mut Events) {
        self.wait(events);
        self.watch_memory();
        self.take_inbox();
        self.take_events(events);
        self.read_all();
        self.fire_timers();
        self.let_out();
        if self.serve_crowd() {
            self.output.turn.number = self.taken + 1;
            self.let_out();
        }
        self.calm_down();
        self.shared.stats.turns_total.add(1);
    }

    fn let_out(&mut self) {
        self.publish();
        self.flush_all();
        self.reap();
        // Flushing and reaping may have brought news as well: closed, writable.
        self.publish();
    }

    fn wait(&mut self, events: &mut Events) {
        let others = self.stirred || !self.readable.is_empty();
        if let Some(nap) = self.crowd.nap(self.tick, others) {
            std::thread::sleep(nap);
        }
        let timeout = if self.has_work() { Some(Duration::ZERO) } else { self.until_next_timer() };
        if let Err(error) = self.poll.poll(events, timeout)
            && error.kind() != io::ErrorKind::Interrupted
        {
            // epoll_wait fails for no reason that the next turn could mend (EBADF, EINVAL).
            std::process::abort();
        }
        if timeout != Some(Duration::ZERO) {
            self.shared.stats.wakeups_total.add(1);
        }
        self.read_clock();
    }

    fn has_work(&self) -> bool {
        let knocks = self.crowd.knocking && self.accepting && self.crowd.is_quiet(self.tick);
        knocks || !self.readable.is_empty() && !self.stalled
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let knocks = self.crowd.knocking && self.accepting;
        if knocks || self.crowd.waits(self.stalled) {
            return Some(Duration::from_millis(1));
        }
        let tick = match (self.next_deadline(), self.accepting) {
            (None, true) => return None,
            (next, true) => next,
            // A resting listener is tried again within a second.
            (next, false) => Some(next.unwrap_or(u32::MAX).min(self.tick + 20)),
        };
        let at_ms = u64::from(tick?) * TICK_MS;
        Some(Duration::from_millis(at_ms.saturating_sub(self.time_ms()).max(1)))
    }

    fn next_deadline(&self) -> Option<u32> {
        let (wheel, look) = (self.wheel.next_tick(), self.next_look());
        wheel.into_iter().chain(look).min()
    }

    fn time_ms(&self) -> u64 {
        self.clock.now_ms().saturating_add(BORN_MS)
    }

    fn read_clock(&mut self) {
        self.now_ms = self.time_ms();
        self.tick = ticks_of(self.now_ms);
    }

    fn take_inbox(&mut self) {
        let mut parcels = std::mem::take(&mut self.parcels);
        self.shared.inbox.take(&mut parcels);
        self.output.turn.number = parcels.first().map_or(self.taken + 1, |first| first.number);
        self.taken = parcels.last().map_or(self.taken, |last| last.number);
        for parcel in parcels.drain(..) {
            self.carry_out(parcel);
        }
        self.parcels = parcels;
    }

    fn take_events(&mut self, events: &Events) {
        let mut seen = 0;
        self.crowd.fresh = 0;
        self.stirred = events.is_empty();
        for event in events {
            seen += 1;
            self.stirred |= match event.token() {
                LISTENER => {
                    self.crowd.knocking = true;
                    false
                }
                INBOX => true,
                Token(index) => {
                    let index = u32::try_from(index).unwrap_or(NONE);
                    self.note_event(index, event)
                }
            }
        }
        self.shared.stats.ready_total.add(seen);
    }

    /// Says whether the line is one that stays.
    fn note_event(&mut self, index: u32, event: &mio::event::Event) -> bool {
        let Some(slot) = self.table.at(index) else { return false };
        if event.is_read_closed() || event.is_error() {
            slot.line.set(flag::HANGING_UP);
        }
        if event.is_writable() && slot.line.clear(flag::BLOCKED) {
            self.output.mark(index, &mut slot.line);
        }
        let stays = slot.line.phase == Phase::Connected && !slot.line.has(flag::HANGING_UP);
        if slot.line.has(flag::HANGING_UP) || event.is_readable() {
            self.note_readable(index);
        }
        stays
    }

    fn publish(&mut self) {
        if !self.batch.is_empty() {
            self.shared.stats.batches_total.add(1);
            self.shared.outlet.publish(&mut self.batch, &self.shared.doorbell);
        }
    }

    /// Frees what has ended. Only here: until now an index meant one connection.
    fn reap(&mut self) {
        let mut dead = std::mem::take(&mut self.dead);
        for index in dead.drain(..) {
            self.bury(index);
        }
        self.dead = dead;
        let stats = &self.shared.stats;
        stats.connections.set(u64::try_from(self.table.len()).unwrap_or(0));
    }

    fn bury(&mut self, index: u32) {
        self.note_lost(index);
        self.topics.forget(&mut self.table, index);
        self.wheel.disarm(&mut self.table, index);
        let id = self.id;
        let Some(slot) = self.table.at(index) else { return };
        let (conn, session, code) = (conn_id(id, index, slot), slot.line.session, slot.line.code);
        self.output.forget_backlog(&mut slot.line);
        self.secure.keys.forget(index);
        // It may still stand in `readable`: whoever has the slot next is read once for nothing.
        // Dropping the socket takes it out of epoll; no other descriptor refers to it.
        if self.table.remove(index).is_none() {
            return;
        }
        self.shared.open.fetch_sub(1, Ordering::AcqRel);
        if session != NONE {
            let stats = &self.shared.stats;
            stats.sessions.set(stats.sessions.get().saturating_sub(1));
            self.batch.items.push(Item::Closed { conn, session, code });
        }
    }

    /// Marks a connection for reaping at the end of the turn.
    fn kill(&mut self, index: u32) {
        if let Some(slot) = self.table.at(index)
            && slot.line.phase != Phase::Dead
        {
            slot.line.phase = Phase::Dead;
            self.dead.push(index);
        }
    }
}

/// Slots that a shard is likely to need: its share, and a quarter more, because the kernel spreads
/// connections unevenly.
fn room(config: &Config) -> usize {
    let share = config.max_connections.min(ROOM).div_ceil(config.shards.max(1));
    share + share / 4
}

/// Whole ticks in so many milliseconds.
fn ticks_of(ms: u64) -> u32 {
    u32::try_from(ms / TICK_MS).unwrap_or(u32::MAX)
}

/// The name of the connection in a slot.
fn conn_id(shard: u32, index: u32, slot: &Slot) -> ConnId {
    ConnId::new(shard, Key { index, generation: slot.generation }, slot.line.encoding)
}

fn mark_readable(readable: &mut Vec<u32>, index: u32, slot: &mut Slot) {
    if slot.line.set(flag::READABLE) {
        readable.push(index);
    }
}
