//! Fan-out: a publish is done when every subscriber has it; then the publisher sends another.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::sys::eventfd::EventFd;

use super::{Outcome, Scenario, TIMED, Turn, place};
use crate::objects::number;
use crate::report::{Faults, Histogram, histogram};
use crate::ws::Template;

/// Digits of the counter that a payload starts with.
const DIGITS: usize = 10;
/// The publisher's line, in the thread that has number 0.
pub(super) const PUBLISHER: usize = 0;

/// What the threads count together: arrivals of each publish under way.
pub(crate) struct Center {
    subscribers: u64,
    arrived: [AtomicU64; TIMED],
    sent_at: [AtomicU64; TIMED],
    complete: AtomicU64,
    wake: EventFd,
}

impl Center {
    /// For `subscribers` connections.
    pub(crate) fn new(subscribers: usize) -> Result<Arc<Self>, String> {
        Ok(Arc::new(Self {
            subscribers: subscribers as u64,
            arrived: [const { AtomicU64::new(0) }; TIMED],
            sent_at: [const { AtomicU64::new(0) }; TIMED],
            complete: AtomicU64::new(0),
            wake: EventFd::new().map_err(|error| format!("eventfd: {error}"))?,
        }))
    }

    /// One more subscriber has publish `counter`; when it was the last, the time the publish took.
    pub(super) fn arrive(&self, counter: u64, now: u64) -> Option<u64> {
        if self.arrived.get(place(counter))?.fetch_add(1, Relaxed) + 1 < self.subscribers {
            return None;
        }
        self.complete.fetch_add(1, Relaxed);
        Some(self.since(counter, now))
    }

    /// Nanoseconds from the publish `counter` until `now`.
    pub(super) fn since(&self, counter: u64, now: u64) -> u64 {
        now.saturating_sub(self.sent_at.get(place(counter)).map_or(now, |at| at.load(Relaxed)))
    }

    pub(super) fn sent(&self, counter: u64, now: u64) {
        let slot = place(counter);
        if let (Some(arrived), Some(sent_at)) = (self.arrived.get(slot), self.sent_at.get(slot)) {
            arrived.store(0, Relaxed);
            sent_at.store(now, Relaxed);
        }
    }

    /// How many publishes have arrived everywhere.
    pub(super) fn complete(&self) -> u64 {
        self.complete.load(Relaxed)
    }

    /// What wakes the publisher's thread.
    pub(super) fn doorbell(&self) -> &EventFd {
        &self.wake
    }

    /// Tells the publisher's thread that a publish has arrived everywhere.
    pub(super) fn wake(&self, faults: &mut Faults) {
        if self.wake.write(1).is_err() {
            faults.count("publisher not woken", 1);
        }
    }
}

/// The connections of one thread; in the first thread line 0 is the publisher.
pub(crate) struct Fanout {
    center: Arc<Center>,
    publishes: bool,
    next: Template,
    in_flight: u64,
    bytes: usize,
    sent: u64,
    /// The counter of the last publish that each line got.
    last: Vec<u64>,
    deliveries: u64,
    latency: Histogram,
    faults: Faults,
}

impl Fanout {
    /// `lines` connections; with `publishes` the first of them is the publisher.
    pub(crate) fn new(
        center: Arc<Center>,
        lines: usize,
        publishes: bool,
        in_flight: u64,
        bytes: usize,
    ) -> Self {
        let bytes = bytes.max(DIGITS);
        let payload = [&[b'0'; DIGITS], vec![b'x'; bytes - DIGITS].as_slice()].concat();
        Self {
            center,
            publishes,
            next: Template::new(&payload),
            in_flight,
            bytes,
            sent: 0,
            last: vec![0; lines],
            deliveries: 0,
            latency: histogram(),
            faults: Faults::default(),
        }
    }
}

impl Scenario for Fanout {
    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        self.publishes.then(|| self.center.doorbell().as_fd())
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, _out: &mut Vec<u8>) {
        let Some(last) = self.last.get_mut(line) else { return };
        let counter = number(payload.get(..DIGITS).unwrap_or_default());
        if counter != *last + 1 || payload.len() != self.bytes {
            self.faults.note("not the next publish", || format!("{counter} after {last}"));
        }
        *last = counter;
        self.deliveries += 1;
        let Some(took) = self.center.arrive(counter, turn.now) else { return };
        if turn.measuring {
            self.latency.saturating_record(took);
        }
        if !self.publishes {
            self.center.wake(&mut self.faults);
        }
    }

    fn turn_done(&mut self, turn: Turn, out: &mut Vec<u8>) -> Option<usize> {
        if !self.publishes || !turn.running {
            return None;
        }
        let due = self.center.complete() + self.in_flight;
        let first = self.sent;
        while self.sent < due {
            self.sent += 1;
            self.next.step(DIGITS - 1);
            self.center.sent(self.sent, turn.now);
            out.extend_from_slice(self.next.bytes());
        }
        (self.sent > first).then_some(PUBLISHER)
    }

    fn done(&self) -> (u64, u64) {
        (self.deliveries, self.deliveries)
    }

    fn settled(&self) -> bool {
        !self.publishes || self.center.complete() == self.sent
    }

    fn outcome(&mut self) -> Outcome {
        if self.publishes {
            let complete = self.center.complete();
            self.faults.count("publish not everywhere", self.sent - complete.min(self.sent));
        }
        let latency = std::mem::replace(&mut self.latency, histogram());
        Outcome::new(vec![("everywhere", latency)], std::mem::take(&mut self.faults))
    }
}
