//! A hashed timer wheel (Varghese and Lauck, scheme 6), intrusive and lazily re-armed.
//!
//! Every connection stands in exactly one bucket, linked through its own slot, so an entry costs
//! twelve bytes and no allocation. Traffic never touches the wheel: it only stamps the slot. When
//! a bucket comes round, the shard looks at the stamps, acts on what is due, and puts the rest
//! where it belongs now. Deadlines further away than one revolution simply come round again.

/// Buckets of the wheel: with 50 ms ticks one revolution takes 51 s.
const BUCKETS: u32 = 1_024;

/// The end of a list.
pub const NONE: u32 = u32::MAX;

/// The links that a slot lends to the wheel.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    next: u32,
    prev: u32,
    /// The tick for which the entry was armed; its bucket follows from it.
    armed: u32,
}

impl Links {
    /// Links of a slot that is in no bucket.
    pub const UNLINKED: Self = Self { next: NONE, prev: NONE, armed: NONE };

    /// Whether the slot is in a bucket.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.armed != NONE
    }

    /// The tick for which the entry was armed.
    #[must_use]
    pub fn armed(&self) -> u32 {
        self.armed
    }
}

/// Whoever owns the slots lends their links.
pub trait Linked {
    /// The links of slot `index`, which is in the wheel or about to be.
    fn links(&mut self, index: u32) -> &mut Links;
}

/// The wheel of one shard.
#[derive(Debug)]
pub struct Wheel {
    heads: Vec<u32>,
    /// The next tick whose bucket has not been visited.
    tick: u32,
}

impl Wheel {
    /// An empty wheel that has seen every tick before `tick`.
    #[must_use]
    pub fn new(tick: u32) -> Self {
        Self { heads: vec![NONE; BUCKETS as usize], tick }
    }

    /// Puts slot `index` where it comes round at tick `at` (at the earliest at the next one).
    pub fn arm<T: Linked>(&mut self, slots: &mut T, index: u32, at: u32) {
        self.disarm(slots, index);
        let at = at.max(self.tick);
        let Some(head) = self.heads.get_mut((at % BUCKETS) as usize) else { return };
        let next = std::mem::replace(head, index);
        *slots.links(index) = Links { next, prev: NONE, armed: at };
        if next != NONE {
            slots.links(next).prev = index;
        }
    }

    /// Takes slot `index` out, if it is in.
    pub fn disarm<T: Linked>(&mut self, slots: &mut T, index: u32) {
        let links = std::mem::replace(slots.links(index), Links::UNLINKED);
        if !links.is_linked() {
            return;
        }
        if links.next != NONE {
            slots.links(links.next).prev = links.prev;
        }
        if links.prev != NONE {
            slots.links(links.prev).next = links.next;
        } else if let Some(head) = self.heads.get_mut((links.armed % BUCKETS) as usize) {
            *head = links.next;
        }
    }

    /// Empties the buckets up to tick `now` into `due`. Entries of later revolutions come along;
    /// the caller looks at each and arms it again.
    pub fn advance<T: Linked>(&mut self, slots: &mut T, now: u32, due: &mut Vec<u32>) {
        let steps = (now + 1).saturating_sub(self.tick).min(BUCKETS);
        for step in 0..steps {
            let bucket = (self.tick.wrapping_add(step) % BUCKETS) as usize;
            let Some(head) = self.heads.get_mut(bucket) else { continue };
            let mut index = std::mem::replace(head, NONE);
            while index != NONE {
                due.push(index);
                index = std::mem::replace(slots.links(index), Links::UNLINKED).next;
            }
        }
        self.tick = self.tick.max(now + 1);
    }

    /// The first tick from now on whose bucket is not empty.
    #[must_use]
    pub fn next_tick(&self) -> Option<u32> {
        let occupied = |step: &u32| {
            let bucket = (self.tick.wrapping_add(*step) % BUCKETS) as usize;
            self.heads.get(bucket).is_some_and(|&head| head != NONE)
        };
        (0..BUCKETS).find(occupied).map(|step| self.tick + step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Slots(Vec<Links>);

    impl Linked for Slots {
        fn links(&mut self, index: u32) -> &mut Links {
            &mut self.0[index as usize]
        }
    }

    fn given(n: usize) -> (Wheel, Slots) {
        (Wheel::new(0), Slots(vec![Links::UNLINKED; n]))
    }

    fn advance(wheel: &mut Wheel, slots: &mut Slots, now: u32) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.advance(slots, now, &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn an_entry_comes_round_at_its_tick_and_once() {
        let (mut wheel, mut slots) = given(3);
        wheel.arm(&mut slots, 0, 5);
        wheel.arm(&mut slots, 1, 5);
        wheel.arm(&mut slots, 2, 9);
        assert_eq!(wheel.next_tick(), Some(5));
        assert_eq!(advance(&mut wheel, &mut slots, 4), []);
        assert_eq!(advance(&mut wheel, &mut slots, 5), [0, 1]);
        assert_eq!(advance(&mut wheel, &mut slots, 100), [2]);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn disarming_takes_out_head_middle_and_tail() {
        for gone in 0..3 {
            let (mut wheel, mut slots) = given(3);
            (0..3).for_each(|index| wheel.arm(&mut slots, index, 7));
            wheel.disarm(&mut slots, gone);
            let left: Vec<u32> = (0..3).filter(|&index| index != gone).collect();
            assert_eq!(advance(&mut wheel, &mut slots, 7), left);
        }
    }

    #[test]
    fn a_deadline_in_the_past_comes_round_at_the_next_tick() {
        let (mut wheel, mut slots) = given(1);
        advance(&mut wheel, &mut slots, 50);
        wheel.arm(&mut slots, 0, 3);
        assert_eq!(wheel.next_tick(), Some(51));
        assert_eq!(advance(&mut wheel, &mut slots, 51), [0]);
    }

    #[test]
    fn a_far_deadline_comes_round_each_revolution_with_its_tick_intact() {
        let (mut wheel, mut slots) = given(1);
        wheel.arm(&mut slots, 0, 3 * BUCKETS + 1);
        assert_eq!(slots.0[0].armed(), 3 * BUCKETS + 1);
        assert_eq!(advance(&mut wheel, &mut slots, 1), [0], "the caller arms it again");
    }

    #[test]
    fn a_long_pause_visits_each_bucket_once() {
        let (mut wheel, mut slots) = given(2);
        wheel.arm(&mut slots, 0, 10);
        wheel.arm(&mut slots, 1, 900);
        assert_eq!(advance(&mut wheel, &mut slots, 10 * BUCKETS), [0, 1]);
    }
}
