//! Sync: users who were away page through what they missed, all at the same time, each once.
//!
//! Checked on the way: a page begins behind the one before, and holds as many events as it says.

use super::{Outcome, Scenario, Turn};
use crate::objects::{Object, Scanner};
use crate::report::{Faults, Histogram, histogram};
use crate::ws;

const SYNC: u64 = 3;

struct Reader {
    after: u64,
    asked_at: u64,
    done: bool,
}

/// The connections of one thread.
pub(crate) struct Sync {
    scanner: Scanner,
    readers: Vec<Reader>,
    limit: u32,
    /// How many events each of them missed.
    missed: u64,
    live: usize,
    events: u64,
    pages: u64,
    page_times: Histogram,
    faults: Faults,
}

impl Sync {
    /// `lines` users who missed so many events and want `limit` a page.
    pub(crate) fn new(lines: usize, limit: u32, missed: u64) -> Self {
        let reader = || Reader { after: 0, asked_at: 0, done: false };
        Self {
            scanner: Scanner::new(),
            readers: (0..lines).map(|_| reader()).collect(),
            limit,
            missed,
            live: 0,
            events: 0,
            pages: 0,
            page_times: histogram(),
            faults: Faults::default(),
        }
    }

    fn ask(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        let Some(reader) = self.readers.get_mut(line) else { return };
        reader.asked_at = now;
        let (after, limit) = (reader.after, self.limit);
        let command = format!(r#"{{"op":"sync","id":{SYNC},"after":{after},"limit":{limit}}}"#);
        ws::write_frame(out, ws::TEXT, command.as_bytes());
    }

    fn page(&mut self, line: usize, next: u64, events: u64, now: u64) {
        let Some(reader) = self.readers.get_mut(line) else { return };
        if events != next.wrapping_sub(reader.after) {
            let after = reader.after;
            self.faults.note("hole in a page", || format!("{events} events, {after} to {next}"));
        }
        self.page_times.saturating_record(now.saturating_sub(reader.asked_at));
        reader.after = next;
        self.events += events;
        self.pages += 1;
    }

    /// The line is live: all that was missed must have come.
    fn end(&mut self, line: usize, out: &mut Vec<u8>) {
        let Some(reader) = self.readers.get_mut(line) else { return };
        if std::mem::replace(&mut reader.done, true) {
            return;
        }
        self.live += 1;
        let after = reader.after;
        if after < self.missed {
            let missed = self.missed;
            self.faults.note("live too early", || format!("at {after} of {missed}"));
        }
        ws::write_frame(out, ws::TEXT, format!(r#"{{"op":"ack","seq":{after}}}"#).as_bytes());
    }
}

impl Scenario for Sync {
    fn ready(&mut self, line: usize, position: u64, _missed: u16) {
        if let Some(reader) = self.readers.get_mut(line) {
            reader.after = position;
        }
    }

    fn begin(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        self.ask(line, now, out);
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Page { next, done } => {
                self.page(line, next, self.scanner.events(payload), turn.now);
                if done { self.end(line, out) } else { self.ask(line, turn.now, out) }
            }
            Object::Receipt => {}
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            _ => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn done(&self) -> (u64, u64) {
        (self.events, self.events)
    }

    fn settled(&self) -> bool {
        self.live == self.readers.len()
    }

    fn outcome(&mut self) -> Outcome {
        self.faults.count("never live", (self.readers.len() - self.live) as u64);
        let times = std::mem::replace(&mut self.page_times, histogram());
        let mut outcome = Outcome::new(vec![("page", times)], std::mem::take(&mut self.faults));
        outcome.counts = vec![("pages", self.pages)];
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Turn = Turn { now: 0, running: false, measuring: false, ending: false };
    const FIRST: &str = r#"{"op":"page","id":3,"events":[{"seq":1,"n":1},{"seq":2,"n":2}],"next":2,"head":3,"done":false}"#;
    const LAST: &str =
        r#"{"op":"page","id":3,"events":[{"seq":3,"n":3}],"next":3,"head":3,"done":true}"#;

    fn says(sync: &mut Sync, object: &str) {
        let mut out = Vec::new();
        sync.frame(0, object.as_bytes(), TURN, &mut out);
        assert!(!out.is_empty(), "it asks for more, or acknowledges the last");
    }

    #[test]
    fn pages_follow_each_other_until_the_line_is_live() {
        let mut sync = Sync::new(1, 2, 3);
        sync.begin(0, 0, &mut Vec::new());
        says(&mut sync, FIRST);
        assert!(!sync.settled());
        says(&mut sync, LAST);
        assert!(sync.settled());
        assert_eq!(sync.done().0, 3);
        assert!(sync.outcome().faults.is_empty());
    }

    #[test]
    fn a_page_with_a_hole_is_a_fault() {
        let mut sync = Sync::new(1, 2, 3);
        says(&mut sync, &FIRST.replace(r#"{"seq":1,"n":1},"#, ""));
        assert!(!sync.outcome().faults.is_empty());
    }

    #[test]
    fn to_be_live_before_everything_came_is_a_fault() {
        let mut sync = Sync::new(1, 2, 3);
        says(&mut sync, &FIRST.replace("false", "true"));
        assert!(!sync.outcome().faults.is_empty());
    }
}
