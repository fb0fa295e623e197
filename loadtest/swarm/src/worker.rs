//! One thread of the fleet: its connections, one epoll, and a scenario that says what they do.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::line::{Arrived, Line, State, source};
use crate::login::Progress;
use crate::report::{Faults, Histogram, histogram};
use crate::scenario::{Loss, Move, Outcome, Scenario, Turn};
use crate::shared::{Phase, Shared};
use crate::ws;

const EVENTS: usize = 1024;
const READ_BYTES: usize = 256 * 1024;
/// How many connections are under way at once unless `--concurrency` says so.
const CONCURRENCY: usize = 256;
/// How many connections are begun before what arrived meanwhile is looked at.
const OPENED_A_TURN: usize = 512;
/// The epoll name of the scenario's doorbell.
const DOORBELL: u64 = u64::MAX;

/// A thread's part of the fleet.
pub(crate) struct Worker<'f> {
    shared: &'f Shared,
    numbers: Range<usize>,
    scenario: Box<dyn Scenario>,
    epoll: Epoll,
    lines: Vec<Line>,
    buffer: Vec<u8>,
    out: Vec<u8>,
    phase: u8,
    /// Steps of the preparation that were begun, and that were done.
    begun: u8,
    prepared: u8,
    ready: usize,
    lost: usize,
    reported: (u64, u64),
    settled: bool,
    connect_times: Histogram,
    faults: Faults,
}

/// Drives the connections `numbers` until the fleet stops.
pub(crate) fn run(
    shared: &Shared,
    numbers: Range<usize>,
    scenario: Box<dyn Scenario>,
) -> Result<Outcome, String> {
    // A file table of its own: the limit of open files then counts for each thread alone, and the
    // kernel takes no lock that other threads take too.
    unshare(CloneFlags::CLONE_FILES).map_err(|error| format!("unshare(CLONE_FILES): {error}"))?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|e| format!("epoll: {e}"))?;
    if let Some(doorbell) = scenario.doorbell() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, DOORBELL);
        epoll.add(doorbell, event).map_err(|error| format!("epoll: {error}"))?;
    }
    let mut worker = Worker {
        shared,
        lines: Vec::with_capacity(numbers.len()),
        numbers,
        scenario,
        epoll,
        buffer: vec![0; READ_BYTES],
        out: Vec::new(),
        phase: Phase::Ramp as u8,
        begun: 0,
        prepared: 0,
        ready: 0,
        lost: 0,
        reported: (0, 0),
        settled: false,
        connect_times: histogram(),
        faults: Faults::default(),
    };
    worker.turns()?;
    let mut outcome = worker.scenario.outcome();
    outcome.connect_times = worker.connect_times;
    outcome.faults.merge(worker.faults);
    Ok(outcome)
}

