//! What the connections do once they stand. One implementation per scenario, one value per thread.

mod echo;
mod fanout;
mod hold;
mod messages;

use std::os::fd::BorrowedFd;

pub(crate) use echo::Echo;
pub(crate) use fanout::{Center, Fanout};
pub(crate) use hold::Hold;
pub(crate) use messages::{Dialect, Messages};

use crate::report::{Faults, Histogram, histogram};

/// How many sends of one connection can be timed at once: twice `--in-flight`'s bound, because a
/// delivery may come after its sender's next answer.
const TIMED: usize = 64;

/// The moment at which something is handled.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    /// Nanoseconds of the fleet's clock.
    pub(crate) now: u64,
    /// New messages are sent.
    pub(crate) running: bool,
    /// Latencies are recorded.
    pub(crate) measuring: bool,
}

/// What a thread found out.
pub(crate) struct Outcome {
    pub(crate) connect_times: Histogram,
    /// Named latencies in nanoseconds.
    pub(crate) latencies: Vec<(&'static str, Histogram)>,
    pub(crate) faults: Faults,
}

impl Outcome {
    /// Latencies and faults; the thread adds how long its connections took.
    fn new(latencies: Vec<(&'static str, Histogram)>, faults: Faults) -> Self {
        Self { connect_times: histogram(), latencies, faults }
    }
}

/// What the connections of one thread do. `line` counts from 0 in each thread; frames are appended
/// to `out`, which is sent to that line in one piece.
pub(crate) trait Scenario: Send {
    /// A descriptor that wakes the thread for `turn_done`.
    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// A connection takes part from now on; `position` is where its user's timeline stands.
    fn ready(&mut self, _line: usize, _position: u64) {}
    /// The load starts.
    fn begin(&mut self, _line: usize, _now: u64, _out: &mut Vec<u8>) {}
    /// A message came.
    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>);
    /// All that had arrived was seen: perhaps one line has something to send.
    fn turn_done(&mut self, _turn: Turn, _out: &mut Vec<u8>) -> Option<usize> {
        None
    }
    /// Operations and deliveries so far.
    fn done(&self) -> (u64, u64) {
        (0, 0)
    }
    /// Nothing is under way.
    fn settled(&self) -> bool {
        true
    }
    /// The end.
    fn outcome(&mut self) -> Outcome;
}

/// When the last few sends of a connection were made.
struct Times([u64; TIMED]);

impl Times {
    fn new() -> Self {
        Self([0; TIMED])
    }

    fn set(&mut self, counter: u64, now: u64) {
        if let Some(slot) = self.0.get_mut(place(counter)) {
            *slot = now;
        }
    }

    /// Nanoseconds from the send `counter` until `now`.
    fn since(&self, counter: u64, now: u64) -> u64 {
        now.saturating_sub(self.0.get(place(counter)).copied().unwrap_or(now))
    }
}

/// Where the send `counter` stands in a ring of `TIMED`.
fn place(counter: u64) -> usize {
    usize::try_from(counter % TIMED as u64).unwrap_or_default()
}
