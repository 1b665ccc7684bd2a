//! What passes between a member's reading thread and the delivery that it reads for: batches, bounded in bytes, and
//! word of each new assignment.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::StoredBatch;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::gather::Gathered;
use crate::hub::{Counted, Fetched, FetchedBatch, HubError, Offset};
use crate::ledger::progress::{Gaps, Progress};
use crate::ledger::tally::Fate;

/// How much may wait to be fetched, bytes.
const BYTES_MAX: usize = 8 << 20;

/// A partition that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) topic: String,
    pub(crate) partition: i32,
    /// The next offset to be committed or read after a restart.
    pub(super) committed: i64,
    /// The metadata that was committed with it; `None` when nothing was.
    pub(crate) metadata: Option<String>,
    /// The offset after the last record that was read.
    pub(super) read: i64,
    /// What has become of all before what is committed.
    pub(super) account: Progress,
    /// Offsets without a record that were read and are not committed.
    pub(super) gaps: Gaps,
}

impl Place {
    /// A partition that is read from `at` on, of which `kept` was committed there.
    pub(super) fn new((topic, partition): (&str, i32), at: i64, kept: Option<Progress>) -> Self {
        let (topic, account) = (topic.to_owned(), Progress::resumed(kept, at));
        let metadata = None;
        Self { topic, partition, committed: at, metadata, read: at, account, gaps: Gaps::default() }
    }

    /// What has become of all before `offset`, once that is committed.
    fn account_at(&self, offset: i64, counted: &[Counted]) -> Progress {
        let mut tally = self.gaps.before(offset);
        for one in counted {
            if one.topic == self.topic && one.partition == self.partition {
                tally.merge(&one.tally);
            }
        }
        self.account.after(offset, &tally)
    }
}

/// A wish to read on elsewhere, for the thread that reads.
#[derive(Debug)]
pub(super) struct Seek {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Is told the offset.
    pub(super) done: oneshot::Sender<Result<i64, HubError>>,
}

/// Between the two.
#[derive(Debug, Default)]
pub(super) struct Handover {
    state: Mutex<State>,
    room: Condvar,
    arrived: Notify,
    /// Held while offsets are committed and while the assignment changes, so that neither happens during the other.
    pub(super) turn: Mutex<Turn>,
}

/// Which assignment holds, and the sequence of the last commit.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) generation: u64,
    pub(super) sequence: i64,
    /// Partitions whose states were there when they were assigned, and are taken away by the next one.
    pub(super) older: Vec<(Offset, String)>,
}

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Arc<StoredBatch>>,
    bytes: usize,
    generation: u64,
    /// The assignment that who fetches knows of: what was fetched and is not committed belongs to it.
    known: u64,
    resumed: Option<Resumed>,
    places: Vec<Place>,
    error: Option<HubError>,
    seek: Option<Seek>,
    idle_since: Option<Instant>,
    /// Whether partitions, or none, were assigned since the last revocation.
    assigned: bool,
    closing: bool,
    ended: bool,
}

