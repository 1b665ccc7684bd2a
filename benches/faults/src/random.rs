//! Numbers that look random and are the same for the same seed.

/// A generator (SplitMix64, Steele, Lea and Flood 2014): any seed is a good one.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// One that depends on all of `words`.
    pub fn of(words: &[u64]) -> Self {
        let mut seed = 0;
        for word in words {
            seed = Self(seed ^ word).number();
        }
        Self(seed)
    }

    /// The next 64 bits.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub fn up_to(&mut self, limit: u64) -> u64 {
        self.number().checked_rem(limit).unwrap_or(0)
    }

    /// The same for sizes of what is in memory.
    pub fn size(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(self.up_to(limit)).unwrap_or(0)
    }

    /// A number from `from` on, below `to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.up_to(to.saturating_sub(from))
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.up_to(100) < percent
    }

    /// One of `choices`, if there are any.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.size(choices.len()))
    }
}

/// A number that stands for `text` (FNV-1a).
pub fn number_of(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    text.bytes().fold(start, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
