//! A clock that stands still while a shard does not read.
//!
//! Silence is counted on it (I8: no deadline counts time in which nobody listened). All deadlines
//! move by as much as the shard was blind, so lines that were asked at different moments are so
//! afterwards: were they all counted from the end of it, each would be asked in the same moment for
//! ever after.

/// Ticks in which a shard reads. Ticks of the wheel go in, ticks of this clock come out.
#[derive(Debug, Default)]
pub struct Sight {
    /// Ticks in which it was blind, all told, but for the present time.
    blind: u32,
    /// Since when it is blind.
    since: Option<u32>,
    /// The wheel's tick at which it last came to see again.
    resumed: u32,
}

impl Sight {
    /// From this tick on nothing is read.
    pub fn close(&mut self, tick: u32) {
        self.since.get_or_insert(tick);
    }

    /// From this tick on everything is read again.
    pub fn open(&mut self, tick: u32) {
        if let Some(since) = self.since.take() {
            self.blind += tick.saturating_sub(since);
            self.resumed = tick;
        }
    }

    /// The time on this clock.
    #[must_use]
    pub fn now(&self, tick: u32) -> u32 {
        self.since.unwrap_or(tick).saturating_sub(self.blind)
    }

    /// When it last came to see again, on this clock.
    #[must_use]
    pub const fn resumed(&self) -> u32 {
        self.resumed.saturating_sub(self.blind)
    }

    /// The same on the wheel.
    #[must_use]
    pub const fn resumed_tick(&self) -> u32 {
        self.resumed
    }

    /// The wheel's tick of a time to come.
    #[must_use]
    pub const fn tick_of(&self, time: u32) -> u32 {
        time.saturating_add(self.blind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_nothing_is_read() {
        let mut sight = Sight::default();
        assert_eq!((sight.now(100), sight.tick_of(100)), (100, 100));
        sight.close(100);
        sight.close(120);
        assert_eq!(sight.now(150), 100);
        sight.open(160);
        assert_eq!((sight.now(160), sight.now(170)), (100, 110));
        assert_eq!((sight.resumed(), sight.resumed_tick()), (100, 160));
        assert_eq!(sight.tick_of(110), 170);
        sight.open(180);
        assert_eq!(sight.resumed_tick(), 160, "it saw already");
    }

    #[test]
    fn what_was_apart_before_is_as_far_apart_afterwards() {
        let mut sight = Sight::default();
        let stamps = [10, 17, 60].map(|tick| sight.now(tick));
        sight.close(70);
        sight.open(95);
        assert_eq!(stamps.map(|stamp| sight.tick_of(stamp + 500)), [535, 542, 585]);
    }
}