impl Handover {
    /// Adds a batch that was read under `generation`; it is dropped when that is over.
    pub(super) fn push(&self, Gathered { batch, gaps }: Gathered, generation: u64) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        let place = state
            .places
            .iter_mut()
            .find(|place| place.partition == batch.partition && place.topic == batch.topic.name);
        if let Some(place) = place {
            place.gaps.push(place.read, batch.base_offset, Fate::NoRecord);
            for (from, to) in gaps {
                place.gaps.push(from, to, Fate::NoRecord);
            }
            place.read = batch.next_offset;
        }
        state.idle_since = None;
        state.bytes += batch.data.len();
        state.batches.push_back(Arc::new(batch));
        self.arrived.notify_one();
    }

    /// Whether there is room for more, after waiting for it at most for `limit`.
    pub(super) fn has_room(&self, limit: Duration) -> bool {
        let is_full =
            |state: &mut State| state.bytes >= BYTES_MAX && !state.closing && state.seek.is_none();
        let mut state = self.lock();
        self.room.wait_while_for(&mut state, is_full, limit);
        !is_full(&mut state)
    }

    /// Asks the thread that reads to go on elsewhere.
    pub(super) fn ask(&self, seek: Seek) {
        self.lock().seek = Some(seek);
        self.room.notify_all();
    }

    /// What was asked, once it is known what is read.
    pub(super) fn asked(&self) -> Option<Seek> {
        let mut state = self.lock();
        if state.generation == 0 { None } else { state.seek.take() }
    }

    /// Whether something is asked.
    pub(super) fn is_asked(&self) -> bool {
        self.lock().seek.is_some()
    }

    /// Drops what waits of a partition, which is read from `offset` on now.
    pub(super) fn begin_at(&self, topic: &str, partition: i32, offset: i64) {
        let mut state = self.lock();
        state.batches.retain(|batch| batch.partition != partition || batch.topic.name != topic);
        state.bytes = state.batches.iter().map(|batch| batch.data.len()).sum();
        let mut places = state.places.iter_mut();
        if let Some(place) =
            places.find(|place| place.partition == partition && place.topic == topic)
        {
            place.read = offset;
        }
        state.idle_since = None;
    }

    /// Nothing has come for a while.
    pub(super) fn idle(&self) {
        self.lock().idle_since.get_or_insert_with(Instant::now);
    }

    /// A new assignment; what waits of the old one is dropped.
    pub(super) fn assign(&self, generation: u64, places: Vec<Place>, resumed: Resumed) {
        let mut state = self.lock();
        state.clear(generation);
        (state.places, state.resumed, state.assigned) = (places, Some(resumed), true);
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Whether there is an assignment, perhaps an empty one.
    pub(super) fn is_assigned(&self) -> bool {
        self.lock().assigned
    }

    /// There is no assignment now.
    pub(super) fn revoke(&self, generation: u64) {
        self.lock().clear(generation);
        self.room.notify_all();
    }

    /// Something that the next fetch should say.
    pub(super) fn fail(&self, error: HubError) {
        self.lock().error = Some(error);
        self.arrived.notify_one();
    }

    /// What has been read, about `bytes_max` of it, waiting at most `wait`; and the generation that it belongs to, which
    /// changes only with word of a new assignment: what was fetched before that must not be committed under it.
    ///
    /// Cancel safe: nothing is taken before it is returned.
    pub(super) async fn take(
        &self,
        bytes_max: usize,
        wait: Duration,
    ) -> Result<(Fetched, u64), HubError> {
        let until = Instant::now() + wait;
        loop {
            if let Some(found) = self.take_now(bytes_max)? {
                return Ok(found);
            }
            if tokio::time::timeout_at(until, self.arrived.notified()).await.is_err() {
                let found = self.take_now(bytes_max)?;
                return Ok(found.unwrap_or_else(|| (Fetched::default(), self.lock().known)));
            }
        }
    }

    fn take_now(&self, bytes_max: usize) -> Result<Option<(Fetched, u64)>, HubError> {
        let mut state = self.lock();
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        let resumed = state.resumed.take();
        let mut batches = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = state.batches.front() {
            let size = batch.data.len();
            if !batches.is_empty() && bytes + size > bytes_max {
                break;
            }
            bytes += size;
            state.bytes -= size;
            batches.extend(state.batches.pop_front().map(|batch| FetchedBatch { batch, skip: 0 }));
        }
        if !batches.is_empty() {
            self.room.notify_all();
        }
        if batches.is_empty() && resumed.is_none() {
            if state.ended {
                let why = "the thread that reads from kafka has ended; the sink must start anew";
                return Err(HubError::Fatal(why.to_owned()));
            }
            return Ok(None);
        }
        if resumed.is_some() {
            state.known = state.generation;
        }
        Ok(Some((Fetched { resumed, batches, ..Fetched::default() }, state.known)))
    }

    /// The account that belongs to an offset that is to be committed.
    pub(super) fn account_at(&self, offset: &Offset, counted: &[Counted]) -> Option<Progress> {
        let state = self.lock();
        let mut places = state.places.iter();
        let is_it =
            |place: &&Place| place.partition == offset.partition && place.topic == offset.topic;
        places.find(is_it).map(|place| place.account_at(offset.offset, counted))
    }

    /// Nobody keeps an account of what was read.
    pub(super) fn forget_gaps(&self) {
        for place in &mut self.lock().places {
            place.gaps = Gaps::default();
        }
    }

    /// What is committed already and may be committed again: of a partition of which something is, if there is one.
    pub(super) fn standing(&self) -> Option<(Offset, String)> {
        let state = self.lock();
        let known = state.places.iter().find(|place| place.metadata.is_some());
        let place = known.or_else(|| state.places.first())?;
        let (topic, partition) = (place.topic.clone(), place.partition);
        let at = Offset { topic, partition, offset: place.committed, epoch: -1 };
        Some((at, place.metadata.clone().unwrap_or_default()))
    }

    /// Remembers what was committed, and with which metadata.
    pub(super) fn committed(&self, (offset, metadata): &(Offset, String), counted: &[Counted]) {
        let Offset { topic, partition, offset, .. } = offset;
        let mut state = self.lock();
        let mut places = state.places.iter_mut();
        if let Some(place) =
            places.find(|place| place.partition == *partition && place.topic == *topic)
        {
            place.account = place.account_at(*offset, counted);
            place.gaps.forget(*offset);
            place.committed = *offset;
            place.metadata = Some(metadata.clone());
        }
    }

    /// The partitions that are read, and since when nothing has come.
    pub(super) fn places(&self) -> (Vec<Place>, Option<Instant>) {
        let state = self.lock();
        (state.places.clone(), state.idle_since)
    }

    /// Whether `topic` and `partition` are read now.
    pub(super) fn reads(&self, topic: &str, partition: i32) -> bool {
        let state = self.lock();
        state.places.iter().any(|place| place.partition == partition && place.topic == topic)
    }

    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// The delivery is gone.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.room.notify_all();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    /// The thread is gone.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.room.notify_all();
        self.arrived.notify_one();
    }

    /// Waits at most `limit` for the thread to go; whether it has.
    pub(super) fn wait_for_end(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        self.room.wait_while_for(&mut state, |state| !state.ended, limit);
        state.ended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn clear(&mut self, generation: u64) {
        self.batches.clear();
        self.bytes = 0;
        self.generation = generation;
        self.places.clear();
        (self.resumed, self.idle_since, self.assigned) = (None, None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetched(handover: &Handover) -> (bool, u64) {
        let (fetched, generation) = handover.take(1, Duration::ZERO).await.unwrap();
        (fetched.resumed.is_some(), generation)
    }

    #[tokio::test]
    async fn what_was_fetched_before_an_assignment_does_not_belong_to_it() {
        let handover = Handover::default();
        handover.assign(1, Vec::new(), Resumed::default());
        assert_eq!(fetched(&handover).await, (true, 1));
        // Partitions are taken over, which takes a while; then they are, and nobody has been told yet.
        handover.revoke(2);
        assert_eq!(fetched(&handover).await, (false, 1));
        handover.assign(2, Vec::new(), Resumed::default());
        assert_eq!(fetched(&handover).await, (true, 2));
        assert_eq!(fetched(&handover).await, (false, 2));
    }
}
