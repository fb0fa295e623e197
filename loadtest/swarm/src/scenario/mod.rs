//! What the connections do once they stand. One implementation per scenario, one value per thread.

mod calm;
mod channel;
mod echo;
mod fanout;
mod fill;
mod flap;
mod group;
mod hold;
mod messages;
mod outgoing;
mod storm;
mod sync;

use std::os::fd::BorrowedFd;

pub(crate) use calm::{Calm, Chatter};
pub(crate) use channel::{Channel, Plan};
pub(crate) use echo::Echo;
pub(crate) use fanout::{Center, Fanout};
pub(crate) use fill::{Absent, Fill};
pub(crate) use flap::{Crowd, Flap};
pub(crate) use group::Group;
pub(crate) use hold::Hold;
pub(crate) use messages::{Dialect, Messages};
pub(crate) use storm::Storm;
pub(crate) use sync::Sync;

use crate::report::{Faults, Histogram, histogram};

/// How many sends of one connection can be timed at once: twice `--in-flight`'s bound, because a
/// delivery may come after its sender's next answer.
const TIMED: usize = 64;

/// How soon a thread sees that the phase changed, and how finely `--rate` is kept.
const TICK_MS: u8 = 5;

/// The moment at which something is handled.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    /// Nanoseconds of the fleet's clock.
    pub(crate) now: u64,
    /// New messages are sent.
    pub(crate) running: bool,
    /// Latencies are recorded.
    pub(crate) measuring: bool,
    /// The end has come.
    pub(crate) ending: bool,
}

/// What a thread found out.
pub(crate) struct Outcome {
    pub(crate) connect_times: Histogram,
    /// Named latencies in nanoseconds.
    pub(crate) latencies: Vec<(&'static str, Histogram)>,
    /// What else was counted, over the whole run.
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// When single deliveries were made and how long they took, if that was asked for.
    pub(crate) trace: Vec<Delivered>,
    pub(crate) faults: Faults,
}

/// One message's way.
#[derive(Clone, Copy)]
pub(crate) struct Delivered {
    /// When it was sent, in milliseconds of the fleet's clock.
    pub(crate) sent_ms: u32,
    pub(crate) took_us: u32,
}

/// How a connection ended that was not ended by us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// The upgrade was refused; come back after so many seconds, if that was said.
    Refused(Option<u64>),
    /// The server closed it with this code.
    Closed(u16),
    /// It broke, or never came about.
    Broken,
    /// The scenario did not want to wait for the upgrade any longer.
    TimedOut,
}

/// What becomes of a connection because the scenario wants it.
#[derive(Clone, Copy)]
pub(crate) enum Move {
    /// It is lost.
    HangUp(usize),
    /// It is opened again.
    Open(usize),
    /// It is given up if the server has not answered its upgrade yet.
    GiveUp(usize),
}

impl Outcome {
    /// Latencies and faults; the thread adds how long its connections took.
    fn new(latencies: Vec<(&'static str, Histogram)>, faults: Faults) -> Self {
        Self {
            connect_times: histogram(),
            latencies,
            counts: Vec::new(),
            trace: Vec::new(),
            faults,
        }
    }
}

/// What the connections of one thread do. `line` counts from 0 in each thread; frames are appended
/// to `out`, which is sent to that line in one piece.
pub(crate) trait Scenario: Send {
    /// A descriptor that wakes the thread for `turn_done`.
    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    /// A connection takes part from now on; `position` is where its user's timeline stands, and
    /// `missed` how many events it was sent on the way there.
    fn ready(&mut self, _line: usize, _position: u64, _missed: u16) {}
    /// The same with the server's last answer on the way, and the time.
    fn connected(&mut self, _line: usize, _answer: &[u8], _now: u64) {}
    /// The ticket that a connection comes back with; without one it shows its token.
    fn ticket(&self, _line: usize) -> Option<&str> {
        None
    }
    /// A connection ended that should not have, unless this says that it may.
    fn forgives(&mut self, _line: usize, _loss: Loss, _turn: Turn) -> bool {
        false
    }
    /// How long the thread may wait for something to arrive, in milliseconds.
    fn patience_ms(&self, _turn: Turn) -> u8 {
        TICK_MS
    }
    /// Steps of the preparation; each begins when all threads have done the one before.
    fn steps(&self) -> u8 {
        0
    }
    /// A step of the preparation begins, counted from 0.
    fn prepare(&mut self, _step: u8, _line: usize, _out: &mut Vec<u8>) {}
    /// This thread has done the step.
    fn prepared(&self, _step: u8) -> bool {
        true
    }
    /// The load starts.
    fn begin(&mut self, _line: usize, _now: u64, _out: &mut Vec<u8>) {}
    /// A message came.
    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>);
    /// All that had arrived was seen: perhaps a line has something to send. Asked until none has.
    fn turn_done(&mut self, _turn: Turn, _out: &mut Vec<u8>) -> Option<usize> {
        None
    }
    /// Which connection to lose or to open next. Asked until there is none.
    fn next_move(&mut self, _turn: Turn) -> Option<Move> {
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
