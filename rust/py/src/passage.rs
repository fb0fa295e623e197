//! How far a device was reached, as a tuple: `(device, way, fate | None, at, ended)`.

use hivewire_engine::flushes::Fate;
use hivewire_engine::{Passage, Way};

/// Times are `time.monotonic_ns`, 0 where there is none.
pub(crate) type Tuple = (String, &'static str, Option<&'static str>, u64, u64);

pub(crate) fn convert(passage: Passage) -> Tuple {
    let way = match passage.way {
        Way::Event => "event",
        Way::Page => "page",
        Way::Behind => "behind",
    };
    let (fate, at_ns) = match passage.fate {
        None => (None, 0),
        Some(Fate::Handed) => (Some("handed"), 0),
        Some(Fate::Waiting(since_ns)) => (Some("waiting"), since_ns),
        Some(Fate::Written(at_ns)) => (Some("written"), at_ns),
        Some(Fate::Lost(at_ns)) => (Some("lost"), at_ns),
    };
    (passage.device, way, fate, at_ns, passage.ended_ns.unwrap_or(0))
}
