//! Settings in, constants out.

use hivewire_engine::admission::Rate;
use hivewire_engine::config::{Admission, Config, HEARTBEAT_RANGE_MS, JSON, MSGPACK};
use hivewire_proto::close;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The attributes that `Engine(settings)` reads, by the names of [`Config`].
#[derive(FromPyObject)]
pub(crate) struct Settings {
    address: String,
    shards: usize,
    max_connections: usize,
    tls: Option<(String, String)>,
    path: String,
    subprotocols: bool,
    echo: bool,
    deflate: bool,
    max_message: usize,
    max_fragments: u32,
    fragments_ms: u64,
    max_inflated: usize,
    opening_bytes: usize,
    opening_ms: u64,
    origins: Vec<String>,
    outbox_soft: usize,
    outbox_hard: usize,
    outbox_total: usize,
    outbox_stall_ms: u64,
    inbound_bytes: usize,
    control_per_second: u32,
    upgrades: (u32, u32),
    tls_handshakes: (u32, u32),
    sync_bytes: (u32, u32),
    address_connects: (u32, u32),
    memory_limit: u64,
}

impl From<Settings> for Config {
    fn from(settings: Settings) -> Self {
        Self {
            address: settings.address,
            shards: settings.shards,
            max_connections: settings.max_connections,
            tls: settings.tls,
            path: settings.path,
            subprotocols: settings.subprotocols,
            echo: settings.echo,
            deflate: settings.deflate,
            max_message: settings.max_message,
            max_fragments: settings.max_fragments,
            fragments_ms: settings.fragments_ms,
            max_inflated: settings.max_inflated,
            opening_bytes: settings.opening_bytes,
            opening_ms: settings.opening_ms,
            origins: settings.origins,
            outbox_soft: settings.outbox_soft,
            outbox_hard: settings.outbox_hard,
            outbox_total: settings.outbox_total,
            outbox_stall_ms: settings.outbox_stall_ms,
            inbound_bytes: settings.inbound_bytes,
            control_per_second: settings.control_per_second,
            admission: Admission {
                upgrades: rate(settings.upgrades),
                tls: rate(settings.tls_handshakes),
                sync: rate(settings.sync_bytes),
                address: rate(settings.address_connects),
            },
            memory_limit: settings.memory_limit,
        }
    }
}

/// What is gained a second, and what can be saved up.
fn rate((per_second, burst): (u32, u32)) -> Rate {
    Rate { per_second, burst }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let codes = PyDict::new(py);
    for (name, code) in close::ALL {
        codes.set_item(name, code)?;
    }
    let limits = PyDict::new(py);
    limits.set_item("heartbeat_min_ms", HEARTBEAT_RANGE_MS.0)?;
    limits.set_item("heartbeat_max_ms", HEARTBEAT_RANGE_MS.1)?;
    module.add("CLOSE_CODES", codes)?;
    module.add("LIMITS", limits)?;
    module.add("JSON", JSON)?;
    module.add("MSGPACK", MSGPACK)
}
