//! The phases of a fleet, one after the other, and what is measured from outside its threads.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::cli::{Cli, Course, Scenario, Window};
use crate::procfs;
use crate::report::{say, tell};
use crate::shared::{Phase, Shared};

/// How long what is under way may take to arrive after the end, in seconds.
const FINISH_SECONDS: u64 = 10;
/// A fleet that grows has a new connection at least so often, and tells how far it is.
const STALL_SECONDS: u64 = 30;
const TOLD_SECONDS: u64 = 10;
const POLL: Duration = Duration::from_millis(2);

/// What was seen from outside the threads.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) connected: usize,
    pub(crate) ramp_seconds: f64,
    pub(crate) ramp_cpu_us: Option<f64>,
    pub(crate) load: Map<String, Value>,
}

/// Lets the fleet of `lines` connections grow, prepare in so many steps, and do what it is there for.
pub(crate) fn conduct(
    cli: &Cli,
    shared: &Shared,
    lines: usize,
    steps: u8,
) -> Result<Measured, String> {
    let mut measured = ramp(cli, shared, lines)?;
    if shared.broken.load(Relaxed) {
        return Ok(measured);
    }
    let connected = measured.connected;
    if connected == 0 {
        return Err("nobody could connect".to_owned());
    }
    prepare(cli, shared, steps, (connected, lines))?;
    match cli.scenario.course() {
        Course::Loop(window) => {
            shared.phase.store(Phase::Run as u8, Relaxed);
            measured.load = watch(cli, shared, connected, window);
        }
        Course::Job(warm) => {
            shared.phase.store(Phase::Run as u8, Relaxed);
            thread::sleep(Duration::from_secs_f64(warm.max(0.0)));
            measured.load = await_job(cli, shared, connected);
        }
        Course::Hold(seconds) => {
            shared.phase.store(Phase::Run as u8, Relaxed);
            hold(connected, seconds);
        }
    }
    Ok(measured)
}

/// Until all connections stand or were lost; an error when it takes too long, or stalls.
fn ramp(cli: &Cli, shared: &Shared, lines: usize) -> Result<Measured, String> {
    let before = cli.fleet.server_pid.and_then(procfs::cpu_ns);
    let mut progress = Progress::default();
    loop {
        let (ready, lost) = (shared.ready.load(Relaxed), shared.lost.load(Relaxed));
        if ready + lost >= lines || shared.broken.load(Relaxed) {
            break;
        }
        let now = shared.clock.now();
        if now > cli.fleet.ramp_timeout * 1_000_000_000 {
            return Err(format!("{ready} of {lines} connections stand when the time is over"));
        }
        progress.note(ready, lines, now)?;
        thread::sleep(POLL);
    }
    let after = cli.fleet.server_pid.and_then(procfs::cpu_ns);
    Ok(Measured {
        connected: shared.ready.load(Relaxed),
        ramp_seconds: seconds(shared.last_ready.load(Relaxed)),
        ramp_cpu_us: before.zip(after).map(|(before, after)| micros(after - before)),
        load: Map::new(),
    })
}

/// How far the ramp has come.
#[derive(Default)]
struct Progress {
    ready: usize,
    /// When there was the last new connection, and when something was told, in nanoseconds.
    moved: u64,
    told: u64,
}

impl Progress {
    /// Tells now and then; an error when nothing has moved for too long.
    fn note(&mut self, ready: usize, lines: usize, now: u64) -> Result<(), String> {
        if ready > self.ready {
            (self.ready, self.moved) = (ready, now);
        }
        if now.saturating_sub(self.moved) > STALL_SECONDS * 1_000_000_000 {
            let why = format!("{ready} of {lines} stand, and no other for {STALL_SECONDS} s");
            return Err(why);
        }
        if now.saturating_sub(self.told) > TOLD_SECONDS * 1_000_000_000 {
            self.told = now;
            say(&format!("{ready} of {lines} stand after {:.0} s", seconds(now)));
        }
        Ok(())
    }
}

/// Goes through the steps of the preparation; it needs every connection there.
fn prepare(
    cli: &Cli,
    shared: &Shared,
    steps: u8,
    (connected, lines): (usize, usize),
) -> Result<(), String> {
    if steps > 0 && connected < lines {
        return Err(format!("only {connected} of {lines} connections stand"));
    }
    for step in 0..steps {
        shared.step.store(step, Relaxed);
        shared.phase.store(Phase::Prepare as u8, Relaxed);
        let due = (usize::from(step) + 1) * shared.threads;
        if !reaches(shared, &shared.prepared, due, cli.fleet.ramp_timeout) {
            return Err(format!("step {step} of the preparation was not done in time"));
        }
    }
    Ok(())
}

