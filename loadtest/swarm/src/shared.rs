//! What the threads of a fleet share: its phase, and what they count for it.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize};

use crate::cli;
use crate::clock::Clock;
use crate::login::Login;

/// What the whole fleet is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are opened.
    Ramp = 0,
    /// What the load needs is made, step by step: groups, subscriptions.
    Prepare = 1,
    /// The load runs, or the connections are held.
    Run = 2,
    /// The same, and latencies are recorded.
    Measure = 3,
    /// Nothing new is begun; what is under way arrives, and what has an end comes to it.
    Finish = 4,
    /// Threads end.
    Stop = 5,
}

/// What all threads share.
pub(crate) struct Shared {
    pub(crate) fleet: cli::Fleet,
    pub(crate) login: Login,
    pub(crate) clock: Clock,
    pub(crate) threads: usize,
    pub(crate) phase: AtomicU8,
    /// The step of the preparation, and how many steps the threads together have done.
    pub(crate) step: AtomicU8,
    pub(crate) prepared: AtomicUsize,
    /// Connections that take part; those that ended or never came so far.
    pub(crate) ready: AtomicUsize,
    pub(crate) lost: AtomicUsize,
    /// When the last one became ready.
    pub(crate) last_ready: AtomicU64,
    /// Threads whose scenario has nothing under way.
    pub(crate) settled: AtomicUsize,
    pub(crate) operations: AtomicU64,
    pub(crate) deliveries: AtomicU64,
    /// A thread could not go on.
    pub(crate) broken: AtomicBool,
}

impl Shared {
    /// A fleet of so many threads that begins now.
    pub(crate) fn new(fleet: cli::Fleet, login: Login, threads: usize) -> Self {
        Self {
            fleet,
            login,
            clock: Clock::start(),
            threads,
            phase: AtomicU8::new(Phase::Ramp as u8),
            step: AtomicU8::new(0),
            prepared: AtomicUsize::new(0),
            ready: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            last_ready: AtomicU64::new(0),
            settled: AtomicUsize::new(0),
            operations: AtomicU64::new(0),
            deliveries: AtomicU64::new(0),
            broken: AtomicBool::new(false),
        }
    }
}
