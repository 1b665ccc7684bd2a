//! Appends on their way from the producer's workers to the thread that owns the client, bounded in bytes.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::time::Instant;

use crate::hub::Part;
use crate::kafka::Batch;

/// Parts for one partition, or parts that only have positions.
#[derive(Debug)]
pub(super) struct Job {
    /// Where to; empty when there are only positions.
    pub(super) topic: String,
    /// Its partition.
    pub(super) partition: i32,
    /// The records and positions; only positions when the records are encoded.
    pub(super) parts: Vec<Part>,
    /// The records, encoded.
    pub(super) batches: Vec<Batch>,
    /// Bytes that it holds.
    pub(super) bytes: usize,
    records: usize,
}

impl Job {
    pub(super) fn new(topic: &str, partition: i32, parts: Vec<Part>) -> Self {
        let bytes = parts.iter().map(|part| part.batch.size_bytes()).sum();
        let records = parts.iter().map(|part| part.batch.len()).sum();
        let topic = topic.to_owned();
        Self { topic, partition, parts, batches: Vec::new(), bytes, records }
    }

    /// Takes its records as `batches`; its parts give their memory back.
    pub(super) fn encoded(mut self, batches: Vec<Batch>) -> Self {
        self.batches = batches;
        self.parts.iter_mut().for_each(Part::release);
        self
    }

    /// How many records it has.
    pub(super) fn records(&self) -> usize {
        self.records
    }
}

/// What a taker finds.
#[derive(Debug)]
pub(super) enum Taken {
    /// The next.
    Job(Job),
    /// None came in time.
    Nothing,
    /// None will come any more.
    Closed,
}

/// A queue with many writers and one reader. A job larger than the bound passes alone.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    give_up_at: Option<Instant>,
    ended: bool,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), bytes_max }
    }

    /// Adds a job, waiting for room. After the close its parts are told that they are not stored.
    pub(super) fn push(&self, job: Job) {
        let mut state = self.lock();
        self.changed.wait_while(&mut state, |state| {
            state.give_up_at.is_none()
                && state.bytes > 0
                && state.bytes + job.bytes > self.bytes_max
        });
        if state.give_up_at.is_none() {
            state.bytes += job.bytes;
            state.jobs.push_back(job);
            self.changed.notify_all();
        }
    }

    /// The next job, waiting for it at most until `deadline`.
    pub(super) fn take(&self, deadline: Instant) -> Taken {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.bytes -= job.bytes;
                self.changed.notify_all();
                return Taken::Job(job);
            }
            if state.give_up_at.is_some() {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            self.changed.wait_for(&mut state, left);
        }
    }

    /// Takes nothing more in; what is there may still be stored within `grace`.
    pub(super) fn close(&self, grace: Duration) {
        let mut state = self.lock();
        let at = Instant::now() + grace;
        state.give_up_at = Some(state.give_up_at.map_or(at, |before| before.min(at)));
        self.changed.notify_all();
    }

    /// Whether the reader's time is over.
    pub(super) fn is_over(&self) -> bool {
        self.lock().give_up_at.is_some_and(|at| Instant::now() >= at)
    }

    /// Lets the reader rest, but not beyond the end of its time.
    pub(super) fn rest(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let end = state.give_up_at.map_or(until, |at| at.min(until));
            if now >= end {
                return;
            }
            self.changed.wait_for(&mut state, end - now);
        }
    }

    /// The reader says that it has gone.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.give_up_at.get_or_insert_with(Instant::now);
        state.jobs.clear();
        state.ended = true;
        self.changed.notify_all();
    }

    /// Waits at most `limit` for the reader to go; whether it has.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        self.changed.wait_while_for(&mut state, |state| !state.ended, limit);
        state.ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn job(bytes: usize) -> Job {
        let (parts, batches) = (Vec::new(), Vec::new());
        Job { topic: "t".to_owned(), partition: 0, parts, batches, bytes, records: 0 }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[test]
    fn a_full_queue_holds_its_writers_back_until_something_is_taken() {
        let queue = Arc::new(Queue::new(10));
        queue.push(job(8));
        let writer = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || queue.push(job(8)))
        };
        assert!(matches!(queue.take(soon()), Taken::Job(_)));
        assert!(matches!(queue.take(soon()), Taken::Job(_)));
        writer.join().unwrap();
        assert!(matches!(queue.take(Instant::now()), Taken::Nothing));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_takes_nothing() {
        let queue = Queue::new(10);
        queue.push(job(1));
        queue.close(Duration::ZERO);
        queue.push(job(1));
        assert!(matches!(queue.take(soon()), Taken::Job(_)));
        assert!(matches!(queue.take(soon()), Taken::Closed));
        assert!(queue.is_over());
    }
}
