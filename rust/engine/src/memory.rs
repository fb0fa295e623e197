//! How much of the memory is taken, and what a shard does about it.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Resident memory is looked at this often at most, in ticks (100 ms).
const LOOK: u32 = 2;

/// Freed memory is given back to the kernel this often at most, in ticks (1 s).
const TRIM: u32 = 20;

/// Each includes what is done at the ones before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Room enough.
    #[default]
    None,
    /// 75 %: nobody new is let in.
    Refuse,
    /// 85 %: who reads slowest is closed.
    Shed,
    /// 92 %: nothing is read.
    Stop,
}

impl Pressure {
    /// At `used` bytes of `limit`.
    #[must_use]
    pub fn at(used: u64, limit: u64) -> Self {
        let share = |percent: u64| limit / 100 * percent;
        match used {
            _ if used >= share(92) => Self::Stop,
            _ if used >= share(85) => Self::Shed,
            _ if used >= share(75) => Self::Refuse,
            _ => Self::None,
        }
    }
}

/// What a shard knows of the process's memory.
#[derive(Debug)]
pub struct Ceiling {
    limit: u64,
    statm: Option<File>,
    /// From this tick on it is time to look again.
    look_from: u32,
    trimmed: u32,
    pressure: Pressure,
}

impl Ceiling {
    /// A bound of `limit` bytes of resident memory; 0: none. Opened by the shard's own thread,
    /// which has a file table of its own.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        let statm = (limit > 0).then(|| File::open("/proc/self/statm").ok()).flatten();
        Self { limit, statm, look_from: 0, trimmed: 0, pressure: Pressure::None }
    }

    /// What was found at the last look.
    #[must_use]
    pub fn pressure(&self) -> Pressure {
        self.pressure
    }

    /// Looks again if it is time to. Returns the pressure where it did.
    pub fn look(&mut self, tick: u32) -> Option<Pressure> {
        let statm = self.statm.as_ref()?;
        if tick < self.look_from {
            return None;
        }
        self.look_from = tick.saturating_add(LOOK);
        let mut text = [0; 128];
        let read = statm.read_at(&mut text, 0).ok()?;
        let pages = resident_pages(text.get(..read)?)?;
        self.pressure = Pressure::at(pages * crate::sys::page_bytes(), self.limit);
        Some(self.pressure)
    }

    /// Whether it is time to give freed memory back.
    pub fn trims(&mut self, tick: u32) -> bool {
        let due = tick >= self.trimmed.saturating_add(TRIM);
        if due {
            self.trimmed = tick;
        }
        due
    }
}

/// What a list keeps when it is cut: places for so many.
const KEPT: usize = 64;

/// Lets go of what a list does not need by far. Returns the bytes.
pub fn cut<T>(list: &mut Vec<T>) -> usize {
    let before = list.capacity();
    list.shrink_to(KEPT);
    (before - list.capacity()) * size_of::<T>()
}

/// The second number of `/proc/self/statm`.
fn resident_pages(statm: &[u8]) -> Option<u64> {
    str::from_utf8(statm).ok()?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_rises_in_three_steps() {
        let at = |used| Pressure::at(used, 1_000);
        assert_eq!(at(749), Pressure::None);
        assert_eq!([at(750), at(850), at(920)], [Pressure::Refuse, Pressure::Shed, Pressure::Stop]);
        assert!(Pressure::Stop > Pressure::Refuse);
    }

    #[test]
    fn resident_memory_is_the_second_number() {
        assert_eq!(resident_pages(b"1000 250 30 1 0 5 0\n"), Some(250));
        assert_eq!(resident_pages(b""), None);
    }

    #[test]
    fn a_look_costs_a_system_call_every_other_tick_at_most() {
        let mut ceiling = Ceiling::new(1);
        assert_eq!(ceiling.look(0), Some(Pressure::Stop), "this process has more than a byte");
        assert_eq!((ceiling.look(1), ceiling.pressure()), (None, Pressure::Stop));
        assert_eq!(Ceiling::new(0).look(100), None);
        assert_eq!(Ceiling::new(u64::MAX).look(0), Some(Pressure::None));
    }
}
