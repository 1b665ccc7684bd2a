//! What of the memory each sink may hold: its part, which is always there, so that no sink waits for another one.
//!
//! A sink that is down keeps what it has in hand for as long as that takes. So the memory of sinks is not given to whoever
//! comes first but shared out evenly among all deliveries, and each fetches no more than fits into its part. One batch
//! that is larger is fetched all the same; it counts, and others have less until it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anabranch_connectors::Memory;
use anabranch_connectors::contract::memory::{Part, Taken};

/// What was fetched is held decompressed, beside what it is decompressed from, as what is sent, and compressed again.
const COPIES: usize = 4;
/// Of these, what stays while a far side is waited for.
const HELD: usize = 2;
/// Least of a fetch, bytes.
const LEAST: usize = 16 << 10;

/// The part of one delivery; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    deliveries: Arc<AtomicUsize>,
    held: Taken,
}

impl Share {
    /// One more part of `memory`, beside all that were made with the same count.
    #[must_use]
    pub fn new(memory: &Memory, deliveries: &Arc<AtomicUsize>) -> Self {
        deliveries.fetch_add(1, Ordering::Relaxed);
        let held = memory.nothing(Part::Sinks);
        Self { memory: memory.clone(), deliveries: Arc::clone(deliveries), held }
    }

    /// Bytes to fetch where `wanted` are.
    #[must_use]
    pub fn window(&self, wanted: usize) -> usize {
        let deliveries = self.deliveries.load(Ordering::Relaxed).max(1);
        let most = self.memory.max(Part::Sinks) / deliveries / COPIES;
        wanted.min(most.max(LEAST))
    }

    /// Notes that so many bytes are in hand, decompressed.
    pub fn hold(&mut self, bytes: usize) {
        self.held.set(bytes.saturating_mul(HELD));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.deliveries.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_all_deliveries_fit_into_the_memory_of_sinks() {
        let memory = Memory::planned(64 << 20, None);
        let count = Arc::default();
        let mut shares: Vec<Share> = (0..20).map(|_| Share::new(&memory, &count)).collect();
        for share in &mut shares {
            let window = share.window(1 << 20);
            assert!((LEAST..1 << 20).contains(&window), "{window}");
            share.hold(window);
        }
        let held = memory.held(Part::Sinks);
        assert!(held <= memory.max(Part::Sinks), "{held}");
        drop(shares.split_off(1));
        assert_eq!(shares.first().map(|share| share.window(1 << 20)), Some(1 << 20));
        drop(shares);
        assert_eq!(memory.held(Part::Sinks), 0);
    }
}
