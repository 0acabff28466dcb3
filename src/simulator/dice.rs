//! What the seed decides.

use std::time::Duration;

/// The same seed rolls the same numbers.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed);
        Self(dice.next() ^ seed.rotate_left(32))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `from` to `to`, both included.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % (to - from + 1)
    }

    /// Whether it happens: in so many of a hundred cases.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    /// One of `these`.
    pub(super) fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.between(0, these.len() as u64 - 1) as usize]
    }

    /// A time from `from` to `to`, of which short ones are as likely as long ones.
    pub(super) fn span(&mut self, from: Duration, to: Duration) -> Duration {
        let (low, high) = (from.as_secs_f64().max(0.001).ln(), to.as_secs_f64().ln());
        let share = self.between(0, 1_000_000) as f64 / 1e6;
        Duration::from_millis((((high - low) * share + low).exp() * 1e3) as u64)
    }
}
