//! Groups whose members are all there: a message is done when its sender has the answer and all
//! others have the event; then the sender writes the next.
//!
//! Checked on the way: every member gets each sender's messages once and in order, `seq` has no hole
//! for a member, `n` none for a group, and every sender's answers come in the order of its sends.

use super::outgoing::{self, FIRST_ID, Outgoing};
use super::{Outcome, Scenario, TIMED, Times, Turn, place};
use crate::cli::Groups;
use crate::login::user;
use crate::objects::{Object, Scanner};
use crate::report::{Faults, Histogram, histogram};
use crate::ws;

/// The id of the command that makes a group.
const CREATE: u64 = 3;
/// Of a group's members, the one that makes it.
const MAKER: usize = 0;

struct Member {
    position: u64,
    /// The place of the group's event that came last; 0 before the first.
    n: u64,
    unacked: u32,
    unread: u32,
    /// The counter of each sender's message that came last.
    received: Vec<u64>,
}

struct Sender {
    outgoing: Outgoing,
    answered: u64,
    times: Times,
    /// How many have each of the messages under way.
    arrived: [usize; TIMED],
}

/// The connections of one thread; groups are never split.
pub(crate) struct Group {
    scanner: Scanner,
    groups: Groups,
    prefix: String,
    /// The number of the first user.
    first: usize,
    run: u32,
    members: Vec<Member>,
    senders: Vec<Sender>,
    /// Senders whose turn it is.
    due: Vec<usize>,
    created: usize,
    sent: u64,
    complete: u64,
    deliveries: u64,
    receipts: u64,
    answer_times: Histogram,
    delivery_times: Histogram,
    everywhere_times: Histogram,
    faults: Faults,
}

impl Group {
    /// Connections `first..first + lines` (user numbers); `run` tells this run's keys from others.
    pub(crate) fn new(
        groups: Groups,
        prefix: &str,
        (first, lines): (usize, usize),
        run: u32,
    ) -> Self {
        let member = || Member {
            position: 0,
            n: 0,
            unacked: 0,
            unread: 0,
            received: vec![0; groups.senders],
        };
        let mut group = Self {
            scanner: Scanner::new(),
            groups,
            prefix: prefix.to_owned(),
            first,
            run,
            members: (0..lines).map(|_| member()).collect(),
            senders: Vec::new(),
            due: Vec::new(),
            created: 0,
            sent: 0,
            complete: 0,
            deliveries: 0,
            receipts: 0,
            answer_times: histogram(),
            delivery_times: histogram(),
            everywhere_times: histogram(),
            faults: Faults::default(),
        };
        for sender in 0..lines / groups.size * groups.senders {
            let line = group.line_of(sender);
            let to = format!("group:{}", group.name(line));
            group.senders.push(Sender {
                outgoing: Outgoing::new(&to, run, first + line, groups.load.bytes),
                answered: 0,
                times: Times::new(),
                arrived: [0; TIMED],
            });
        }
        group
    }

    /// The id of the group that a line belongs to.
    fn name(&self, line: usize) -> String {
        let maker = self.first + line - line % self.groups.size;
        format!("{:08x}.{maker:06}", self.run)
    }

    fn line_of(&self, sender: usize) -> usize {
        sender / self.groups.senders * self.groups.size + sender % self.groups.senders
    }

    /// The sender at this line, if it sends.
    fn sender_at(&self, line: usize) -> Option<usize> {
        let place = line % self.groups.size;
        (place < self.groups.senders).then(|| line / self.groups.size * self.groups.senders + place)
    }

