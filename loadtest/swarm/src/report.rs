//! What is told: percentiles, faults, one JSON object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Latencies with three significant digits.
pub(crate) type Histogram = hdrhistogram::Histogram<u64>;

/// The longest latency that is told apart: ten minutes in nanoseconds.
const LONGEST_NS: u64 = 600_000_000_000;
/// How many faults of a kind are shown on standard error.
const SHOWN: u64 = 3;

/// An empty histogram.
#[expect(clippy::expect_used, reason = "constant bounds that the crate's documentation allows")]
pub(crate) fn histogram() -> Histogram {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("1 < bound and 3 digits are valid")
}

/// Writes a line to standard error.
#[expect(clippy::print_stderr, reason = "the user's terminal")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Writes a line to standard output, at once.
#[expect(clippy::print_stdout, reason = "the result is what a script reads")]
pub(crate) fn tell(line: &str) {
    println!("{line}");
}

/// Broken promises by kind.
#[derive(Default)]
pub(crate) struct Faults(BTreeMap<&'static str, u64>);

impl Faults {
    /// Counts one, and shows the first few.
    pub(crate) fn note(&mut self, what: &'static str, detail: impl FnOnce() -> String) {
        let count = self.0.entry(what).or_default();
        *count += 1;
        if *count <= SHOWN {
            say(&format!("fault: {what}: {}", detail()));
        }
    }

    /// Adds `count`, which may be none.
    pub(crate) fn count(&mut self, what: &'static str, count: u64) {
        if count > 0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    /// Takes another's in.
    pub(crate) fn merge(&mut self, other: Self) {
        for (what, count) in other.0 {
            self.count(what, count);
        }
    }

    /// Whether nothing went wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The result of a run.
pub(crate) struct Report {
    pub(crate) fields: Map<String, Value>,
    pub(crate) faults: Faults,
}

impl Report {
    /// One line of JSON on standard output.
    pub(crate) fn print(&self) {
        let mut object = self.fields.clone();
        object.insert("faults".to_owned(), json!(self.faults.0));
        tell(&Value::Object(object).to_string());
    }

    /// Whether every promise was kept and every connection stands.
    pub(crate) fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Percentiles in microseconds, of a histogram whose unit is `per_us` to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "latencies are far below 2^53")]
pub(crate) fn percentiles(times: &Histogram, per_us: f64) -> Value {
    let at = |quantile| times.value_at_quantile(quantile) as f64 / per_us;
    json!({
        "count": times.len(),
        "mean": times.mean() / per_us,
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "p999": at(0.999),
        "max": times.max() as f64 / per_us,
    })
}
