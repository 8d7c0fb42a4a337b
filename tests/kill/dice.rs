//! Chance that can be repeated.

/// Random numbers that are the same everywhere (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to just below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// One of these.
    pub(crate) fn choose<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        let count = choices.len() as u64;
        let index = usize::try_from(self.below(count.max(1))).unwrap_or_default();
        choices.get(index).cloned()
    }
}
