//! Compaction while others append, read and delete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{KEYS_MAX, PLAIN, batch, compact, open};
use crate::log::{LogError, Partition, Read, Reader, Room};
use crate::wire::{BatchHeader, Codec};

const BATCHES: i32 = 3000;

/// Reads to the end again and again, each batch where the one before ended; holes may begin earlier.
fn follow(partition: &Arc<Partition>, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        let (mut reader, mut expected) = (Reader::new(Arc::clone(partition), 0), 0);
        loop {
            match reader.read().unwrap() {
                Read::End => break,
                Read::Damage(damage) => panic!("{damage:?} after {expected}"),
                Read::Batch(header, _) => expected = check(&header, expected),
            }
        }
    }
}

/// As [`follow`], as the broker reads.
fn follow_raw(partition: &Partition, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        let (mut out, mut expected) = (Vec::new(), 0);
        loop {
            out.clear();
            let read =
                partition.read_raw(expected, Room::at_least_one(2500), i64::MAX, &mut out).unwrap();
            assert_eq!(read.lost, 0);
            let mut rest = out.as_slice();
            while !rest.is_empty() {
                let header = BatchHeader::verify(rest).unwrap();
                rest = &rest[header.size_bytes..];
                expected = check(&header, expected);
            }
            assert_eq!(read.next_offset, expected);
            if read.bytes == 0 {
                break;
            }
        }
    }
}

#[track_caller]
fn check(header: &BatchHeader, expected: i64) -> i64 {
    let fits = header.base_offset == expected || header.count == 0;
    assert!(fits && header.base_offset <= expected, "{header:?}, expected {expected}");
    assert!(header.next_offset() > expected);
    header.next_offset()
}

#[test]
fn readers_see_no_gap_and_nothing_twice_while_segments_are_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path(), 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| follow(&partition, &done));
        scope.spawn(|| follow_raw(&partition, &done));
        scope.spawn(|| {
            let mut from = 0;
            while !done.load(Ordering::Acquire) {
                let compacted = compact(&partition, from, i64::MAX, 0, KEYS_MAX).unwrap();
                from = compacted.clean_to;
            }
        });
        for number in 0..BATCHES {
            let key = u8::try_from(number % 50).unwrap();
            let bytes = batch(&[(Some(key), Some(key))], Codec::None, (PLAIN, number), false, 0);
            partition.append(&bytes, 1).unwrap();
        }
        done.store(true, Ordering::Release);
    });
    // On a slow machine the last round may have been long ago.
    compact(&partition, 0, i64::MAX, 0, KEYS_MAX).unwrap();
    assert!(partition.segments().len() < 20, "{}", partition.segments().len());
}

#[test]
fn what_retention_deletes_meanwhile_stays_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path(), 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                compact(&partition, 0, i64::MAX, 0, KEYS_MAX).unwrap();
            }
        });
        for number in 0..BATCHES {
            let key = u8::try_from(number % 200).unwrap();
            let bytes = batch(&[(Some(key), Some(key))], Codec::None, (PLAIN, number), false, 0);
            let at = partition.append(&bytes, 1).unwrap();
            partition.delete_before(at.base_offset - 300).unwrap();
        }
        done.store(true, Ordering::Release);
    });
    let (start, end) = (partition.start(), partition.end());
    drop(partition);
    let again = open(folder.path(), end);
    assert_eq!((again.start(), again.end()), (start, end));
}

#[test]
fn a_damaged_segment_stays_as_it_is_and_a_deleted_folder_away() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path(), 0);
    for number in 0..40 {
        let bytes = batch(&[(Some(1), Some(1))], Codec::None, (PLAIN, number), false, 0);
        partition.append(&bytes, 1).unwrap();
    }
    let damaged = partition.segments()[1].path().to_owned();
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&damaged, &bytes).unwrap();
    let stop = || false;
    let round = super::Compaction {
        from: 0,
        limit: i64::MAX,
        now_ms: 0,
        delete_retention_ms: 0,
        keys_max: KEYS_MAX,
        stop: &stop,
    };
    assert!(matches!(partition.compact(&round), Err(LogError::Format { .. })));
    assert_eq!(std::fs::read(&damaged).unwrap(), bytes);
    let aside = partition.put_aside("id").unwrap();
    // The files are there still, the folder is not made again.
    assert!(!folder.path().join("t-0").exists());
    partition.compact(&round).ok();
    assert!(!folder.path().join("t-0").exists());
    assert_eq!(std::fs::read(aside.join(damaged.file_name().unwrap())).unwrap(), bytes);
}
