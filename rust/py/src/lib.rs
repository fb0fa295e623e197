//! `hivewire._engine`: the engine as a Python module. Register, convert, release the
//! interpreter; a decision in here belongs up into Python or down into the engine.

mod config;
mod inbound;
mod outbound;
mod passage;
mod probe;

use config::Settings;
use hivewire_engine::Engine as Shards;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The shards of a node: sockets, framing, heartbeats, fan-out.
///
/// All methods are called from the thread that runs the event loop.
#[pyclass(frozen, module = "hivewire._engine")]
struct Engine {
    shards: Mutex<Shards>,
}

impl Engine {
    fn lock(&self) -> MutexGuard<'_, Shards> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Engine {
    /// Takes any object with the attributes of `hivewire.gateway.EngineSettings`.
    #[new]
    fn new(settings: Settings) -> PyResult<Self> {
        Ok(Self { shards: Mutex::new(Shards::new(settings.into())?) })
    }

    /// Binds, starts the shards, and returns host and port.
    fn listen(&self, py: Python<'_>) -> PyResult<(String, u16)> {
        let address = py.detach(|| self.lock().listen())?;
        Ok((address.ip().to_string(), address.port()))
    }

    /// The doorbell: readable while `take` may have something.
    fn fileno(&self) -> i32 {
        self.lock().doorbell().as_raw_fd()
    }

    /// When the oldest item was published (`time.monotonic_ns`, 0: nothing there) and the items,
    /// with at most about `limit` messages in them.
    fn take<'py>(&self, py: Python<'py>, limit: usize) -> PyResult<(u64, Bound<'py, PyList>)> {
        let mut shards = self.lock();
        let born_ns = shards.fetch().unwrap_or(0);
        let items = PyList::empty(py);
        shards.drain_fetched(limit, |item| items.append(inbound::convert(py, item)?))?;
        Ok((born_ns, items))
    }

    /// Carries out `ops` in their order. Returns the number of this submission.
    fn submit(&self, py: Python<'_>, ops: &Bound<'_, PyList>) -> PyResult<u64> {
        let mut shards = self.lock();
        let queued = ops.iter().try_for_each(|op| outbound::queue(&mut shards, &op));
        // What was queued before a bad op goes out all the same: it may be answers.
        drop(shards);
        let number = py.detach(|| self.lock().dispatch());
        queued.map(|()| number)
    }

    /// What became of what submission `number` had for each device of `user`: its name, on which
    /// way, with what fate, since when, and when its session ended (`time.monotonic_ns`, 0: not).
    fn passages(&self, user: &str, number: u64) -> Vec<passage::Tuple> {
        self.lock().passages(user, number).into_iter().map(passage::convert).collect()
    }

    /// Refuses new connections and reads no further commands.
    fn pause(&self, py: Python<'_>) {
        py.detach(|| self.lock().pause());
    }

    /// Says `bye` 4000 to everybody, each with its own slot inside `spread_ms`.
    fn drain(&self, py: Python<'_>, spread_ms: u64) {
        py.detach(|| self.lock().drain(spread_ms));
    }

    /// Names of the devices with which `user` is connected.
    fn devices(&self, user: &str) -> Vec<String> {
        self.lock().devices(user)
    }

    /// The connections of `user`, each with the name of its device.
    fn sessions_of(&self, user: &str) -> Vec<(u64, String)> {
        let found = self.lock().sessions_of(user);
        found.into_iter().map(|(conn, device)| (conn.get(), device)).collect()
    }

    /// Names of the users that have a session.
    fn users(&self) -> Vec<String> {
        self.lock().users()
    }

    /// Connection, user and device of each session.
    fn sessions(&self) -> Vec<(u64, String, String)> {
        self.lock().sessions()
    }

    /// Connections that are open now, in any phase.
    fn connections(&self) -> usize {
        self.lock().connections()
    }

    /// Lets connections from here on begin with these PEM files; the others keep what they have.
    fn reload_tls(&self, py: Python<'_>, cert: &str, key: &str) -> PyResult<()> {
        Ok(py.detach(|| self.lock().reload_tls(cert, key))?)
    }

    /// Ends the shards and waits for their threads.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.lock().stop());
    }

    /// Every figure of the shards by name, summed.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = PyDict::new(py);
        for (name, value) in self.lock().stats() {
            figures.set_item(name, value)?;
        }
        Ok(figures)
    }
}

/// The engine of hivewire.
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Engine>()?;
    inbound::register(module)?;
    outbound::register(module)?;
    probe::register(module)?;
    config::register(module)
}
