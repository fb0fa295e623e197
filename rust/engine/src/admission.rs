//! Who gets in: token buckets for what newcomers cost, before anything is spent on them.
//!
//! A bucket counts in thousandths, so that a rate a second and a clock in milliseconds need no
//! fractions. Time is an argument.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Addresses that are remembered at most; who has been quiet is forgotten first (I8).
const ADDRESSES: usize = 65_536;

/// What a bucket gains, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second; 0: no limit.
    pub per_second: u32,
    /// Tokens that can be saved up.
    pub burst: u32,
}

impl Rate {
    /// No limit.
    pub const OFF: Self = Self { per_second: 0, burst: 0 };

    /// The part of one of `shards`: connections are spread over them evenly enough.
    #[must_use]
    pub fn share(self, shards: usize) -> Self {
        let shards = u32::try_from(shards).unwrap_or(u32::MAX).max(1);
        Self { per_second: self.per_second.div_ceil(shards), burst: self.burst.div_ceil(shards) }
    }
}

/// A token bucket, full at first.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Thousandths of a token; below 0 while a debt is paid off.
    level: i64,
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate, now_ms: u64) -> Self {
        Self { level: i64::from(rate.burst) * 1_000, at_ms: now_ms }
    }

    fn refill(&mut self, rate: Rate, now_ms: u64) {
        let gone_ms = i64::try_from(now_ms.saturating_sub(self.at_ms)).unwrap_or(i64::MAX);
        let gained = i64::from(rate.per_second).saturating_mul(gone_ms);
        self.level = self.level.saturating_add(gained).min(i64::from(rate.burst) * 1_000);
        self.at_ms = self.at_ms.max(now_ms);
    }

    /// How many can be taken now; without a rate, as many as one likes.
    pub fn tokens(&mut self, rate: Rate, now_ms: u64) -> usize {
        if rate.per_second == 0 {
            return usize::MAX;
        }
        self.refill(rate, now_ms);
        usize::try_from(self.level / 1_000).unwrap_or(0)
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, rate: Rate, now_ms: u64) -> bool {
        if rate.per_second == 0 {
            return true;
        }
        let enough = self.tokens(rate, now_ms) > 0;
        if enough {
            self.level -= 1_000;
        }
        enough
    }

    /// Takes `tokens` whether or not they are there: the cost is known only afterwards.
    pub fn spend(&mut self, rate: Rate, tokens: usize, now_ms: u64) {
        if rate.per_second > 0 {
            self.refill(rate, now_ms);
            let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
            self.level = self.level.saturating_sub(tokens.saturating_mul(1_000));
        }
    }

    /// Whether more was spent than there was, and it has not been made up for.
    pub fn is_in_debt(&mut self, rate: Rate, now_ms: u64) -> bool {
        self.refill(rate, now_ms);
        rate.per_second > 0 && self.level < 0
    }

    /// Milliseconds until what was spent beyond the burst is made up for; 0: nothing is owed.
    pub fn owes_ms(&mut self, rate: Rate, now_ms: u64) -> u64 {
        if !self.is_in_debt(rate, now_ms) {
            return 0;
        }
        self.level.unsigned_abs().div_ceil(u64::from(rate.per_second))
    }

    fn is_full(&mut self, rate: Rate, now_ms: u64) -> bool {
        self.refill(rate, now_ms);
        self.level >= i64::from(rate.burst) * 1_000
    }
}

/// A bucket for each address that connects; shared by all shards, and not asked for loopback.
#[derive(Debug)]
pub struct Addresses {
    rate: Rate,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Addresses {
    /// Nobody has connected yet.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::default() }
    }

