//! Walks the batches of a closed segment, each of which must be good and follow the one before.

use crate::log::LogError;
use crate::log::segment::Segment;
use crate::wire::{BatchError, BatchHeader};

/// Bytes read at once.
const CHUNK_BYTES: usize = 512 << 10;

/// A segment and the place in it.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    segment: &'a Segment,
    /// Where in the segment the buffer begins.
    place: u64,
    buffer: Vec<u8>,
    used: usize,
    expected: i64,
}

impl<'a> Batches<'a> {
    pub(super) const fn new(segment: &'a Segment) -> Self {
        let expected = segment.base_offset();
        Self { segment, place: 0, buffer: Vec::new(), used: 0, expected }
    }

    /// Offset behind the batches that were given.
    pub(super) const fn next_offset(&self) -> i64 {
        self.expected
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// [`LogError`] when the file cannot be read or is damaged.
    pub(super) fn next(&mut self) -> Result<Option<(BatchHeader, &[u8])>, LogError> {
        let header = loop {
            let rest = self.buffer.get(self.used..).unwrap_or_default();
            let is_empty = rest.is_empty();
            match BatchHeader::verify(rest) {
                Ok(header) if header.base_offset == self.expected => break header,
                Ok(BatchHeader { base_offset: value, .. }) => {
                    return Err(
                        self.damaged(BatchError::Impossible { field: "base offset", value })
                    );
                }
                Err(BatchError::Short { need, .. }) if self.fill(need)? => {}
                Err(BatchError::Short { .. }) if is_empty => return Ok(None),
                Err(fault) => return Err(self.damaged(fault)),
            }
        };
        self.expected = header.next_offset();
        let start = self.used;
        self.used += header.size_bytes;
        Ok(Some((header, self.buffer.get(start..self.used).unwrap_or_default())))
    }

    fn fill(&mut self, need: usize) -> Result<bool, LogError> {
        self.buffer.drain(..self.used);
        self.place += self.used as u64;
        self.used = 0;
        let have = self.buffer.len();
        let want = need.max(CHUNK_BYTES) - have.min(need);
        Ok(self.segment.read_at(self.place + have as u64, want, &mut self.buffer)? > 0)
    }

    fn damaged(&self, fault: BatchError) -> LogError {
        let place = self.place + self.used as u64;
        let problem =
            format!("is damaged at byte {place} ({fault}); its partition is not compacted");
        LogError::Format { path: self.segment.path().to_owned(), problem }
    }
}
