//! Keeps a file that is written from filling the page cache: its bytes go to the disk soon and leave memory behind.
//!
//! Nobody reads most of what a sink writes, so in memory it would only push out what others need, and each page of it
//! would be a fresh one: on a virtual machine a page that the host has to provide costs more than all else that is
//! done for the bytes in it. The end of each file stays in memory for those who follow it.
//!
//! All of it is advice: it makes nothing durable, and what a system does not do costs no more than memory.

use std::fs::File;
use std::num::NonZeroU64;
use std::ops::Range;

use rustix::fs::{Advice, fadvise};

/// Bytes that are handed to the disk at a time. The largest page that a file system uses divides it.
const STEP: u64 = 8 << 20;
/// Bytes at the end that stay in memory.
const KEEP: u64 = 16 << 20;
/// Bytes that are tried again: what was still on its way to the disk could not be let go.
const AGAIN: u64 = 64 << 20;

/// How far a file has been handed to the disk.
///
/// Invariant: a multiple of [`STEP`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Trail {
    begun: u64,
    first: u64,
}

impl Trail {
    /// A file of `length` bytes whose pages are nobody's business but their readers'.
    pub(super) const fn at(length: u64) -> Self {
        let begun = length - length % STEP;
        Self { begun, first: begun }
    }

    /// The file is `length` bytes long now.
    pub(super) fn follow(&mut self, file: &File, length: u64) {
        for range in self.advance(length).into_iter().flatten() {
            if let Some(bytes) = NonZeroU64::new(range.end.saturating_sub(range.start)) {
                // Pipes, devices and some file systems take no advice.
                fadvise(file, range.start, Some(bytes), Advice::DontNeed).ok();
            }
        }
    }

    /// What is to be handed to the disk and what is to be let go; by the same advice, which lets go what is on the disk
    /// and sends, without waiting, what is not.
    fn advance(&mut self, length: u64) -> Option<[Range<u64>; 2]> {
        if length < self.begun {
            *self = Self::at(length);
        }
        let end = length - length % STEP;
        if end == self.begun {
            return None;
        }
        let oldest = self.first.max(self.begun.saturating_sub(KEEP + AGAIN));
        let ranges = [self.begun..end, oldest..end.saturating_sub(KEEP)];
        self.begun = end;
        Some(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_is_handed_to_the_disk_once_and_only_the_end_and_what_was_there_before_stay_in_memory(
            before in 0u64..100 << 20, steps in prop::collection::vec(0u64..40 << 20, 1..60),
        ) {
            let (mut trail, mut length) = (Trail::at(before), before);
            let (mut handed, mut left) = (before - before % STEP, before - before % STEP);
            for step in steps {
                length += step;
                let Some([hand, leave]) = trail.advance(length) else { continue };
                prop_assert_eq!(hand.start, handed);
                prop_assert!(hand.end <= length && hand.end + STEP > length);
                handed = hand.end;
                if leave.is_empty() { continue }
                prop_assert!(leave.start <= left && leave.start >= before - before % STEP);
                prop_assert!(leave.end + KEEP <= length && leave.end + KEEP + STEP > length);
                left = leave.end;
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_is_followed_from_its_new_end() {
        let mut trail = Trail::at(0);
        assert_eq!(trail.advance(100 << 20).unwrap()[1], 0..80 << 20);
        assert_eq!(trail.advance(1), None);
        assert_eq!(trail.advance(30 << 20).unwrap(), [0..24 << 20, 0..8 << 20]);
    }
}
