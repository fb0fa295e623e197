//! The run: threads, phases, the measured window.

use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Map, Value, json};

use crate::cli::{self, Cli, Load};
use crate::clock::{self, Clock};
use crate::login::{Login, Session};
use crate::objects::Scanner;
use crate::procfs;
use crate::report::{Faults, Histogram, Report, histogram, percentiles, tell};
use crate::scenario::{Center, Dialect, Echo, Fanout, Hold, Messages, Outcome, Scenario};
use crate::worker::{self, Phase, Shared};

/// Descriptors of a thread that are not connections.
const SPARE_FILES: u64 = 64;
/// How long what is under way may take to arrive after the end.
const DRAIN: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// Runs the scenario from the first connection to the last answer.
pub(crate) fn run(cli: &Cli) -> Result<Report, String> {
    let lines = lines(cli)?;
    let ranges = ranges(lines, cli.fleet.threads)?;
    let shared = Shared {
        fleet: cli.fleet.clone(),
        login: login(cli)?,
        clock: Clock::start(),
        threads: ranges.len(),
        phase: AtomicU8::new(Phase::Ramp as u8),
        ready: AtomicUsize::new(0),
        lost: AtomicUsize::new(0),
        last_ready: AtomicU64::new(0),
        settled: AtomicUsize::new(0),
        operations: AtomicU64::new(0),
        deliveries: AtomicU64::new(0),
        broken: AtomicBool::new(false),
    };
    let mut scenarios = scenarios(cli, &ranges)?;
    thread::scope(|scope| {
        let threads: Vec<Thread<'_>> = ranges
            .into_iter()
            .zip(scenarios.drain(..))
            .map(|(range, scenario)| {
                let shared = &shared;
                scope.spawn(move || {
                    let outcome = worker::run(shared, range, scenario);
                    shared.broken.fetch_or(outcome.is_err(), Relaxed);
                    outcome
                })
            })
            .collect();
        let measured = conduct(cli, &shared, lines);
        shared.phase.store(Phase::Stop as u8, Relaxed);
        let outcomes = join(threads);
        Ok(report(cli, &shared, &measured, outcomes?))
    })
}

type Thread<'scope> = ScopedJoinHandle<'scope, Result<Outcome, String>>;

fn join(threads: Vec<Thread<'_>>) -> Result<Vec<Outcome>, String> {
    let ended = |thread: Thread<'_>| thread.join().unwrap_or(Err("a thread panicked".to_owned()));
    threads.into_iter().map(ended).collect()
}

/// How many connections the scenario has.
fn lines(cli: &Cli) -> Result<usize, String> {
    let asked = cli.fleet.connections;
    match cli.scenario {
        cli::Scenario::Messages { .. } if !asked.is_multiple_of(2) => {
            Err("messages needs an even number of connections".to_owned())
        }
        cli::Scenario::Fanout(_) => Ok(asked + 1),
        _ if asked == 0 => Err("no connections".to_owned()),
        _ => Ok(asked),
    }
}

/// The connections of each thread, pairs never split, within what a file table holds.
fn ranges(lines: usize, threads: usize) -> Result<Vec<Range<usize>>, String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| format!("getrlimit: {e}"))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| format!("setrlimit: {e}"))?;
    let table = usize::try_from(hard.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX).max(2);
    let threads = if threads == 0 { lines.div_ceil(table) } else { threads };
    let each = lines.div_ceil(threads).next_multiple_of(2);
    if each > table {
        return Err(format!("{each} connections a thread, but only {hard} open files: --threads"));
    }
    Ok((0..lines).step_by(each).map(|start| start..(start + each).min(lines)).collect())
}

fn login(cli: &Cli) -> Result<Login, String> {
    Ok(match cli.scenario {
        cli::Scenario::Fanout(_) => Login::Subscribe { publisher: cli.fleet.first },
        cli::Scenario::Echo(_) => Login::Raw,
        _ if cli.fleet.raw => Login::Raw,
        _ => Login::Session(Box::new(Session::new(&cli.fleet)?)),
    })
}

/// One scenario per thread.
fn scenarios(cli: &Cli, ranges: &[Range<usize>]) -> Result<Vec<Box<dyn Scenario>>, String> {
    let center = Center::new(cli.fleet.connections)?;
    let run = clock::nonce();
    let dialect = || {
        let prefix = cli.fleet.prefix.clone();
        if cli.fleet.raw {
            Dialect::Raw
        } else {
            Dialect::Objects { scanner: Box::new(Scanner::new()), prefix }
        }
    };
    let make = |range: &Range<usize>| -> Box<dyn Scenario> {
        let size = range.len();
        match &cli.scenario {
            cli::Scenario::Connect { .. } | cli::Scenario::Idle { .. } => Box::new(Hold::new()),
            cli::Scenario::Echo(load) => Box::new(Echo::new(size, load.in_flight, load.bytes)),
            cli::Scenario::Fanout(load) => {
                let (center, publishes) = (Arc::clone(&center), range.start == 0);
                Box::new(Fanout::new(center, size, publishes, load.in_flight, load.bytes))
            }
            cli::Scenario::Messages { load, ack_every } => {
                let numbers = (cli.fleet.first + range.start, size);
                Box::new(Messages::new(dialect(), numbers, load, *ack_every, run))
            }
        }
    };
    Ok(ranges.iter().map(make).collect())
}

