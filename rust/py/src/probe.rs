//! How long a thread waits for the interpreter, measured from outside of it.

use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// Sleeps for `sleep_ms` without the interpreter, then takes it; returns how long that took, in
/// nanoseconds.
///
/// The clock starts when the thread is awake again, so a busy machine's late wake-up is not in it.
#[pyfunction]
#[expect(clippy::disallowed_methods, reason = "it measures; nothing is decided by it")]
fn interpreter_wait(py: Python<'_>, sleep_ms: u64) -> u64 {
    let awake = py.detach(|| {
        std::thread::sleep(Duration::from_millis(sleep_ms));
        Instant::now()
    });
    u64::try_from(awake.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Adds it to the module.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(interpreter_wait, module)?)
}
