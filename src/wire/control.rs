//! Markers that end transactions: a control batch with one record.
//!
//! | part  | bytes | field                           |
//! |-------|-------|---------------------------------|
//! | key   |   2   | version 0                       |
//! | key   |   2   | 0 aborted, 1 committed          |
//! | value |   2   | version 0                       |
//! | value |   4   | epoch of the coordinator        |
//!
//! Source: KIP-98, "Control Messages".

use anabranch_record::frames::take_frame;

use crate::wire::batch_header::{BatchHeader, HEADER_BYTES};

/// Attributes of a marker: transactional and control.
const ATTRIBUTES: i16 = 16 | 32;
/// Bytes of the record: its length, attributes, two deltas, key, value, number of headers.
const RECORD: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0];

/// A marker of `producer` (id and epoch), ready to be placed and appended.
#[must_use]
pub fn marker(
    (producer_id, producer_epoch): (i64, i16),
    committed: bool,
    coordinator_epoch: i32,
    now_ms: i64,
) -> Vec<u8> {
    let mut batch = vec![0; HEADER_BYTES];
    let mut record = RECORD;
    let [.., kind, _length, _version_0, _version_1, e0, e1, e2, e3, _headers] = &mut record;
    *kind = u8::from(committed);
    [*e0, *e1, *e2, *e3] = coordinator_epoch.to_be_bytes();
    batch.extend_from_slice(&record);
    let header = BatchHeader {
        base_offset: 0,
        size_bytes: batch.len(),
        epoch: 0,
        crc: 0,
        attributes: ATTRIBUTES,
        last_offset_delta: 0,
        base_timestamp_ms: now_ms,
        max_timestamp_ms: now_ms,
        producer_id,
        producer_epoch,
        base_sequence: -1,
        count: 1,
    };
    header.seal(&mut batch);
    batch
}

/// Whether the marker in `batch` commits; `None` when it is no marker of a transaction.
#[must_use]
pub fn is_commit(batch: &[u8]) -> Option<bool> {
    let key = take_frame(&mut batch.get(HEADER_BYTES..)?)?.key?;
    match key {
        [_, _, 0, 0] => Some(false),
        [_, _, 0, 1] => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_a_good_batch_that_says_how_its_transaction_ended() {
        for committed in [true, false] {
            let batch = marker((7, 3), committed, 9, 1000);
            let header = BatchHeader::verify(&batch).unwrap();
            assert!(header.is_control() && header.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch, header.count), (7, 3, 1));
            assert_eq!(is_commit(&batch), Some(committed));
        }
    }
}
