//! Counters of a shard: written by its thread alone, read by anyone.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Running totals and gauges of one shard.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Counter,)*
        }

        impl Stats {
            /// Every figure with its name.
            #[must_use]
            pub fn figures(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

/// One figure. A single thread writes it, so a load and a store are enough.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds a number of bytes or things in memory.
    pub fn add_len(&self, n: usize) {
        self.add(u64::try_from(n).unwrap_or(u64::MAX));
    }

    /// Sets a gauge.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Reads it, from any thread.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

stats! {
    /// Gauge: sockets in the table.
    connections,
    /// Gauge: of these, those with a session.
    sessions,
    /// Gauge: 1 where the shard has a file table of its own.
    own_file_table,
    /// Sockets accepted.
    accepted_total,
    /// Times the listener rested for want of descriptors or room.
    accept_pauses_total,
    /// Upgrades answered with 101.
    upgrades_total,
    /// Upgrade requests refused, for any reason.
    refused_total,
    /// Of these: as many connections as there may be, or draining.
    refused_full_total,
    /// Of these: the rate of newcomers, or of what they catch up with.
    refused_rate_total,
    /// Of these: too many from one address.
    refused_address_total,
    /// Of these: memory runs short.
    refused_memory_total,
    /// TLS handshakes that waited for their turn.
    tls_queued_total,
    /// Gauge: 1 from 75 % of the memory on, 2 from 85 %, 3 from 92 %.
    memory_pressure,
    /// Readers closed because memory ran short (4003).
    memory_closed_total,
    /// TLS handshakes that came to their end.
    tls_handshakes_total,
    /// Lines that broke TLS, or were not TLS.
    tls_failures_total,
    /// Bytes received.
    received_bytes_total,
    /// Bytes sent.
    sent_bytes_total,
    /// Reads from sockets.
    reads_total,
    /// Writes to sockets.
    writes_total,
    /// Of these: those that took several pieces of a turn together.
    gathered_writes_total,
    /// Bytes that went out in those.
    gathered_bytes_total,
    /// Whole messages received.
    messages_received_total,
    /// Frames queued for sending.
    frames_queued_total,
    /// Turns of the loop.
    turns_total,
    /// Of these: turns that were waited for, so the thread was woken.
    wakeups_total,
    /// Sockets and bells that were reported ready.
    ready_total,
    /// Batches published to Python.
    batches_total,
    /// Times reading stopped because Python was behind.
    read_stalls_total,
    /// Orders for connections that were gone.
    stale_orders_total,
    /// Times a submit waited for the shard to take its inbox; written by Python's side alone.
    submit_waits_total,
    /// Heartbeat pings sent.
    pings_sent_total,
    /// Connections closed for want of a heartbeat (4004).
    heartbeat_lost_total,
    /// Connections closed as slow readers (4003).
    slow_readers_total,
    /// Volatile pushes dropped for slow readers.
    volatile_dropped_total,
    /// Connections closed for a violation of the protocol.
    protocol_errors_total,
    /// Panics caught at the shard: bugs of ours.
    panics_total,
    /// Gauge: bytes in backlogs.
    outbox_bytes,
    /// Gauge: how late the wheel was looked at, milliseconds, the worst since the last look.
    wheel_lag_ms,
}
