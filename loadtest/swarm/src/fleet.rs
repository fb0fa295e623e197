//! The run: its acts, and the threads and scenarios of each.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, ScopedJoinHandle};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Map, Value, json};

use crate::cli::{self, Cli, Past};
use crate::clock;
use crate::conductor::{self, Measured, float};
use crate::login::{Login, Resume, Session};
use crate::objects::Scanner;
use crate::procfs;
use crate::report::{Faults, Histogram, Report, histogram, percentiles, tell};
use crate::scenario::{
    Absent, Calm, Center, Channel, Chatter, Crowd, Delivered, Dialect, Echo, Fanout, Fill, Flap,
    Group, Hold, Messages, Outcome, Plan, Scenario, Storm, Sync,
};
use crate::shared::{Phase, Shared};
use crate::worker;

/// Descriptors of a thread that are not connections.
const SPARE_FILES: u64 = 64;

/// Runs the scenario's acts one after the other; the last one's report is the run's.
pub(crate) fn run(cli: &Cli) -> Result<Report, String> {
    let mut before = Vec::new();
    let mut faults = Faults::default();
    let mut acts = acts(cli);
    let last = acts.pop().unwrap_or_else(|| cli.clone());
    for act in acts {
        let report = perform(&act)?;
        let field = |name| report.fields.get(name).cloned().unwrap_or_default();
        before.push(json!({ "scenario": field("scenario"), "load": field("load") }));
        faults.merge(report.faults);
    }
    if !before.is_empty() {
        tell(&format!("coming back {}", last.fleet.connections));
    }
    let mut report = perform(&last)?;
    if !before.is_empty() {
        report.fields.insert("before".to_owned(), Value::Array(before));
    }
    report.faults.merge(faults);
    Ok(report)
}

/// What has to happen before the users come back, and their coming back.
fn acts(cli: &Cli) -> Vec<Cli> {
    let Cli { scenario, fleet } = cli;
    let fill = |missed, past: &Past| {
        let absent = fleet.connections;
        let scenario = cli::Scenario::Fill { absent, each: missed, bytes: past.bytes };
        let writers = cli::Fleet {
            connections: past.writers,
            first: fleet.first + absent,
            concurrency: None,
            ..fleet.clone()
        };
        Cli { scenario, fleet: writers }
    };
    match scenario {
        cli::Scenario::Sync { missed, past, .. } if !past.filled => {
            vec![fill(*missed, past), cli.clone()]
        }
        cli::Scenario::Comeback { missed, past } => {
            let concurrency = fleet.concurrency.or(Some(fleet.connections));
            let all = Cli {
                scenario: scenario.clone(),
                fleet: cli::Fleet { concurrency, ..fleet.clone() },
            };
            // Their devices become known, with a cursor at the head.
            let scenario = cli::Scenario::Connect { hold: 0.0 };
            let fleet = cli::Fleet { concurrency: None, ..fleet.clone() };
            let first = Cli { scenario, fleet };
            if past.filled { vec![all] } else { vec![first, fill(*missed, past), all] }
        }
        _ => vec![cli.clone()],
    }
}

/// Runs one act from the first connection to the last answer.
fn perform(cli: &Cli) -> Result<Report, String> {
    let lines = lines(cli)?;
    let ranges = ranges(lines, unit(cli), cli.fleet.threads)?;
    let shared = Shared::new(cli.fleet.clone(), login(cli)?, ranges.len());
    let mut scenarios = scenarios(cli, &ranges)?;
    let steps = scenarios.first().map_or(0, |scenario| scenario.steps());
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
        let measured = conductor::conduct(cli, &shared, lines, steps);
        shared.phase.store(Phase::Stop as u8, Relaxed);
        let mut outcomes = join(threads)?;
        if let cli::Scenario::Calm(cli::Calm { trace: Some(path), .. }) = &cli.scenario {
            write_trace(path, &shared, &mut outcomes)?;
        }
        Ok(report(cli, &shared, &measured?, outcomes))
    })
}

