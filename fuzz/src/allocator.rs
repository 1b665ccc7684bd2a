//! Counts what is allocated, so that a claim which makes room is seen.

#![expect(unsafe_code, reason = "an allocator is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

/// Beyond it there is nothing to measure: the allocation fails, and the process ends.
const IMPOSSIBLE: usize = 8 << 30;

static LIVE: AtomicIsize = AtomicIsize::new(0);
static BASE: AtomicIsize = AtomicIsize::new(0);
static PEAK: AtomicIsize = AtomicIsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Counting;

fn count(size: usize, change: isize) {
    let live = LIVE.fetch_add(change, Ordering::Relaxed) + change;
    if change > 0 {
        PEAK.fetch_max(live, Ordering::Relaxed);
        LARGEST.fetch_max(size, Ordering::Relaxed);
    }
}

// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > IMPOSSIBLE {
            return std::ptr::null_mut();
        }
        count(layout.size(), layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > IMPOSSIBLE {
            return std::ptr::null_mut();
        }
        count(layout.size(), layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > IMPOSSIBLE {
            return std::ptr::null_mut();
        }
        count(size, size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Begins to measure.
pub(crate) fn reset() {
    let live = LIVE.load(Ordering::Relaxed);
    BASE.store(live, Ordering::Relaxed);
    PEAK.store(live, Ordering::Relaxed);
    LARGEST.store(0, Ordering::Relaxed);
}

/// Since [`reset`]: the largest single allocation, and the most that was there at once beyond what was before, bytes.
pub(crate) fn measured() -> (usize, usize) {
    let peak = PEAK.load(Ordering::Relaxed) - BASE.load(Ordering::Relaxed);
    (LARGEST.load(Ordering::Relaxed), usize::try_from(peak).unwrap_or(0))
}
