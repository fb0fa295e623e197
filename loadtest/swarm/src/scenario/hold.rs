//! Connect and idle: stay alive, say nothing.

use super::{Outcome, Scenario, Turn};
use crate::objects::{Object, Scanner};
use crate::report::Faults;
use crate::ws;

/// Answers the server's pings.
pub(crate) struct Hold {
    scanner: Scanner,
    faults: Faults,
}

impl Hold {
    /// No state per connection.
    pub(crate) fn new() -> Self {
        Self { scanner: Scanner::new(), faults: Faults::default() }
    }
}

impl Scenario for Hold {
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
