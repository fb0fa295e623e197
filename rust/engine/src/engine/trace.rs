//! What became of one submission on the way to a user's devices, for who asks.

use super::Engine;
use crate::flushes::Fate;
use crate::table::ConnId;
use std::num::NonZeroU64;

/// How a device was to get what is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Pushed: events went to it when the submission was made.
    Event,
    /// It connected, or caught up, later: in a page, whose fate is told.
    Page,
    /// It still catches up, or ended before it had: in a page that may be there or not.
    Behind,
}

/// A device of a user, and how far it was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Its name.
    pub device: String,
    /// On which way.
    pub way: Way,
    /// Of the event, or of the page that it came with at the latest. `None` of one behind.
    pub fate: Option<Fate>,
    /// When its session ended, monotonic; `None`: it is there.
    pub ended_ns: Option<u64>,
}

impl Engine {
    /// What became of what submission `number` had for `user`: first for the sessions that he had
    /// and that have ended, as far as they are remembered, then for those that he has.
    ///
    /// An ended one may have ended before the submission: whoever asks knows when that was.
    pub fn passages(&mut self, user: &str, number: u64) -> Vec<Passage> {
        let mut found = Vec::new();
        for gone in self.directory.departed(user) {
            let (way, fate) = self.passage(gone.conn, gone.live, number);
            let (device, ended_ns) = (gone.device.to_string(), Some(gone.at_ns));
            found.push(Passage { device, way, fate, ended_ns });
        }
        let mut here = Vec::new();
        self.directory.for_each(user, |session| {
            here.push((session.conn, session.device.to_string(), session.live));
        });
        for (conn, device, live) in here {
            let (way, fate) = self.passage(conn, live, number);
            found.push(Passage { device, way, fate, ended_ns: None });
        }
        found
    }

    fn passage(&self, conn: ConnId, live: Option<NonZeroU64>, number: u64) -> (Way, Option<Fate>) {
        let Some(live) = live else { return (Way::Behind, None) };
        let (way, number) =
            if live.get() <= number { (Way::Event, number) } else { (Way::Page, live.get()) };
        let shard = self.shards.get(conn.shard());
        (way, shard.map(|shard| shard.shared.flushes.fate(conn.key(), number)))
    }
}
