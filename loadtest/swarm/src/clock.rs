//! The one place that reads the clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since the fleet started.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Starts at zero.
    #[expect(clippy::disallowed_methods, reason = "a load client measures real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start (enough for 584 years).
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds since the Unix epoch.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Microseconds since the Unix epoch, low 32 bits: what tells two runs apart.
pub(crate) fn nonce() -> u32 {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |s| s.as_micros());
    u32::try_from(micros & u128::from(u32::MAX)).unwrap_or_default()
}

/// Seconds as nanoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some seconds")]
pub(crate) fn nanos(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

/// A number's place between 0 and `span`; neighbours land far from each other.
pub(crate) fn scattered(number: usize, span: u64) -> u64 {
    let hash = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    (hash * (span >> 16)) >> 16
}
