//! Where a batch is cut.

use std::sync::atomic::{AtomicU64, Ordering};

/// A record of a batch, by its number, and where it begins: parts of a batch are counted one behind the other, and none of
/// them walks over those before it again.
#[derive(Debug, Default)]
pub struct Cut(AtomicU64);

impl Cut {
    /// A record at most `index`, and where it begins.
    pub(crate) fn before(&self, index: usize) -> (usize, usize) {
        let known = self.0.load(Ordering::Relaxed);
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0) as usize;
        let (number, at) = (half(known >> 32), half(known));
        if number <= index { (number, at) } else { (0, 0) }
    }

    pub(crate) fn set(&self, index: usize, at: usize) {
        if let (Ok(index), Ok(at)) = (u32::try_from(index), u32::try_from(at)) {
            self.0.store(u64::from(index) << 32 | u64::from(at), Ordering::Relaxed);
        }
    }
}
