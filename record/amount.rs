//! How many records, and how many bytes they are.

use std::ops::{Add, AddAssign, Sub, SubAssign};

/// Records and their bytes. Which bytes is said where an amount is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Amount {
    /// Nothing.
    pub const NONE: Self = Self { records: 0, bytes: 0 };

    /// So many records of so many bytes.
    #[must_use]
    pub const fn new(records: u64, bytes: u64) -> Self {
        Self { records, bytes }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self::new(self.records.saturating_add(more.records), self.bytes.saturating_add(more.bytes))
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

/// Less than nothing is nothing.
impl Sub for Amount {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self::new(self.records.saturating_sub(less.records), self.bytes.saturating_sub(less.bytes))
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, less: Self) {
        *self = *self - less;
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::NONE, Add::add)
    }
}