impl Worker<'_> {
    fn turns(&mut self) -> Result<(), String> {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let phase = self.shared.phase.load(Relaxed);
            if phase == Phase::Stop as u8 {
                return Ok(());
            }
            self.follow(phase);
            self.open_more()?;
            let patience = self.scenario.patience_ms(self.turn());
            let count = match self.epoll.wait(&mut events, patience) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(format!("epoll_wait: {error}")),
            };
            for event in events.iter().take(count) {
                if let Ok(index) = usize::try_from(event.data())
                    && event.data() != DOORBELL
                {
                    self.event(index);
                }
            }
            self.end_turn()?;
        }
    }

    /// Begins what the fleet's phase, or the step of its preparation, asks for.
    fn follow(&mut self, phase: u8) {
        let was = std::mem::replace(&mut self.phase, phase);
        let step = self.shared.step.load(Relaxed);
        if phase == Phase::Prepare as u8 && self.begun == step {
            self.begun += 1;
            self.each(|scenario, line, _, out| scenario.prepare(step, line, out));
        } else if phase > Phase::Prepare as u8 && was <= Phase::Prepare as u8 {
            self.each(|scenario, line, now, out| scenario.begin(line, now, out));
        }
    }

    /// Lets every connection say something.
    fn each(&mut self, says: impl Fn(&mut dyn Scenario, usize, u64, &mut Vec<u8>)) {
        for index in 0..self.lines.len() {
            let now = self.shared.clock.now();
            says(self.scenario.as_mut(), index, now, &mut self.out);
            self.flush_to(index);
        }
    }

    fn turn(&self) -> Turn {
        Turn {
            now: self.shared.clock.now(),
            running: self.phase == Phase::Run as u8 || self.phase == Phase::Measure as u8,
            measuring: self.phase == Phase::Measure as u8,
            ending: self.phase == Phase::Finish as u8,
        }
    }

    /// Begins as many connections as `--concurrency` and `--rate` allow at this moment.
    fn open_more(&mut self) -> Result<(), String> {
        let fleet = &self.shared.fleet;
        let threads = self.shared.threads;
        let at_once = (fleet.concurrency.unwrap_or(CONCURRENCY) / threads).max(1);
        let due = match fleet.rate {
            0 => usize::MAX,
            rate => {
                let millis = self.shared.clock.now() / 1_000_000;
                usize::try_from(millis * rate / 1000).unwrap_or(usize::MAX) / threads + 1
            }
        };
        let due = self.numbers.len().min(due).min(self.lines.len() + OPENED_A_TURN);
        while self.lines.len() < due
            && self.lines.len() - self.ready.min(self.lines.len()) < at_once + self.lost
        {
            let line = self.open(self.lines.len())?;
            self.lines.push(line);
        }
        Ok(())
    }

    /// Begins the connection `index`.
    fn open(&self, index: usize) -> Result<Line, String> {
        let fleet = &self.shared.fleet;
        let number = fleet.first + self.numbers.start + index;
        let from = source(fleet.server, number, fleet.per_source);
        let line = Line::open(fleet.server, from, self.shared.clock.now())?;
        if let Some(stream) = line.stream() {
            let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT;
            self.epoll
                .add(stream, EpollEvent::new(interest, index as u64))
                .map_err(|error| format!("epoll: {error}"))?;
        }
        Ok(line)
    }

    fn event(&mut self, index: usize) {
        let Some(line) = self.lines.get_mut(index) else { return };
        match line.state {
            State::Gone | State::Away => {}
            State::Leaving => {
                if matches!(line.read(&mut self.buffer), Arrived::End) {
                    line.end(State::Gone);
                }
            }
            State::Connecting => self.upgrade(index),
            _ => match line.read(&mut self.buffer) {
                Arrived::Nothing => {}
                Arrived::Bytes(end) => self.arrived(index, end),
                Arrived::End => self.lose(index, &Ending::broken("ended by the server")),
            },
        }
    }

    /// The TCP handshake is over: asks for the upgrade.
    fn upgrade(&mut self, index: usize) {
        let Some(line) = self.lines.get_mut(index) else { return };
        if !line.is_connected() {
            return self.lose(index, &Ending::broken("connection refused"));
        }
        let fleet = &self.shared.fleet;
        let number = (self.numbers.start + index).to_string();
        let path = fleet.path.replace("{}", &number);
        let host = fleet.server.to_string();
        let request = ws::request(&host, &path, self.shared.login.subprotocol());
        let mut event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
        let modified =
            line.stream().is_some_and(|stream| self.epoll.modify(stream, &mut event).is_ok());
        line.state = State::Upgrading;
        if !modified || !line.write(&request) {
            self.lose(index, &Ending::broken("connection lost"));
        }
    }

    /// So many bytes of the buffer are this connection's.
    fn arrived(&mut self, index: usize, end: usize) {
        let turn = self.turn();
        let buffer = std::mem::take(&mut self.buffer);
        let result = self.take_bytes(index, buffer.get(..end).unwrap_or_default(), turn);
        self.buffer = buffer;
        let sent = match self.lines.get_mut(index) {
            Some(line) if result.is_ok() => line.write(&self.out),
            _ => true,
        };
        self.out.clear();
        match result {
            Err(ending) => self.lose(index, &ending),
            Ok(()) if !sent => self.lose(index, &Ending::broken("connection lost")),
            Ok(()) => {}
        }
    }

    fn take_bytes(&mut self, index: usize, mut bytes: &[u8], turn: Turn) -> Result<(), Ending> {
        let mut state = self.lines.get(index).map_or(State::Gone, |line| line.state);
        if state == State::Upgrading {
            let Some(rest) = upgraded(bytes)? else {
                self.keep(index, bytes);
                return Ok(());
            };
            bytes = rest;
            let number = self.shared.fleet.first + self.numbers.start + index;
            let ticket = self.scenario.ticket(index);
            let progress = self.shared.login.start(number, ticket, &mut self.out);
            state = self.step(index, &progress, b"", turn)?;
        }
        while let Some(frame) = ws::next_frame(bytes) {
            bytes = bytes.get(frame.size..).unwrap_or_default();
            match frame.opcode {
                ws::PING => ws::write_frame(&mut self.out, ws::PONG, frame.payload),
                ws::PONG => {}
                ws::CLOSE => {
                    let code = ws::close_code(frame.payload);
                    return Err(Ending::new(
                        Loss::Closed(code),
                        "closed by the server",
                        frame.payload,
                    ));
                }
                _ if state == State::Ready => {
                    self.scenario.frame(index, frame.payload, turn, &mut self.out);
                }
                _ => state = self.log_in(index, frame.payload, turn)?,
            }
        }
        self.keep(index, bytes);
        Ok(())
    }

    /// The server's answer while the session is being opened.
    fn log_in(&mut self, index: usize, payload: &[u8], turn: Turn) -> Result<State, Ending> {
        let progress = self.shared.login.frame(payload, &mut self.out);
        self.step(index, &progress, payload, turn)
    }

    fn keep(&mut self, index: usize, bytes: &[u8]) {
        if let Some(line) = self.lines.get_mut(index) {
            line.keep(bytes);
        }
    }

    /// Notes how far a connection has come.
    fn step(
        &mut self,
        index: usize,
        progress: &Progress,
        answer: &[u8],
        turn: Turn,
    ) -> Result<State, Ending> {
        let Some(line) = self.lines.get_mut(index) else { return Ok(State::Gone) };
        match *progress {
            Progress::Refused => {
                return Err(Ending::new(Loss::Broken, "login refused", answer));
            }
            Progress::Waiting(events) => {
                line.state = State::LoggingIn;
                line.missed = line.missed.saturating_add(events);
            }
            Progress::Ready { position, events } => {
                line.state = State::Ready;
                line.missed = line.missed.saturating_add(events);
                self.ready += 1;
                if self.phase == Phase::Ramp as u8 {
                    self.connect_times.saturating_record((turn.now - line.began) / 1000);
                    self.shared.last_ready.fetch_max(turn.now, Relaxed);
                }
                self.shared.ready.fetch_add(1, Relaxed);
                self.scenario.ready(index, position, line.missed);
                self.scenario.connected(index, answer, turn.now);
            }
        }
        Ok(line.state)
    }

    /// A connection has ended, or has been told to: a fault unless the scenario forgives it.
    fn lose(&mut self, index: usize, ending: &Ending) {
        let turn = self.turn();
        let forgiven = self.scenario.forgives(index, ending.loss, turn);
        let Some(line) = self.lines.get_mut(index) else { return };
        if line.state == State::Ready {
            self.ready -= 1;
            self.shared.ready.fetch_sub(1, Relaxed);
        }
        match ending.loss {
            // The server ends the line when it has our Close (RFC 6455, 7.1.1).
            Loss::Closed(code) if line.answer_close(code) => line.state = State::Leaving,
            _ => line.end(if forgiven { State::Away } else { State::Gone }),
        }
        if !forgiven {
            self.lost += 1;
            self.shared.lost.fetch_add(1, Relaxed);
            let number = self.numbers.start + index;
            self.faults.note(ending.why, || format!("number {number}: {}", ending.words));
        }
    }

    /// Loses a connection on purpose, or brings it back.
    fn carry_out(&mut self, wish: Move) -> Result<(), String> {
        match wish {
            Move::HangUp(index) => {
                let Some(line) = self.lines.get_mut(index) else { return Ok(()) };
                if line.state != State::Ready {
                    return Ok(());
                }
                if let Some(stream) = line.stream() {
                    let _ = self.epoll.delete(stream);
                }
                line.hang_up();
                self.ready -= 1;
                self.shared.ready.fetch_sub(1, Relaxed);
            }
            Move::GiveUp(index) => {
                let waits =
                    |line: &Line| matches!(line.state, State::Connecting | State::Upgrading);
                if self.lines.get(index).is_some_and(waits) {
                    self.lose(index, &Ending::new(Loss::TimedOut, "upgrade timed out", b""));
                }
            }
            Move::Open(index) => {
                let line = self.open(index)?;
                if let Some(place) = self.lines.get_mut(index) {
                    *place = line;
                }
            }
        }
        Ok(())
    }

    fn flush_to(&mut self, index: usize) {
        let written = match self.lines.get_mut(index) {
            Some(line) if line.state == State::Ready => line.write(&self.out),
            _ => true,
        };
        self.out.clear();
        if !written {
            self.lose(index, &Ending::broken("connection lost"));
        }
    }

    fn end_turn(&mut self) -> Result<(), String> {
        let turn = self.turn();
        while let Some(index) = self.scenario.turn_done(turn, &mut self.out) {
            self.flush_to(index);
        }
        let mut opened = 0;
        while opened < OPENED_A_TURN
            && let Some(wish) = self.scenario.next_move(turn)
        {
            opened += usize::from(matches!(wish, Move::Open(_)));
            self.carry_out(wish)?;
        }
        let (operations, deliveries) = self.scenario.done();
        self.shared.operations.fetch_add(operations - self.reported.0, Relaxed);
        self.shared.deliveries.fetch_add(deliveries - self.reported.1, Relaxed);
        self.reported = (operations, deliveries);
        if self.prepared < self.begun && self.scenario.prepared(self.prepared) {
            self.prepared += 1;
            self.shared.prepared.fetch_add(1, Relaxed);
        }
        if self.phase == Phase::Finish as u8 && !self.settled && self.scenario.settled() {
            self.settled = true;
            self.shared.settled.fetch_add(1, Relaxed);
        }
        Ok(())
    }
}

/// How a connection came to its end.
struct Ending {
    loss: Loss,
    /// The fault that it is, if it is one.
    why: &'static str,
    words: String,
}

impl Ending {
    fn new(loss: Loss, why: &'static str, words: &[u8]) -> Self {
        Self { loss, why, words: String::from_utf8_lossy(words).into_owned() }
    }

    fn broken(why: &'static str) -> Self {
        Self { loss: Loss::Broken, why, words: String::new() }
    }
}

/// What follows a complete upgrade response.
fn upgraded(bytes: &[u8]) -> Result<Option<&[u8]>, Ending> {
    ws::response(bytes).map_err(|refusal| Ending {
        loss: Loss::Refused(refusal.retry_after),
        why: "upgrade refused",
        words: refusal.line,
    })
}
