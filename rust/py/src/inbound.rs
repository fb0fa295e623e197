//! Items of a batch as tuples: `(kind, conn, user, device, …)`.

use hivewire_engine::Inbound;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

const COMMANDS: u8 = 0;
const CLOSED: u8 = 1;
const WRITABLE: u8 = 2;
const MISSED: u8 = 3;

pub(crate) fn convert<'py>(py: Python<'py>, item: Inbound<'_>) -> PyResult<Bound<'py, PyTuple>> {
    match item {
        Inbound::Commands { conn, session, token, frames } => {
            let (user, device) = session.unzip();
            let encoding = conn.encoding();
            let frames = PyList::new(py, frames.map(|frame| PyBytes::new(py, frame)))?;
            (COMMANDS, conn.get(), user, device, encoding, frames, token).into_pyobject(py)
        }
        Inbound::Closed { conn, session, code } => {
            let (user, device) = session.unzip();
            (CLOSED, conn.get(), user, device, code, conn.encoding()).into_pyobject(py)
        }
        Inbound::Writable { conn, session } => {
            let (user, device) = session.unzip();
            (WRITABLE, conn.get(), user, device).into_pyobject(py)
        }
        Inbound::Missed { conn, session: (user, device), topics } => {
            let topics = topics.map(|topic| String::from_utf8_lossy(topic));
            let topics = PyList::new(py, topics)?;
            (MISSED, conn.get(), user, device, topics, conn.encoding()).into_pyobject(py)
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("COMMANDS", COMMANDS)?;
    module.add("CLOSED", CLOSED)?;
    module.add("WRITABLE", WRITABLE)?;
    module.add("MISSED", MISSED)
}
