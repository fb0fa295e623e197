//! The bodies of the fuzz targets. `tests/corpus.rs` runs the same functions over the committed
//! corpora, so that each test run replays what fuzzing found.

#[path = "../../tests/driver/mod.rs"]
pub mod driver;

use std::cell::RefCell;

use driver::{Driver, Seen};
use hivewire_proto::deflate::{Deflater, Inflater};
use hivewire_proto::{Config, Limits, Origins, ProtocolError};

/// The first byte chooses the configuration, the second how the rest, a request and perhaps
/// frames behind it, is split into reads.
pub fn upgrade(data: &[u8]) {
    let [choice, size, bytes @ ..] = data else { return };
    let config = || Config {
        subprotocols: if choice & 1 == 0 { Config::default().subprotocols } else { Vec::new() },
        origins: if choice & 2 == 0 { Origins::SameHost } else { Origins::Any },
        deflate: choice & 4 == 0,
        ..Config::default()
    };
    let whole = Driver::server(config()).read(bytes);
    let split = Driver::server(config()).read_split(bytes, &[usize::from(*size), 1, 7]);
    assert_eq!(whole, split, "the split of the bytes changed what was seen");
    match whole.first() {
        Some(Seen::Upgrade(upgrade)) => {
            assert!(upgrade.response.starts_with(b"HTTP/1.1 101 "));
            assert!(upgrade.response.ends_with(b"\r\n\r\n"));
        }
        Some(Seen::Refused(status, response)) => {
            assert!(response.starts_with(format!("HTTP/1.1 {status} ").as_bytes()));
            assert_eq!(whole.len(), 1, "nothing follows a refusal");
        }
        Some(other) => panic!("{other:?} came before the upgrade"),
        None => assert!(bytes.len() <= Limits::default().request_bytes),
    }
}

/// The first byte chooses compression, the second how the rest, frames of a client, is split.
pub fn frames(data: &[u8]) {
    let [choice, size, bytes @ ..] = data else { return };
    let limits =
        Limits { max_message: 300, max_fragments: 4, max_inflated: 2_000, ..Limits::default() };
    let config =
        || Config { deflate: choice & 1 == 1, limits: limits.clone(), ..Config::default() };
    let mut driver = Driver::open(config());
    let whole = driver.read(bytes);
    let split = Driver::open(config()).read_split(bytes, &[usize::from(*size), 1, 5]);
    assert_eq!(whole, split, "the split of the bytes changed what was seen");
    for (at, seen) in whole.iter().enumerate() {
        match seen {
            Seen::Text(text) => assert!(text.len() <= limits.max_inflated),
            Seen::Binary(bytes) => assert!(bytes.len() <= limits.max_inflated),
            Seen::Ping(payload) | Seen::Pong(payload) => assert!(payload.len() <= 125),
            Seen::Close(..) | Seen::Broken(_) => assert_eq!(at + 1, whole.len(), "it is the end"),
            Seen::Upgrade(_) | Seen::Refused(..) => panic!("{seen:?} after the upgrade"),
        }
    }
    if matches!(whole.last(), Some(Seen::Close(..) | Seen::Broken(_))) {
        assert!(!driver.connection.is_open());
    } else {
        assert!(driver.connection.is_open());
    }
}

/// The first byte chooses the window; the rest is inflated as it is, and goes round through
/// compressing.
pub fn deflate(data: &[u8]) {
    let [choice, bytes @ ..] = data else { return };
    CODECS.with_borrow_mut(|(inflater, deflater)| {
        let max = 4_096;
        match inflater.inflate(bytes, max) {
            Ok(()) => assert!(inflater.output().len() <= max),
            Err(ProtocolError::BadDeflate | ProtocolError::InflatedTooBig) => {}
            Err(other) => panic!("{other:?} is no error of inflating"),
        }
        let mut payload = Vec::new();
        deflater.compress(9 + choice % 7, bytes, &mut payload);
        assert_eq!(inflater.inflate(&payload, bytes.len()), Ok(()));
        assert_eq!(inflater.output(), bytes, "compressing and inflating gives the same bytes");
    });
}

thread_local! {
    /// Reused from one input to the next, as a shard does: no message may leave a trace.
    static CODECS: RefCell<(Inflater, Deflater)> = RefCell::default();
}