    fn create(&self, line: usize, out: &mut Vec<u8>) {
        let others = line + 1..line + self.groups.size;
        let members: Vec<String> =
            others.map(|line| format!(r#""{}""#, user(&self.prefix, self.first + line))).collect();
        let (name, members) = (self.name(line), members.join(","));
        let command = format!(
            r#"{{"op":"group.create","id":{CREATE},"key":"{name}-create","group":"{name}","kind":"group","name":"swarm","members":[{members}]}}"#
        );
        ws::write_frame(out, ws::TEXT, command.as_bytes());
    }

    fn send(&mut self, sender: usize, now: u64, out: &mut Vec<u8>) {
        let Some(sender) = self.senders.get_mut(sender) else { return };
        sender.outgoing.send(out);
        self.sent += 1;
        sender.times.set(sender.outgoing.sent, now);
        if let Some(arrived) = sender.arrived.get_mut(place(sender.outgoing.sent)) {
            *arrived = 0;
        }
    }

    /// One more has the message; when all have, the sender's turn has come again.
    fn arrive(&mut self, index: usize, counter: u64, turn: Turn) {
        let size = self.groups.size;
        let Some(sender) = self.senders.get_mut(index) else { return };
        let Some(arrived) = sender.arrived.get_mut(place(counter)) else { return };
        *arrived += 1;
        if *arrived < size {
            return;
        }
        self.complete += 1;
        if turn.measuring {
            self.everywhere_times.saturating_record(sender.times.since(counter, turn.now));
        }
        if turn.running {
            self.due.push(index);
        }
    }

    fn answer(&mut self, line: usize, counter: u64, turn: Turn) {
        let Some(index) = self.sender_at(line) else { return };
        let Some(sender) = self.senders.get_mut(index) else { return };
        sender.answered += 1;
        if counter != sender.answered {
            self.faults.note("answer out of order", || format!("{counter}"));
        }
        if turn.measuring {
            self.answer_times.saturating_record(sender.times.since(counter, turn.now));
        }
        self.arrive(index, counter, turn);
    }

    fn delivery(&mut self, line: usize, key: &[u8], turn: Turn) {
        let counter = outgoing::counter(key);
        let sender = outgoing::sender(key).wrapping_sub(self.first);
        let (Some(index), Some(member)) = (self.sender_at(sender), self.members.get_mut(line))
        else {
            return;
        };
        self.deliveries += 1;
        if let Some(last) = member.received.get_mut(sender % self.groups.size) {
            if counter != *last + 1 {
                self.faults.note("message lost, doubled or out of order", || {
                    format!("{counter} after {last}, to line {line}")
                });
            }
            *last = counter;
        }
        if turn.measuring
            && let Some(sender) = self.senders.get(index)
        {
            self.delivery_times.saturating_record(sender.times.since(counter, turn.now));
        }
        self.arrive(index, counter, turn);
    }

    /// An event or first answer fills the next place of the timeline and of the group.
    fn place(&mut self, line: usize, seq: u64, n: u64) {
        let Some(member) = self.members.get_mut(line) else { return };
        if seq != member.position + 1 {
            let position = member.position;
            self.faults.note("hole in seq", || format!("{seq} after {position}, line {line}"));
        }
        member.position = seq;
        if member.n != 0 && n != member.n + 1 {
            let last = member.n;
            self.faults.note("hole in n", || format!("{n} after {last}, line {line}"));
        }
        member.n = n;
    }

    /// A device acknowledges, and reads, every so many events.
    fn acknowledge(&mut self, line: usize, seq: u64, n: u64, out: &mut Vec<u8>) {
        let Some(member) = self.members.get_mut(line) else { return };
        member.unacked += 1;
        member.unread += 1;
        if member.unacked >= self.groups.ack_every {
            member.unacked = 0;
            let ack = format!(r#"{{"op":"ack","seq":{seq}}}"#);
            ws::write_frame(out, ws::TEXT, ack.as_bytes());
        }
        if self.groups.read_every > 0 && member.unread >= self.groups.read_every {
            member.unread = 0;
            let name = self.name(line);
            let read = format!(r#"{{"op":"read","conv":"group:{name}","n":{n}}}"#);
            ws::write_frame(out, ws::TEXT, read.as_bytes());
        }
    }
}

impl Scenario for Group {
    fn ready(&mut self, line: usize, position: u64, _missed: u16) {
        if let Some(member) = self.members.get_mut(line) {
            member.position = position;
        }
    }

    fn steps(&self) -> u8 {
        1
    }

    fn prepare(&mut self, _step: u8, line: usize, out: &mut Vec<u8>) {
        if line % self.groups.size == MAKER {
            self.create(line, out);
        }
    }

    fn prepared(&self, _step: u8) -> bool {
        self.created * self.groups.size >= self.members.len()
    }

    fn begin(&mut self, line: usize, now: u64, out: &mut Vec<u8>) {
        if let Some(sender) = self.sender_at(line) {
            for _ in 0..self.groups.load.in_flight {
                self.send(sender, now, out);
            }
        }
    }

    fn frame(&mut self, line: usize, payload: &[u8], turn: Turn, out: &mut Vec<u8>) {
        match self.scanner.scan(payload) {
            Object::Message { seq, key } => {
                let n = self.scanner.n(payload);
                self.place(line, seq, n);
                self.acknowledge(line, seq, n, out);
                self.delivery(line, key, turn);
            }
            Object::Sent { id, seq, dup } => {
                if dup {
                    self.faults.note("a new key was a duplicate", || format!("{id}"));
                }
                self.place(line, seq, self.scanner.n(payload));
                self.answer(line, id.saturating_sub(FIRST_ID), turn);
            }
            Object::Event { seq } => {
                let n = self.scanner.n(payload);
                self.place(line, seq, n);
                self.acknowledge(line, seq, n, out);
            }
            Object::Receipt => self.receipts += 1,
            Object::Ping => ws::write_frame(out, ws::TEXT, br#"{"op":"pong"}"#),
            Object::Done { id: CREATE, .. } => self.created += 1,
            Object::Error { id } => {
                self.created += usize::from(id == CREATE);
                self.faults.note("refused", || String::from_utf8_lossy(payload).into_owned());
            }
            _ => {
                let words = || String::from_utf8_lossy(payload).into_owned();
                self.faults.note("unexpected", words);
            }
        }
    }

    fn turn_done(&mut self, turn: Turn, out: &mut Vec<u8>) -> Option<usize> {
        let sender = self.due.pop()?;
        self.send(sender, turn.now, out);
        Some(self.line_of(sender))
    }

    fn done(&self) -> (u64, u64) {
        (self.deliveries, self.deliveries)
    }

    fn settled(&self) -> bool {
        self.sent == self.complete
    }

    fn outcome(&mut self) -> Outcome {
        self.faults.count("message not everywhere", self.sent - self.complete.min(self.sent));
        let latencies = vec![
            ("answer", std::mem::replace(&mut self.answer_times, histogram())),
            ("delivery", std::mem::replace(&mut self.delivery_times, histogram())),
            ("everywhere", std::mem::replace(&mut self.everywhere_times, histogram())),
        ];
        let mut outcome = Outcome::new(latencies, std::mem::take(&mut self.faults));
        outcome.counts = vec![("messages", self.sent), ("receipts", self.receipts)];
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Load, Window};

    const TURN: Turn = Turn { now: 0, running: false, measuring: false, ending: false };

    /// Three users in a group, the first of whom sends.
    fn trio() -> Group {
        let window = Window { warm: 0.0, seconds: 0.0 };
        let load = Load { in_flight: 1, bytes: 5, window };
        let groups = Groups { load, size: 3, senders: 1, ack_every: 16, read_every: 0 };
        Group::new(groups, "u", (10, 3), 7)
    }

    fn says(group: &mut Group, line: usize, object: &str) -> Vec<u8> {
        let mut out = Vec::new();
        group.frame(line, object.as_bytes(), TURN, &mut out);
        out
    }

    fn event(seq: u64, n: u64, counter: u64) -> String {
        format!(
            r#"{{"op":"event","seq":{seq},"type":"message","conv":"group:g","n":{n},"from":"u000010","key":"00000007-000010-{counter:010}","ts":1}}"#
        )
    }

    const SENT: &str =
        r#"{"op":"sent","id":1000000001,"conv":"group:g","n":3,"seq":3,"ts":1,"dup":false}"#;

    /// The group stands: everybody has its first two events.
    fn standing() -> Group {
        let mut group = trio();
        for line in 0..3 {
            for (n, kind) in [(1, "conversation"), (2, "membership")] {
                let event = format!(
                    r#"{{"op":"event","seq":{n},"type":"{kind}","conv":"group:g","n":{n},"from":"u000010","ts":1}}"#
                );
                says(&mut group, line, &event);
            }
        }
        group
    }

    #[test]
    fn the_maker_creates_and_the_answer_prepares() {
        let mut group = trio();
        let mut out = Vec::new();
        group.prepare(0, 1, &mut out);
        assert!(out.is_empty() && !group.prepared(0));
        group.prepare(0, 0, &mut out);
        assert!(!out.is_empty());
        says(&mut group, 0, r#"{"op":"group","id":3,"conv":"group:g","head":2,"dup":false}"#);
        assert!(group.prepared(0));
    }

    #[test]
    fn a_message_is_done_when_all_have_it() {
        let mut group = standing();
        group.begin(0, 0, &mut Vec::new());
        says(&mut group, 0, SENT);
        says(&mut group, 1, &event(3, 3, 1));
        assert!(!group.settled());
        says(&mut group, 2, &event(3, 3, 1));
        assert!(group.settled());
        assert_eq!(group.done(), (2, 2));
        assert!(group.outcome().faults.is_empty());
    }

    #[test]
    fn the_next_message_follows_while_the_load_runs() {
        let mut group = standing();
        let running = Turn { running: true, ..TURN };
        group.begin(0, 0, &mut Vec::new());
        group.frame(0, SENT.as_bytes(), running, &mut Vec::new());
        for line in [1, 2] {
            assert_eq!(group.turn_done(running, &mut Vec::new()), None);
            group.frame(line, event(3, 3, 1).as_bytes(), running, &mut Vec::new());
        }
        assert_eq!(group.turn_done(running, &mut Vec::new()), Some(0));
        assert_eq!(group.turn_done(running, &mut Vec::new()), None);
    }

    #[test]
    fn what_comes_twice_or_leaves_a_hole_is_a_fault() {
        for (seq, n, counter) in [(3, 3, 2), (4, 3, 1), (3, 4, 1)] {
            let mut group = standing();
            says(&mut group, 1, &event(seq, n, counter));
            assert!(!group.outcome().faults.is_empty(), "{seq} {n} {counter}");
        }
        let mut group = standing();
        says(&mut group, 1, &event(3, 3, 1));
        says(&mut group, 1, &event(4, 4, 1));
        assert!(!group.outcome().faults.is_empty());
    }

    #[test]
    fn a_message_that_not_all_got_is_a_fault() {
        let mut group = standing();
        group.begin(0, 0, &mut Vec::new());
        says(&mut group, 0, SENT);
        assert!(!group.outcome().faults.is_empty());
    }
}