/// A line for each delivery, in the order of the sends.
fn write_trace(path: &Path, shared: &Shared, outcomes: &mut [Outcome]) -> Result<(), String> {
    let mut all: Vec<Delivered> = Vec::new();
    for outcome in outcomes.iter_mut() {
        all.append(&mut outcome.trace);
    }
    all.sort_unstable_by_key(|delivered| delivered.sent_ms);
    let start = clock::unix_ms().saturating_sub(shared.clock.now() / 1_000_000);
    let lines = all.iter().map(|at| format!("{} {}\n", start + u64::from(at.sent_ms), at.took_us));
    fs::write(path, lines.collect::<String>()).map_err(|e| format!("{}: {e}", path.display()))
}

type Thread<'scope> = ScopedJoinHandle<'scope, Result<Outcome, String>>;

fn join(threads: Vec<Thread<'_>>) -> Result<Vec<Outcome>, String> {
    let ended = |thread: Thread<'_>| thread.join().unwrap_or(Err("a thread panicked".to_owned()));
    threads.into_iter().map(ended).collect()
}

/// How many connections the scenario has.
fn lines(cli: &Cli) -> Result<usize, String> {
    let asked = cli.fleet.connections;
    if asked == 0 {
        return Err("no connections".to_owned());
    }
    if cli.fleet.raw && cli.scenario.needs_objects() {
        return Err(format!("{} has no --raw", cli.scenario.name()));
    }
    match cli.scenario {
        cli::Scenario::Messages { .. } | cli::Scenario::Calm(_) if !asked.is_multiple_of(2) => {
            Err(format!("{} needs an even number of connections", cli.scenario.name()))
        }
        cli::Scenario::Group(groups) if groups.size == 0 || !asked.is_multiple_of(groups.size) => {
            Err("group needs a multiple of --size connections".to_owned())
        }
        cli::Scenario::Group(groups) if groups.senders == 0 || groups.senders > groups.size => {
            Err("--senders are members: between 1 and --size".to_owned())
        }
        cli::Scenario::Fill { absent, .. } if absent > cli.fleet.first => {
            Err("the absent users are numbered below --first: it must be at least --absent".into())
        }
        cli::Scenario::Flap(flaps) if flaps.watch == 0 => Err("--watch is at least 1".to_owned()),
        cli::Scenario::Flap(_) => Ok(asked + crowd(cli).map_or(0, |crowd| crowd.watchers())),
        cli::Scenario::Fanout(_) | cli::Scenario::Channel { .. } => Ok(asked + 1),
        _ => Ok(asked),
    }
}

/// How many connections belong into the same thread.
fn unit(cli: &Cli) -> usize {
    match cli.scenario {
        cli::Scenario::Group(groups) => groups.size,
        _ => 2,
    }
}

/// The connections of each thread, units never split, within what a file table holds.
fn ranges(lines: usize, unit: usize, threads: usize) -> Result<Vec<Range<usize>>, String> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| format!("getrlimit: {e}"))?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| format!("setrlimit: {e}"))?;
    let table = usize::try_from(hard.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX).max(2);
    let threads = if threads == 0 { lines.div_ceil(table) } else { threads };
    let each = lines.div_ceil(threads).next_multiple_of(unit);
    if each > table {
        return Err(format!("{each} connections a thread, but only {hard} open files: --threads"));
    }
    Ok((0..lines).step_by(each).map(|start| start..(start + each).min(lines)).collect())
}

fn login(cli: &Cli) -> Result<Login, String> {
    let resume = match cli.scenario {
        cli::Scenario::Fanout(_) => {
            return Ok(Login::Subscribe { publisher: cli.fleet.first });
        }
        cli::Scenario::Echo(_) => return Ok(Login::Raw),
        _ if cli.fleet.raw => return Ok(Login::Raw),
        cli::Scenario::Sync { .. } => Resume::Beginning,
        cli::Scenario::Comeback { .. } => Resume::Page(100),
        _ => Resume::Stored,
    };
    Ok(Login::Session(Box::new(Session::new(&cli.fleet, resume)?)))
}

fn crowd(cli: &Cli) -> Option<Crowd> {
    let cli::Scenario::Flap(flaps) = cli.scenario else { return None };
    let cli::Fleet { prefix, first, connections, .. } = &cli.fleet;
    Some(Crowd { prefix: prefix.clone(), first: *first, devices: *connections, flaps })
}

