//! Inwards: what the shards have published, handed out item by item.

use super::Engine;
use crate::batch::{Batch, Item};
use crate::table::ConnId;

/// One item as it is handed to Python.
#[derive(Debug)]
pub enum Inbound<'e> {
    /// Messages of one connection.
    Commands {
        /// Its id.
        conn: ConnId,
        /// User and device, once it is connected.
        session: Option<(&'e str, &'e str)>,
        /// The token of its upgrade request, before that.
        token: Option<&'e str>,
        /// The messages, whole and in order.
        frames: Frames<'e>,
    },
    /// A connection with a session has ended.
    Closed {
        /// Its id.
        conn: ConnId,
        /// User and device, unless a newer connection of the device has replaced it.
        session: Option<(&'e str, &'e str)>,
        /// The close code.
        code: u16,
    },
    /// An outbox has drained below the soft bound.
    Writable {
        /// Whose.
        conn: ConnId,
        /// User and device.
        session: Option<(&'e str, &'e str)>,
    },
    /// Publications were dropped for a slow reader, whose outbox is under the soft bound again.
    Missed {
        /// Whose.
        conn: ConnId,
        /// User and device.
        session: (&'e str, &'e str),
        /// The names of the topics, UTF-8, each once.
        topics: Frames<'e>,
    },
}

/// The messages of an item, or the names in it.
#[derive(Clone, Debug)]
pub struct Frames<'e> {
    batch: &'e Batch,
    at: usize,
    end: usize,
}

impl<'e> Iterator for Frames<'e> {
    type Item = &'e [u8];

    fn next(&mut self) -> Option<&'e [u8]> {
        let frame = (self.at < self.end).then(|| self.batch.frame(self.at));
        self.at += 1;
        frame
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.at);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Frames<'_> {}

impl Engine {
    /// Fetches what all shards have published. Returns when the oldest of it was published.
    pub fn fetch(&mut self) -> Option<u64> {
        self.doorbell.answer();
        for shard in &self.shards {
            shard.shared.outlet.fetch(&mut self.fetched);
        }
        self.fetched.front().map(|batch| batch.born_ns)
    }

    /// Hands out items until `limit` messages and ends of sessions have gone by. What is left is
    /// handed out next time, and the doorbell rings for it: when everybody is cut off at once,
    /// those who stay have their turns in between.
    ///
    /// # Errors
    /// The first one of `each`; the item that it was given is lost, the others are not.
    pub fn drain_fetched<E>(
        &mut self,
        limit: usize,
        mut each: impl FnMut(Inbound<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut seen = 0;
        while seen < limit {
            let Some(batch) = self.fetched.front() else { return Ok(()) };
            let (item, frame) = self.read;
            let Some(next) = batch.items.get(item) else {
                self.finish_batch();
                continue;
            };
            self.read.0 += 1;
            match next {
                Item::Attached { conn } => self.directory.confirm(*conn),
                Item::Commands { conn, session, frames, token } => {
                    let end = frame + *frames as usize;
                    self.read.1 = end;
                    seen += *frames as usize;
                    let found = self.session(*session, *conn);
                    // A replaced connection has been told so; what it still says is void.
                    if found.is_none() && *session != crate::timer::NONE {
                        continue;
                    }
                    each(Inbound::Commands {
                        conn: *conn,
                        session: found,
                        token: token.as_deref(),
                        frames: Frames { batch, at: frame, end },
                    })?;
                }
                Item::Closed { conn, session, code } => {
                    seen += 1;
                    let (conn, session) = (*conn, *session);
                    let found = self.session(session, conn);
                    each(Inbound::Closed { conn, session: found, code: *code })?;
                    let fresh = self.directory.fresh(conn);
                    self.directory.detach(fresh.unwrap_or(session), conn);
                }
                Item::Writable { conn, session } => {
                    let found = self.session(*session, *conn);
                    each(Inbound::Writable { conn: *conn, session: found })?;
                }
                Item::Missed { conn, session, topics } => {
                    let end = frame + *topics as usize;
                    self.read.1 = end;
                    let topics = Frames { batch, at: frame, end };
                    if let Some(session) = self.session(*session, *conn) {
                        each(Inbound::Missed { conn: *conn, session, topics })?;
                    }
                }
            }
        }
        if !self.fetched.is_empty() {
            self.doorbell.ring();
        }
        Ok(())
    }

    fn session(&self, index: u32, conn: ConnId) -> Option<(&str, &str)> {
        let index = self.directory.fresh(conn).unwrap_or(index);
        let session = self.directory.get(index, conn)?;
        Some((self.directory.user_of(session), session.device.as_str()))
    }

    fn finish_batch(&mut self) {
        self.read = (0, 0);
        let Some(batch) = self.fetched.pop_front() else { return };
        let weight = batch.weight();
        // Which shard a batch came from is in the ids of its connections.
        let conn = batch.items.first().map(|item| match item {
            Item::Commands { conn, .. }
            | Item::Attached { conn }
            | Item::Closed { conn, .. }
            | Item::Writable { conn, .. }
            | Item::Missed { conn, .. } => *conn,
        });
        let shard = conn.and_then(|conn| self.shards.get(conn.shard()));
        if let Some(shard) = shard {
            shard.shared.outlet.recycle(batch);
            if shard.shared.outlet.release(weight) {
                shard.shared.inbox.wake();
            }
        }
    }
}
