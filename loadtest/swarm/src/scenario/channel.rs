//! A channel: one publisher, N readers who have it open; a publish is done when every reader has it.
//!
//! Checked on the way: each reader gets every message once and in order. A hole in `n` is repaired
//! by `history`, as the protocol has it, and counted; what history leaves out is a fault.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;

use super::fanout::{Center, PUBLISHER};
use super::outgoing::{self, FIRST_ID, Outgoing};
use super::{Outcome, Scenario, Turn};
use crate::cli::Load;
use crate::login::user;
use crate::objects::{Object, Scanner};
use crate::report::{Faults, Histogram, histogram};
use crate::ws;

/// The ids of the commands that prepare, and of the one that repairs.
const CHANGE: u64 = 3;
const OPEN: u64 = 4;
const HISTORY: u64 = 5;
/// How many members a command may name.
const MEMBERS: usize = 500;
/// How many events a repair asks for.
const REPAIR: u32 = 200;
/// The steps of the preparation.
const CREATE_STEP: u8 = 0;
const OPEN_STEP: u8 = 1;

/// The channel, and who is in it besides the publisher: the users numbered behind him.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) prefix: String,
    /// The number of the publisher.
    pub(crate) first: usize,
    pub(crate) members: usize,
    pub(crate) run: u32,
}

#[derive(Default)]
struct Reader {
    /// The place of the last event it has, and the counter of the last message.
    n: u64,
    counter: u64,
    /// The furthest place it has heard of.
    head: u64,
    /// It has the channel open. Before that heads are pushed that it need not follow.
    open: bool,
    repairing: bool,
}

/// The connections of one thread; in the first thread line 0 is the publisher.
pub(crate) struct Channel {
    plan: Plan,
    scanner: Scanner,
    center: Arc<Center>,
    publishes: bool,
    outgoing: Outgoing,
    in_flight: u64,
    readers: Vec<Reader>,
    /// Members that were named in commands so far, answered or not; and answered commands.
    named: usize,
    created: bool,
    opened: usize,
    answered: u64,
    deliveries: u64,
    repairs: u64,
    heads: u64,
    answer_times: Histogram,
    everywhere_times: Histogram,
    faults: Faults,
}

impl Channel {
    /// `lines` connections; with `publishes` the first of them is the publisher.
    pub(crate) fn new(
        plan: Plan,
        center: Arc<Center>,
        lines: usize,
        publishes: bool,
        load: Load,
    ) -> Self {
        let to = format!("channel:{:08x}", plan.run);
        let outgoing = Outgoing::new(&to, plan.run, plan.first, load.bytes);
        Self {
            plan,
            scanner: Scanner::new(),
            center,
            publishes,
            outgoing,
            in_flight: load.in_flight,
            readers: (0..lines).map(|_| Reader::default()).collect(),
            named: 0,
            created: !publishes,
            opened: 0,
            answered: 0,
            deliveries: 0,
            repairs: 0,
            heads: 0,
            answer_times: histogram(),
            everywhere_times: histogram(),
            faults: Faults::default(),
        }
    }

    fn is_publisher(&self, line: usize) -> bool {
        self.publishes && line == PUBLISHER
    }