/// One scenario per thread.
fn scenarios(cli: &Cli, ranges: &[Range<usize>]) -> Result<Vec<Box<dyn Scenario>>, String> {
    let center = Center::new(cli.fleet.connections)?;
    let run = clock::nonce();
    let each = |(thread, range)| match &cli.scenario {
        cli::Scenario::Calm(calm) => quiet(cli, calm, range, (thread, run)),
        _ => scenario(cli, range, &center, run),
    };
    Ok(ranges.iter().enumerate().map(each).collect())
}

/// A thread's part of a quiet crowd: of the messages it has the share that it has of the lines.
fn quiet(
    cli: &Cli,
    calm: &cli::Calm,
    range: &Range<usize>,
    (thread, run): (usize, u32),
) -> Box<dyn Scenario> {
    let cli::Fleet { prefix, first, connections, .. } = &cli.fleet;
    let share = float(range.len() as u64) / float(*connections as u64);
    let chatter = Chatter {
        prefix: prefix.clone(),
        rate: calm.per_second * share,
        bytes: calm.bytes,
        drained: calm.drain_within > 0,
        traced: calm.trace.is_some(),
        run,
        thread,
    };
    Box::new(Calm::new(chatter, (first + range.start, range.len())))
}

fn scenario(cli: &Cli, range: &Range<usize>, center: &Arc<Center>, run: u32) -> Box<dyn Scenario> {
    let cli::Fleet { prefix, first, connections, raw, .. } = &cli.fleet;
    let (size, publishes) = (range.len(), range.start == 0);
    let numbers = (first + range.start, size);
    match &cli.scenario {
        cli::Scenario::Connect { .. } | cli::Scenario::Idle { .. } | cli::Scenario::Calm(_) => {
            Box::new(Hold::new(None))
        }
        cli::Scenario::Storm { .. } => {
            let seed = usize::try_from(run).unwrap_or_default();
            Box::new(Storm::new(size, seed.wrapping_add(range.start)))
        }
        cli::Scenario::Comeback { missed, .. } => Box::new(Hold::new(Some(*missed))),
        cli::Scenario::Echo(load) => Box::new(Echo::new(size, load.in_flight, load.bytes)),
        cli::Scenario::Fanout(load) => {
            let center = Arc::clone(center);
            Box::new(Fanout::new(center, size, publishes, load.in_flight, load.bytes))
        }
        cli::Scenario::Messages { load, ack_every } => {
            let prefix = prefix.clone();
            let objects = || Dialect::Objects { scanner: Box::new(Scanner::new()), prefix };
            let dialect = if *raw { Dialect::Raw } else { objects() };
            Box::new(Messages::new(dialect, numbers, load, *ack_every, run))
        }
        cli::Scenario::Group(groups) => Box::new(Group::new(*groups, prefix, numbers, run)),
        cli::Scenario::Channel { load, absent } => {
            let (prefix, members) = (prefix.clone(), connections + absent);
            let plan = Plan { prefix, first: *first, members, run };
            Box::new(Channel::new(plan, Arc::clone(center), size, publishes, *load))
        }
        cli::Scenario::Sync { missed, limit, .. } => Box::new(Sync::new(size, *limit, *missed)),
        cli::Scenario::Fill { absent: users, each, bytes } => {
            let (users, each, bytes) = (*users, *each, *bytes);
            let absent = Absent { first: first - users, users, each, bytes };
            Box::new(Fill::new(absent, prefix, *first, (range.clone(), *connections), run))
        }
        cli::Scenario::Flap(flaps) => {
            let (prefix, devices) = (prefix.clone(), *connections);
            let crowd = Crowd { prefix, first: *first, devices, flaps: *flaps };
            Box::new(Flap::new(crowd, range.clone()))
        }
    }
}

fn report(cli: &Cli, shared: &Shared, measured: &Measured, outcomes: Vec<Outcome>) -> Report {
    let mut connect_times = histogram();
    let mut latencies: Vec<(&str, Histogram)> = Vec::new();
    let mut counts = Map::new();
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
        for (name, count) in outcome.counts {
            let before = counts.get(name).and_then(Value::as_u64).unwrap_or_default();
            counts.insert(name.to_owned(), json!(before + count));
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
        "counts": counts,
        "server_rss_kib": cli.fleet.server_pid.and_then(procfs::rss_kib),
    });
    let Value::Object(fields) = fields else { unreachable!("json! of braces is an object") };
    Report { fields, faults }
}
