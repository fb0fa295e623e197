//! When a silent line is asked for a sign of life, and when it counts as dead.
//!
//! Traffic does nothing but stamp `heard`; everything else is worked out when the wheel comes
//! round. Any frame counts as life, so busy lines carry no pings (protocol.md section 8).

use crate::config::TICK_MS;

/// Pings that may stay unanswered before the line is dead.
const UNANSWERED: u8 = 2;

/// The heartbeat that was granted to one connection. Times are wheel ticks.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// Silence after which the driver pings; 0: no heartbeat (echo).
    interval: u16,
    timeout: u16,
    from_client: bool,
    unanswered: u8,
    pinged: u32,
}

/// What to do with a line now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Look again at this tick.
    Wait(u32),
    /// Send a ping, then look again at this tick.
    Ping(u32),
    /// Nobody is there: close with 4004.
    Dead,
    /// This line has no heartbeat.
    Off,
}

impl Heartbeat {
    /// No heartbeat at all.
    pub const OFF: Self =
        Self { interval: 0, timeout: 0, from_client: false, unanswered: 0, pinged: 0 };

    /// A heartbeat from milliseconds; what does not fit in 54 minutes is cut there.
    #[must_use]
    pub fn new(interval_ms: u64, timeout_ms: u64, from_client: bool) -> Self {
        let ticks = |ms: u64| u16::try_from(ms.div_ceil(TICK_MS)).unwrap_or(u16::MAX).max(1);
        let (interval, timeout) = (ticks(interval_ms), ticks(timeout_ms));
        Self { interval, timeout, from_client, unanswered: 0, pinged: 0 }
    }

    /// Ticks by which the first stamp is set back, so that clients that came together are not
    /// asked together: up to half the interval. A client that drives itself is not hurried.
    #[must_use]
    pub fn first_jitter(&self, random: u32) -> u32 {
        if self.from_client { 0 } else { random % (u32::from(self.interval) / 2).max(1) }
    }

    /// Judges a line of which something was last heard at `heard`. Times are those of
    /// [`crate::sight::Sight`]; nobody is given up before what came while nothing was read, until
    /// `resumed`, had its time.
    pub fn judge(&mut self, heard: u32, resumed: u32, now: u32) -> Verdict {
        if self.interval == 0 {
            return Verdict::Off;
        }
        let (interval, timeout) = (u32::from(self.interval), u32::from(self.timeout));
        if self.from_client {
            let dead = heard.saturating_add(2 * interval).max(resumed).saturating_add(timeout);
            return if now >= dead { Verdict::Dead } else { Verdict::Wait(dead) };
        }
        // A ping goes out only after a silence, so what bears its tick came after it: the answer of
        // a near client arrives within the same tick.
        if heard >= self.pinged {
            self.unanswered = 0;
        }
        let due = match self.unanswered {
            0 => heard.saturating_add(interval),
            _ => self.pinged.max(resumed).saturating_add(timeout),
        };
        if now < due {
            return Verdict::Wait(due);
        }
        if self.unanswered >= UNANSWERED {
            return Verdict::Dead;
        }
        self.unanswered += 1;
        self.pinged = now;
        Verdict::Ping(now.saturating_add(timeout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Heartbeat {
        Heartbeat::new(25_000, 10_000, false)
    }

    #[test]
    fn a_busy_line_carries_no_pings() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(100, 0, 599), Verdict::Wait(600));
        assert_eq!(heartbeat.judge(590, 0, 600), Verdict::Wait(1_090));
    }

    #[test]
    fn two_unanswered_pings_and_the_line_is_dead() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(0, 0, 500), Verdict::Ping(700));
        assert_eq!(heartbeat.judge(0, 0, 700), Verdict::Ping(900));
        assert_eq!(heartbeat.judge(0, 0, 899), Verdict::Wait(900));
        assert_eq!(heartbeat.judge(0, 0, 900), Verdict::Dead);
    }

    #[test]
    fn any_frame_after_a_ping_counts_as_its_answer() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(0, 0, 500), Verdict::Ping(700));
        assert_eq!(heartbeat.judge(501, 0, 700), Verdict::Wait(1_001));
        assert_eq!(heartbeat.judge(501, 0, 1_001), Verdict::Ping(1_201));
    }

    #[test]
    fn an_answer_within_the_tick_of_its_ping_counts() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(0, 0, 500), Verdict::Ping(700));
        assert_eq!(heartbeat.judge(500, 0, 700), Verdict::Wait(1_000));
        assert_eq!(heartbeat.judge(500, 0, 1_000), Verdict::Ping(1_200));
    }

    #[test]
    fn a_client_that_drives_is_given_up_after_two_intervals_and_the_timeout() {
        let mut heartbeat = Heartbeat::new(25_000, 10_000, true);
        assert_eq!(heartbeat.judge(0, 0, 1_199), Verdict::Wait(1_200));
        assert_eq!(heartbeat.judge(0, 0, 1_200), Verdict::Dead);
        assert_eq!(heartbeat.first_jitter(12_345), 0);
    }

    #[test]
    fn a_ping_has_its_whole_time_after_a_pause() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(0, 0, 500), Verdict::Ping(700));
        assert_eq!(heartbeat.judge(0, 650, 700), Verdict::Wait(850));
        assert_eq!(heartbeat.judge(0, 650, 850), Verdict::Ping(1_050));
        assert_eq!(heartbeat.judge(0, 1_049, 1_050), Verdict::Wait(1_249));
        assert_eq!(heartbeat.judge(0, 1_049, 1_249), Verdict::Dead);
        let mut driven = Heartbeat::new(25_000, 10_000, true);
        assert_eq!(driven.judge(0, 1_199, 1_200), Verdict::Wait(1_399));
        assert_eq!(driven.judge(0, 1_199, 1_399), Verdict::Dead);
    }

    #[test]
    fn a_line_that_answered_is_asked_when_it_would_have_been_without_the_pause() {
        let mut heartbeat = server();
        assert_eq!(heartbeat.judge(0, 0, 500), Verdict::Ping(700));
        assert_eq!(heartbeat.judge(501, 650, 700), Verdict::Wait(1_001));
    }

    #[test]
    fn the_first_deadline_is_jittered_by_at_most_half() {
        assert!((0..2_000).all(|random| server().first_jitter(random) < 250));
        assert_eq!(server().first_jitter(251), 1);
    }

    #[test]
    fn no_heartbeat_no_deadline() {
        assert_eq!(Heartbeat::OFF.clone().judge(0, 0, u32::MAX), Verdict::Off);
    }
}