/// What was seen from outside the threads.
#[derive(Default)]
struct Measured {
    connected: usize,
    ramp_seconds: f64,
    ramp_cpu_us: Option<f64>,
    load: Map<String, Value>,
}

/// The phases, one after the other.
fn conduct(cli: &Cli, shared: &Shared, lines: usize) -> Measured {
    let before = cli.fleet.server_pid.and_then(procfs::cpu_ns);
    let timeout = cli.fleet.ramp_timeout * 1_000_000_000;
    while shared.ready.load(Relaxed) + shared.lost.load(Relaxed) < lines {
        if shared.broken.load(Relaxed) || shared.clock.now() > timeout {
            break;
        }
        thread::sleep(POLL);
    }
    let after = cli.fleet.server_pid.and_then(procfs::cpu_ns);
    let connected = shared.ready.load(Relaxed);
    let mut measured = Measured {
        connected,
        ramp_seconds: seconds(shared.last_ready.load(Relaxed)),
        ramp_cpu_us: before.zip(after).map(|(before, after)| micros(after - before)),
        load: Map::new(),
    };
    if shared.broken.load(Relaxed) {
        return measured;
    }
    shared.phase.store(Phase::Run as u8, Relaxed);
    match (&cli.scenario, cli.scenario.load()) {
        (_, Some(load)) => measured.load = window(cli, shared, load),
        (cli::Scenario::Connect { hold }, _) => hold_for(connected, Some(*hold)),
        (cli::Scenario::Idle { hold }, _) => hold_for(connected, *hold),
        _ => {}
    }
    measured
}

/// Holds for so many seconds, or until standard input ends.
fn hold_for(connected: usize, hold: Option<f64>) {
    tell(&format!("holding {connected}"));
    match hold {
        Some(hold) => thread::sleep(Duration::from_secs_f64(hold.max(0.0))),
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
fn window(cli: &Cli, shared: &Shared, load: Load) -> Map<String, Value> {
    thread::sleep(Duration::from_secs_f64(load.warm.max(0.0)));
    shared.phase.store(Phase::Measure as u8, Relaxed);
    let start = read(cli, shared);
    thread::sleep(Duration::from_secs_f64(load.seconds.max(0.1)));
    let end = read(cli, shared);
    shared.phase.store(Phase::Drain as u8, Relaxed);
    let deadline = shared.clock.now() + u64::try_from(DRAIN.as_nanos()).unwrap_or_default();
    while shared.settled.load(Relaxed) < shared.threads && shared.clock.now() < deadline {
        thread::sleep(POLL);
    }
    let elapsed = seconds(end.at - start.at);
    let operations = end.operations - start.operations;
    let server = start.server.zip(end.server).map(|(start, end)| micros(end - start));
    let each = float(operations.max(1));
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("in_flight", json!(load.in_flight));
    put("bytes", json!(load.bytes));
    put("seconds", json!(elapsed));
    put("operations", json!(operations));
    put("operations_per_second", json!(float(operations) / elapsed));
    put("answered_in_all", json!(shared.operations.load(Relaxed)));
    put("deliveries", json!(end.deliveries - start.deliveries));
    put("server_cpu_us_per_operation", json!(server.map(|us| us / each)));
    put("server_busy", json!(server.map(|us| us / 1e6 / elapsed)));
    put("client_busy", json!(micros(end.client - start.client) / 1e6 / elapsed));
    fields
}

fn report(cli: &Cli, shared: &Shared, measured: &Measured, outcomes: Vec<Outcome>) -> Report {
    let mut connect_times = histogram();
    let mut latencies: Vec<(&str, Histogram)> = Vec::new();
    let mut faults = Faults::default();
    for outcome in outcomes {
        let _ = connect_times.add(&outcome.connect_times);
        for (name, times) in outcome.latencies {
            match latencies.iter_mut().find(|(other, _)| *other == name) {
                Some((_, sum)) => {
                    let _ = sum.add(&times);
                }
                None => latencies.push((name, times)),
            }
        }
        faults.merge(outcome.faults);
    }
    let fields = json!({
        "scenario": cli.scenario.name(),
        "raw": cli.fleet.raw,
        "connections": measured.connected,
        "threads": shared.threads,
        "ramp": {
            "seconds": measured.ramp_seconds,
            "connections_per_second": float(measured.connected as u64) / measured.ramp_seconds,
            "server_cpu_us_per_connection":
                measured.ramp_cpu_us.map(|us| us / float(measured.connected.max(1) as u64)),
            "latency_us": percentiles(&connect_times, 1.0),
        },
        "load": measured.load,
        "latency_us": latencies.iter()
            .map(|(name, times)| ((*name).to_owned(), percentiles(times, 1000.0)))
            .collect::<Map<_, _>>(),
        "server_rss_kib": cli.fleet.server_pid.and_then(procfs::rss_kib),
    });
    let Value::Object(fields) = fields else { unreachable!("json! of braces is an object") };
    Report { fields, faults }
}

fn seconds(nanos: u64) -> f64 {
    float(nanos) / 1e9
}

fn micros(nanos: u64) -> f64 {
    float(nanos) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "counts and times are far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}
