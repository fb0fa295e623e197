//! Connect, idle and comeback: take part, stay alive, say nothing.

use super::{Outcome, Scenario, Turn};
use crate::objects::{Object, Scanner};
use crate::report::Faults;
use crate::ws;

/// Answers the server's pings.
pub(crate) struct Hold {
    scanner: Scanner,
    /// How many events each connection must be sent until it is live.
    missed: Option<u64>,
    faults: Faults,
}

impl Hold {
    /// No state per connection. With `missed` it is checked how many events each was sent first.
    pub(crate) fn new(missed: Option<u64>) -> Self {
        Self { scanner: Scanner::new(), missed, faults: Faults::default() }
    }
}

impl Scenario for Hold {
    fn ready(&mut self, line: usize, position: u64, missed: u16) {
        if self.missed.is_some_and(|expected| expected != u64::from(missed)) {
            self.faults.note("not what was missed", || {
                format!("{missed} events up to {position}, line {line}")
            });
        }
    }

    fn frame(&mut self, _line: usize, payload: &[u8], _turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            Object::Bye => {
                self.faults.note("bye", || String::from_utf8_lossy(payload).into_owned());
            }
            _ => {}
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome::new(Vec::new(), std::mem::take(&mut self.faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_sent_all_that_it_missed_is_a_fault() {
        let mut hold = Hold::new(Some(20));
        hold.ready(0, 20, 20);
        assert!(hold.faults.is_empty());
        hold.ready(1, 20, 19);
        assert!(!hold.outcome().faults.is_empty());
    }
}