    /// Whether one more connection from `address` is welcome.
    #[must_use]
    pub fn welcomes(&self, address: IpAddr, now_ms: u64) -> bool {
        let address = site(address);
        if self.rate.per_second == 0 || address.is_loopback() {
            return true;
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES && !buckets.contains_key(&address) {
            buckets.retain(|_, bucket| !bucket.is_full(self.rate, now_ms));
            if buckets.len() >= ADDRESSES {
                // So many at once are no few hosts: the other rates are for them.
                buckets.clear();
            }
        }
        let bucket = buckets.entry(address).or_insert_with(|| Bucket::new(self.rate, now_ms));
        bucket.take(self.rate, now_ms)
    }
}

/// What counts as one address: a host by IPv4, a network of 64 bits by IPv6.
fn site(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Rate = Rate { per_second: 10, burst: 3 };

    #[test]
    fn a_burst_goes_through_and_then_the_rate_counts() {
        let mut bucket = Bucket::new(TEN, 0);
        let taken = |bucket: &mut Bucket, now| (0..9).filter(|_| bucket.take(TEN, now)).count();
        assert_eq!(bucket.tokens(TEN, 0), 3);
        assert_eq!(taken(&mut bucket, 0), 3);
        assert_eq!(taken(&mut bucket, 99), 0);
        assert_eq!(taken(&mut bucket, 100), 1);
        assert_eq!(taken(&mut bucket, 300), 2);
        assert_eq!(taken(&mut bucket, 60_000), 3, "no more is saved up than the burst");
    }

    #[test]
    fn without_a_rate_there_is_no_limit() {
        let mut bucket = Bucket::new(Rate::OFF, 0);
        assert!((0..1_000).all(|_| bucket.take(Rate::OFF, 0)));
        assert_eq!(bucket.tokens(Rate::OFF, 0), usize::MAX);
        bucket.spend(Rate::OFF, 1 << 40, 0);
        assert!(!bucket.is_in_debt(Rate::OFF, 0));
    }

    #[test]
    fn what_was_spent_beyond_the_burst_is_a_debt_until_it_is_made_up_for() {
        let mut bucket = Bucket::new(TEN, 0);
        bucket.spend(TEN, 3, 0);
        assert!(!bucket.is_in_debt(TEN, 0));
        assert_eq!(bucket.owes_ms(TEN, 0), 0);
        bucket.spend(TEN, 20, 0);
        assert_eq!(bucket.tokens(TEN, 0), 0);
        assert_eq!(bucket.owes_ms(TEN, 0), 2_000);
        assert_eq!(bucket.owes_ms(TEN, 1_999), 1);
        assert!(bucket.is_in_debt(TEN, 1_999));
        assert!(!bucket.is_in_debt(TEN, 2_000));
        bucket.spend(Rate::OFF, 20, 2_000);
        assert_eq!(bucket.owes_ms(Rate::OFF, 2_000), 0, "no rate, no debt");
    }

    #[test]
    fn each_address_has_its_own_bucket_and_a_network_of_ipv6_one() {
        let addresses = Addresses::new(TEN);
        let count = |address: &str| {
            let address: IpAddr = address.parse().expect("an address");
            (0..9).filter(|_| addresses.welcomes(address, 0)).count()
        };
        assert_eq!((count("192.0.2.1"), count("192.0.2.2")), (3, 3));
        assert_eq!(count("::ffff:192.0.2.1"), 0, "the same host");
        assert_eq!(
            (count("2001:db8::1"), count("2001:db8::2"), count("2001:db8:0:1::1")),
            (3, 0, 3)
        );
        assert_eq!((count("127.0.0.1"), count("::1")), (9, 9));
    }

    #[test]
    fn i8_addresses_are_bounded() {
        let addresses = Addresses::new(TEN);
        for number in 0..200_000_u32 {
            assert!(addresses.welcomes(IpAddr::V4((0x0a00_0000 + number).into()), 0));
        }
        assert!(addresses.buckets.lock().expect("not poisoned").len() <= ADDRESSES);
    }

    #[test]
    fn the_shares_of_all_shards_are_the_whole_at_least() {
        let share = Rate { per_second: 10, burst: 50 }.share(4);
        assert_eq!(share, Rate { per_second: 3, burst: 13 });
        assert_eq!(Rate::OFF.share(4), Rate::OFF);
    }
}
