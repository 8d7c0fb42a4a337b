//! Chance without chance.

/// Random numbers that are the same everywhere (SplitMix64).
pub(in crate::sim) struct Dice(pub(in crate::sim) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 99.
    pub(in crate::sim) fn percent(&mut self) -> u64 {
        self.roll() % 100
    }

    /// From 0 to just below `count`.
    #[allow(clippy::cast_possible_truncation)] // the remainder is below a usize
    pub(in crate::sim) fn below(&mut self, count: usize) -> usize {
        (self.roll() % count as u64) as usize
    }

    /// From `from` to just below `to`.
    pub(in crate::sim) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + (self.roll() % from.abs_diff(to)).cast_signed()
    }

    /// From `-most` to just below `most`.
    pub(in crate::sim) fn signed(&mut self, most: i64) -> i64 {
        self.between(-most, most)
    }

    /// So many letters and digits, as ids have them.
    pub(in crate::sim) fn letters(&mut self, count: usize) -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..count).map(|_| char::from(LETTERS[self.below(36)])).collect()
    }

    /// One of the choices, by weight.
    pub(in crate::sim) fn weighted<T: Copy>(&mut self, choices: &[(T, u64)]) -> T {
        let mut left = self.roll() % choices.iter().map(|(_, weight)| weight).sum::<u64>();
        for (choice, weight) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        choices[0].0
    }
}
