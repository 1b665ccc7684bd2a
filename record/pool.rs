//! Buffers that are used again, so that a steady stream of batches allocates nothing.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use parking_lot::Mutex;

/// Keeps a few returned buffers for the next taker.
#[derive(Debug, Clone)]
pub struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
    keep: usize,
    capacity_max: usize,
}

impl Pool {
    /// Keeps at most `keep` buffers, none larger than `capacity_max` bytes.
    #[must_use]
    pub fn new(keep: usize, capacity_max: usize) -> Self {
        Self { free: Arc::default(), keep, capacity_max }
    }

    /// An empty buffer, with the capacity that it had in its last life.
    #[must_use]
    pub fn take(&self) -> Buffer {
        let mut buffer = self.take_as_is();
        buffer.clear();
        buffer
    }

    /// A buffer with whatever its last user left in it, for one that overwrites: what is there already need not be
    /// filled with zeros to be written to.
    #[must_use]
    pub fn take_as_is(&self) -> Buffer {
        let data = self.free.lock().pop();
        Buffer { data: data.unwrap_or_default(), pool: Some(self.clone()) }
    }

    /// Drops what is kept; for a source that has gone idle.
    pub fn clear(&self) {
        self.free.lock().clear();
    }

    fn give_back(&self, data: Vec<u8>) {
        if data.capacity() == 0 || data.capacity() > self.capacity_max {
            return;
        }
        let mut free = self.free.lock();
        if free.len() < self.keep {
            free.push(data);
        }
    }
}

/// Bytes that go back to their [`Pool`] when they are dropped.
#[derive(Debug, Default)]
pub struct Buffer {
    data: Vec<u8>,
    pool: Option<Pool>,
}

impl Buffer {
    /// What is kept while it is on its way: this one, or a copy when most of it would lie idle, since memory is counted by
    /// what is in it.
    #[must_use]
    pub fn fitted(self) -> Self {
        if self.len() * 4 < self.capacity() { Self::from(self.to_vec()) } else { self }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(data: Vec<u8>) -> Self {
        Self { data, pool: None }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.data
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(std::mem::take(&mut self.data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_taken_again_empty_and_only_so_many_are_kept() {
        let pool = Pool::new(1, 1 << 20);
        let (mut first, second) =
            (pool.take(), Buffer { data: vec![1; 10], pool: Some(pool.clone()) });
        first.extend_from_slice(&[7; 1000]);
        let capacity = first.capacity();
        drop(first);
        drop(second);
        let again = pool.take();
        assert_eq!((again.len(), again.capacity()), (0, capacity));
        assert_eq!(pool.take().capacity(), 0);
    }
}
