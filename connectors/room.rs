//! A part of the memory for what is under way, taken while bytes come in.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A part of `buffer_memory` that was taken for bytes which are still coming in; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    budget: Arc<Semaphore>,
    max: usize,
    taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// An empty part of a budget of `max` bytes.
    pub(crate) const fn new(budget: Arc<Semaphore>, max: usize) -> Self {
        Self { budget, max, taken: None }
    }

    /// The same with what was taken elsewhere.
    pub(crate) fn with(self, taken: OwnedSemaphorePermit) -> Self {
        Self { taken: Some(taken), ..self }
    }

    /// Bytes that are taken.
    fn bytes(&self) -> usize {
        self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Takes so many bytes more, if there are so many; together never more than the whole budget, so that what is larger
    /// passes alone.
    #[must_use]
    pub fn grow(&mut self, bytes: usize) -> bool {
        let wanted = bytes.min(self.max.saturating_sub(self.bytes()));
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.budget).try_acquire_many_owned(wanted) else {
            return false;
        };
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }

    /// What a batch of so many bytes takes along. What is missing (the batch has more than its bytes) is added where it
    /// is there; nobody waits for it who holds something.
    pub(crate) fn split(&mut self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let missing = bytes.saturating_sub(self.bytes());
        // An error is that the batch goes with less than its size: what came in is covered.
        let _is_covered = missing == 0 || self.grow(missing);
        let have = self.bytes().min(bytes);
        self.taken.as_mut().and_then(|taken| taken.split(have))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Emitter, Headers};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn what_is_still_coming_in_is_part_of_the_budget_and_goes_along_with_its_batch() {
        let (inlet, mut outlet) = mpsc::channel(8);
        let budget = Arc::new(Semaphore::new(1000));
        let emitter = Emitter::new(
            "s",
            [inlet].into(),
            (Arc::clone(&budget), 1000),
            Vec::new(),
            Arc::default(),
        );
        let (mut room, mut other) = (emitter.room(), emitter.room());
        assert!(room.grow(400) && room.grow(200) && !other.grow(500) && other.grow(100));
        assert_eq!(budget.available_permits(), 300);
        drop(other);
        let batch = Batch::new(vec![0; 500].into(), Headers::new(), 0, 0);
        emitter.send_in(batch, &mut room).await.unwrap();
        drop(room);
        assert_eq!(budget.available_permits(), 500);
        drop(outlet.recv().await.unwrap());
        assert_eq!(budget.available_permits(), 1000);
        // What is larger than all of it takes all of it.
        let mut room = emitter.room();
        assert!(room.grow(700) && room.grow(700) && room.grow(700));
        assert_eq!(budget.available_permits(), 0);
    }
}