/// Waits until a counter is there; false when it took more seconds than it may, or a thread failed.
fn reaches(shared: &Shared, counter: &AtomicUsize, due: usize, seconds: u64) -> bool {
    let deadline = shared.clock.now() + seconds * 1_000_000_000;
    while counter.load(Relaxed) < due {
        if shared.clock.now() > deadline || shared.broken.load(Relaxed) {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Holds for so many seconds, or until standard input ends.
fn hold(connected: usize, seconds: Option<f64>) {
    tell(&format!("holding {connected}"));
    match seconds {
        Some(seconds) => thread::sleep(Duration::from_secs_f64(seconds.max(0.0))),
        None => {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        }
    }
}

/// Everything that is read at both ends of the window.
struct Reading {
    at: u64,
    operations: u64,
    deliveries: u64,
    server: Option<u64>,
    client: u64,
}

fn read(cli: &Cli, shared: &Shared) -> Reading {
    Reading {
        at: shared.clock.now(),
        operations: shared.operations.load(Relaxed),
        deliveries: shared.deliveries.load(Relaxed),
        server: cli.fleet.server_pid.and_then(procfs::cpu_ns),
        client: procfs::own_cpu_ns(),
    }
}

/// Warms up, measures, lets everything arrive.
fn watch(cli: &Cli, shared: &Shared, connected: usize, window: Window) -> Map<String, Value> {
    thread::sleep(Duration::from_secs_f64(window.warm.max(0.0)));
    shared.phase.store(Phase::Measure as u8, Relaxed);
    tell(&format!("measuring {connected}"));
    let start = read(cli, shared);
    thread::sleep(Duration::from_secs_f64(window.seconds.max(0.1)));
    let end = read(cli, shared);
    shared.phase.store(Phase::Finish as u8, Relaxed);
    let patience = match cli.scenario {
        Scenario::Flap(flaps) => flaps.told_within,
        _ => FINISH_SECONDS,
    };
    let began = shared.clock.now();
    if shared.ready.load(Relaxed) > 0 {
        reaches(shared, &shared.settled, shared.threads, patience);
    }
    let mut fields = between(cli, &start, &end);
    if let Scenario::Calm(calm) = &cli.scenario
        && calm.drain_within > 0
    {
        fields.insert("drain".to_owned(), drained(shared, calm.drain_within));
    }
    fields.insert("answered_in_all".to_owned(), json!(shared.operations.load(Relaxed)));
    fields.insert("finish_seconds".to_owned(), json!(seconds(shared.clock.now() - began)));
    fields
}

/// Waits until the server has sent everybody away.
fn drained(shared: &Shared, within: u64) -> Value {
    let began = shared.clock.now();
    tell(&format!("sending away {}", shared.ready.load(Relaxed)));
    let deadline = began + within * 1_000_000_000;
    while shared.ready.load(Relaxed) > 0 && shared.clock.now() < deadline {
        thread::sleep(POLL);
    }
    let left = shared.ready.load(Relaxed);
    json!({ "seconds": seconds(shared.clock.now() - began), "left": left })
}

/// Measures from the beginning of a job to its end.
fn await_job(cli: &Cli, shared: &Shared, connected: usize) -> Map<String, Value> {
    let start = read(cli, shared);
    let (word, within) = match cli.scenario {
        Scenario::Storm { back_within, .. } => ("cut", back_within),
        _ => ("measuring", cli.fleet.ramp_timeout),
    };
    tell(&format!("{word} {connected}"));
    shared.phase.store(Phase::Finish as u8, Relaxed);
    reaches(shared, &shared.settled, shared.threads, within);
    between(cli, &start, &read(cli, shared))
}

fn between(cli: &Cli, start: &Reading, end: &Reading) -> Map<String, Value> {
    let elapsed = seconds(end.at - start.at);
    let operations = end.operations - start.operations;
    let server = start.server.zip(end.server).map(|(start, end)| micros(end - start));
    let each = float(operations.max(1));
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(load) = cli.scenario.load() {
        put("in_flight", json!(load.in_flight));
        put("bytes", json!(load.bytes));
    }
    put("seconds", json!(elapsed));
    put("operations", json!(operations));
    put("operations_per_second", json!(float(operations) / elapsed));
    put("deliveries", json!(end.deliveries - start.deliveries));
    put("server_cpu_us_per_operation", json!(server.map(|us| us / each)));
    put("server_busy", json!(server.map(|us| us / 1e6 / elapsed)));
    put("client_busy", json!(micros(end.client - start.client) / 1e6 / elapsed));
    fields
}

fn seconds(nanos: u64) -> f64 {
    float(nanos) / 1e9
}

fn micros(nanos: u64) -> f64 {
    float(nanos) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}