    /// Creates the channel, or adds its next members.
    fn change(&mut self, out: &mut Vec<u8>) {
        let Plan { prefix, first, members, run } = &self.plan;
        let start = self.named;
        self.named = (start + MEMBERS).min(*members);
        let names = (start..self.named).map(|at| format!(r#""{}""#, user(prefix, first + 1 + at)));
        let names = names.collect::<Vec<_>>().join(",");
        let place = if start == 0 {
            format!(
                r#""op":"group.create","group":"{run:08x}","kind":"channel","name":"swarm","history":"all""#
            )
        } else {
            format!(r#""op":"group.add","conv":"channel:{run:08x}""#)
        };
        let command = format!(
            r#"{{{place},"id":{CHANGE},"key":"{run:08x}-members-{start}","members":[{names}]}}"#
        );
        ws::write_frame(out, ws::TEXT, command.as_bytes());
    }

    fn done_with(&mut self, line: usize, id: u64, head: u64, out: &mut Vec<u8>) {
        match id {
            CHANGE if self.named < self.plan.members => self.change(out),
            CHANGE => self.created = true,
            OPEN => {
                self.opened += 1;
                if let Some(reader) = self.readers.get_mut(line) {
                    reader.n = head;
                    reader.head = head;
                    reader.open = true;
                }
            }
            _ => {}
        }
    }

    fn publish(&mut self, now: u64, out: &mut Vec<u8>) {
        self.outgoing.send(out);
        self.center.sent(self.outgoing.sent, now);
    }

    fn answer(&mut self, counter: u64, turn: Turn) {
        self.answered += 1;
        if counter != self.answered {
            self.faults.note("answer out of order", || format!("{counter}"));
        }
        if turn.measuring {
            self.answer_times.saturating_record(self.center.since(counter, turn.now));
        }
    }

    /// A message of the channel came, as a push or in a history.
    fn message(&mut self, line: usize, n: u64, key: &[u8], turn: Turn) {
        let Some(reader) = self.readers.get_mut(line) else { return };
        let counter = outgoing::counter(key);
        if n != reader.n + 1 || counter != reader.counter + 1 {
            let (last, before) = (reader.n, reader.counter);
            self.faults.note("message lost, doubled or out of order", || {
                format!("{counter} at {n} after {before} at {last}, line {line}")
            });
        }
        reader.n = n;
        reader.counter = counter;
        reader.head = reader.head.max(n);
        self.deliveries += 1;
        let Some(took) = self.center.arrive(counter, turn.now) else { return };
        if turn.measuring {
            self.everywhere_times.saturating_record(took);
        }
        if !self.publishes {
            self.center.wake(&mut self.faults);
        }
    }

    /// The channel goes as far as `head`: what lies between is asked for, unless it already is.
    fn repair(&mut self, line: usize, head: u64, out: &mut Vec<u8>) {
        let Some(reader) = self.readers.get_mut(line).filter(|reader| reader.open) else { return };
        reader.head = reader.head.max(head);
        if reader.repairing || reader.n >= reader.head {
            return;
        }
        reader.repairing = true;
        self.repairs += 1;
        let (run, after) = (self.plan.run, reader.n);
        let command = format!(
            r#"{{"op":"history","id":{HISTORY},"conv":"channel:{run:08x}","after":{after},"limit":{REPAIR}}}"#
        );
        ws::write_frame(out, ws::TEXT, command.as_bytes());
    }

    fn pushed(&mut self, line: usize, n: u64, key: &[u8], turn: Turn, out: &mut Vec<u8>) {
        let next = self.readers.get(line).is_some_and(|reader| {
            // What is too early comes again in the history.
            !reader.repairing && n <= reader.n + 1
        });
        if next { self.message(line, n, key, turn) } else { self.repair(line, n, out) }
    }

    fn history(&mut self, line: usize, listing: &[u8], turn: Turn, out: &mut Vec<u8>) {
        let scanner = std::mem::replace(&mut self.scanner, Scanner::new());
        let before = self.readers.get(line).map_or(0, |reader| reader.n);
        for (n, key) in scanner.messages(listing) {
            self.message(line, n, key, turn);
        }
        self.scanner = scanner;
        let Some(reader) = self.readers.get_mut(line) else { return };
        reader.repairing = false;
        if reader.n == before {
            self.faults.note("not repaired", || format!("after {before}, line {line}"));
            return;
        }
        self.repair(line, 0, out);
    }
}

impl Scenario for Channel {
    fn doorbell(&self) -> Option<BorrowedFd<'_>> {
        self.publishes.then(|| self.center.doorbell().as_fd())
    }

    fn steps(&self) -> u8 {
        2
    }

    fn prepare(&mut self, step: u8, line: usize, out: &mut Vec<u8>) {
        let publisher = self.is_publisher(line);
        if step == CREATE_STEP && publisher {
            self.change(out);
        } else if step == OPEN_STEP && !publisher {
            let run = self.plan.run;
            let open = format!(r#"{{"op":"open","id":{OPEN},"conv":"channel:{run:08x}"}}"#);
            ws::write_frame(out, ws::TEXT, open.as_bytes());
        }
    }

    fn prepared(&self, step: u8) -> bool {
        let readers = self.readers.len() - usize::from(self.publishes);
        if step == CREATE_STEP { self.created } else { self.opened == readers }
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::ChannelMessage { n, key } => self.pushed(line, n, key, turn, out),
            Object::Sent { id, .. } => self.answer(id.saturating_sub(FIRST_ID), turn),
            Object::Channel { head } => {
                self.heads += 1;
                self.repair(line, head, out);
            }
            Object::History { .. } => self.history(line, payload, turn, out),
            Object::Done { id, head } => self.done_with(line, id, head, out),
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            // One's own membership, what becomes of the channel, what is left of earlier runs.
            Object::Event { .. } | Object::Receipt => {}
            Object::Error { id } => {
                self.done_with(line, id, 0, out);
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
            }
            _ => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn turn_done(&mut self, turn: Turn, out: &mut Vec<u8>) -> Option<usize> {
        if !self.publishes || !turn.running {
            return None;
        }
        let due = self.center.complete() + self.in_flight;
        let first = self.outgoing.sent;
        while self.outgoing.sent < due {
            self.publish(turn.now, out);
        }
        (self.outgoing.sent > first).then_some(PUBLISHER)
    }

    fn done(&self) -> (u64, u64) {
        (self.deliveries, self.deliveries)
    }

    fn settled(&self) -> bool {
        let sent = self.outgoing.sent;
        !self.publishes || (self.center.complete() == sent && self.answered == sent)
    }

    fn outcome(&mut self) -> Outcome {
        if self.publishes {
            let complete = self.center.complete().min(self.outgoing.sent);
            self.faults.count("publish not everywhere", self.outgoing.sent - complete);
        }
        let latencies = vec![
            ("answer", std::mem::replace(&mut self.answer_times, histogram())),
            ("everywhere", std::mem::replace(&mut self.everywhere_times, histogram())),
        ];
        let mut outcome = Outcome::new(latencies, std::mem::take(&mut self.faults));
        outcome.counts = vec![
            ("messages", self.outgoing.sent),
            ("repairs", self.repairs),
            ("channel_heads", self.heads),
        ];
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Window;

    const TURN: Turn = Turn { now: 0, running: false, measuring: false, ending: false };

    /// A publisher and two readers, who have it open at 2.
    fn opened(members: usize) -> Channel {
        let plan = Plan { prefix: "u".to_owned(), first: 0, members, run: 7 };
        let window = Window { warm: 0.0, seconds: 0.0 };
        let load = Load { in_flight: 1, bytes: 5, window };
        let mut channel = Channel::new(plan, Center::new(2).unwrap(), 3, true, load);
        for line in [1, 2] {
            says(&mut channel, line, r#"{"op":"ok","id":4,"head":2}"#);
        }
        channel
    }

    fn says(channel: &mut Channel, line: usize, object: &str) -> Vec<u8> {
        let mut out = Vec::new();
        channel.frame(line, object.as_bytes(), TURN, &mut out);
        out
    }

    fn event(n: u64, counter: u64) -> String {
        format!(r#"{{"op":"channel_event",{}"#, &item(n, counter)[1..])
    }

    fn item(n: u64, counter: u64) -> String {
        let key = format!("00000007-000000-{counter:010}");
        format!(
            r#"{{"conv":"channel:00000007","n":{n},"type":"message","from":"u000000","key":"{key}","ts":1}}"#
        )
    }

    #[test]
    fn members_are_named_in_chunks() {
        let mut channel = opened(1_200);
        let mut out = Vec::new();
        channel.prepare(CREATE_STEP, PUBLISHER, &mut out);
        for _ in 0..2 {
            assert!(!says(&mut channel, PUBLISHER, r#"{"op":"group","id":3,"head":2}"#).is_empty());
            assert!(!channel.prepared(CREATE_STEP));
        }
        assert!(says(&mut channel, PUBLISHER, r#"{"op":"group","id":3,"head":4}"#).is_empty());
        assert!(channel.prepared(CREATE_STEP) && channel.prepared(OPEN_STEP));
    }

    #[test]
    fn a_publish_is_done_when_all_readers_have_it() {
        let mut channel = opened(2);
        let running = Turn { running: true, ..TURN };
        assert_eq!(channel.turn_done(running, &mut Vec::new()), Some(PUBLISHER));
        says(&mut channel, 1, &event(3, 1));
        says(&mut channel, 0, r#"{"op":"sent","id":1000000001,"n":3,"ts":1,"dup":false}"#);
        assert!(!channel.settled());
        says(&mut channel, 2, &event(3, 1));
        assert!(channel.settled());
        assert!(channel.outcome().faults.is_empty());
    }

    #[test]
    fn a_hole_is_repaired_by_history_and_is_no_fault() {
        let mut channel = opened(2);
        assert!(!says(&mut channel, 1, &event(5, 3)).is_empty(), "the hole is asked for");
        assert!(says(&mut channel, 1, &event(6, 4)).is_empty(), "only once");
        let items = [item(3, 1), item(4, 2), item(5, 3)].join(",");
        let history = format!(r#"{{"op":"history","id":5,"items":[{items}],"done":false}}"#);
        assert!(!says(&mut channel, 1, &history).is_empty(), "6 is still missing");
        let history = format!(r#"{{"op":"history","id":5,"items":[{}],"done":true}}"#, item(6, 4));
        assert!(says(&mut channel, 1, &history).is_empty());
        says(&mut channel, 1, &event(7, 5));
        assert_eq!(channel.done().0, 5);
        assert_eq!(channel.outcome().counts[1], ("repairs", 2));
    }

    #[test]
    fn a_head_that_is_ahead_asks_for_the_rest() {
        let mut channel = opened(2);
        assert!(says(&mut channel, 1, r#"{"op":"channel","conv":"c","head":2}"#).is_empty());
        assert!(says(&mut channel, 0, r#"{"op":"channel","conv":"c","head":3}"#).is_empty());
        assert!(!says(&mut channel, 1, r#"{"op":"channel","conv":"c","head":3}"#).is_empty());
    }

    #[test]
    fn what_comes_twice_or_is_never_repaired_is_a_fault() {
        let mut channel = opened(2);
        says(&mut channel, 1, &event(3, 1));
        says(&mut channel, 1, &event(3, 1));
        assert!(!channel.outcome().faults.is_empty());
        let mut channel = opened(2);
        says(&mut channel, 1, &event(4, 2));
        says(&mut channel, 1, r#"{"op":"history","id":5,"items":[],"done":true}"#);
        assert!(!channel.outcome().faults.is_empty());
    }
}
