//! What was read of files and goes once more before it what the files before them have got: within a bound, however many
//! they are.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::read::Read;

/// Bytes of one permit.
const UNIT: usize = 1 << 10;

/// The room that there is for it.
pub(super) struct Room {
    free: Arc<Semaphore>,
    units: usize,
}

/// What waits; it gives its room back when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) read: Read,
    _share: OwnedSemaphorePermit,
}

impl Room {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let units = bytes / UNIT;
        Self { free: Arc::new(Semaphore::new(units)), units }
    }

    /// Keeps what was read; `None` when there is no room, so that it is to be read anew. One that is larger than all the
    /// room needs all of it.
    pub(super) fn keep(&self, read: Read) -> Option<Waiting> {
        let bytes = read.batch.as_ref().map_or(0, anabranch_record::Batch::size_bytes);
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.free).try_acquire_many_owned(units).ok()?;
        Some(Waiting { read, _share: share })
    }
}

#[cfg(test)]
mod tests {
    use super::super::position::Mark;
    use super::*;
    use anabranch_record::{Batch, Buffer, Headers};

    fn read(bytes: usize) -> Read {
        let mut data = Buffer::default();
        data.resize(bytes, 0);
        let batch = Batch::new(data, Headers::new(), 0, 0);
        let mark = Mark::default();
        let (between, open_length, blank, left_out, ended) = Default::default();
        Read { batch: Some(batch), mark, between, open_length, blank, left_out, ended }
    }

    #[test]
    fn what_finds_no_room_is_not_kept_and_room_comes_back() {
        let room = Room::new(10_240);
        let first = room.keep(read(6000)).unwrap();
        assert!(room.keep(read(6000)).is_none());
        let second = room.keep(read(3000)).unwrap();
        drop(first);
        assert!(room.keep(read(1_000_000)).is_none());
        drop(second);
        let large = room.keep(read(1_000_000)).unwrap();
        assert!(room.keep(read(1)).is_none());
        drop(large);
        room.keep(read(1)).unwrap();
    }
}
