//! The log against a model: appends, rolls, retention, reopening, torn tails, lost writes and flipped bits.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::wire::batch_header::stamp;
use crate::wire::{BatchHeader, Builder, Codec, HEADER_BYTES, Stamp, marker};

const SMALL: Settings = Settings { segment_bytes: 2000 };

pub(super) fn name() -> TopicPartition {
    TopicPartition { topic: "t".into(), partition: 0 }
}

pub(super) fn batch(content: &[u8], count: i32) -> Vec<u8> {
    let (mut builder, mut out) = (Builder::new(Codec::None, None), Vec::new());
    builder.begin(&mut out);
    builder.records().extend_from_slice(content);
    let stamp = Stamp {
        base_timestamp_ms: 0,
        max_timestamp_ms: i64::from(count),
        count,
        producer: (-1, -1, -1),
    };
    builder.finish(stamp, &mut out).unwrap();
    out
}

fn open(folder: &Path, recovery_point: i64) -> (Arc<Partition>, Recovered) {
    let (partition, found) =
        Partition::open(&folder.join("t-0"), name(), SMALL, recovery_point).unwrap();
    (Arc::new(partition), found)
}

/// Everything from `offset` on: base offset and content of each batch, and the damage on the way.
fn read(partition: &Arc<Partition>, offset: i64) -> (Vec<(i64, Vec<u8>)>, Vec<Damage>) {
    let (mut reader, mut seen, mut damage) =
        (Reader::new(Arc::clone(partition), offset), Vec::new(), Vec::new());
    loop {
        match reader.read().unwrap() {
            Read::Batch(header, bytes) => {
                seen.push((header.base_offset, bytes[HEADER_BYTES..].to_vec()));
            }
            Read::Damage(found) => damage.push(found),
            Read::End => return (seen, damage),
        }
    }
}

fn last_segment(folder: &Path) -> PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(folder.join("t-0"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths.pop().unwrap()
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>, i32),
    Roll,
    Flush,
    DeleteBefore(i64),
    Reopen,
    /// Bytes cut off the end of the last segment, then garbage behind it, then a reopen.
    Crash(usize, Vec<u8>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (prop::collection::vec(any::<u8>(), 0..300), 1..20i32).prop_map(|(content, count)| Step::Append(content, count)),
        1 => Just(Step::Roll),
        1 => Just(Step::Flush),
        1 => (0..200i64).prop_map(Step::DeleteBefore),
        1 => Just(Step::Reopen),
        2 => (0..800usize, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(cut, garbage)| Step::Crash(cut, garbage)),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_log_is_a_list_of_batches_that_survives_crashes(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let (mut partition, _) = open(folder.path(), 0);
        let mut model: Vec<(i64, i64, Vec<u8>)> = Vec::new();
        let mut flushed = 0;
        for step in steps {
            match step {
                Step::Append(content, count) => {
                    let at = partition.append(&batch(&content, count), 1).unwrap();
                    prop_assert_eq!(at.base_offset, model.last().map_or(partition.start(), |last| last.1).max(at.base_offset.min(partition.end())));
                    model.push((at.base_offset, at.next_offset, content));
                }
                Step::Roll => { partition.roll().unwrap(); }
                Step::Flush => partition.flush().unwrap(),
                Step::DeleteBefore(offset) => { partition.delete_before(offset).unwrap(); }
                Step::Reopen => { flushed = partition.flushed(); drop(partition); partition = open(folder.path(), flushed).0; }
                Step::Crash(cut, garbage) => {
                    flushed = partition.flushed().max(flushed);
                    drop(partition);
                    let path = last_segment(folder.path());
                    let mut bytes = std::fs::read(&path).unwrap();
                    // Only what was never flushed may be lost by a crash; flushed bytes stay.
                    let kept: usize = bytes.len().saturating_sub(cut);
                    let mut durable = 0;
                    while let Ok(header) = BatchHeader::verify(&bytes[durable..]) {
                        if header.next_offset() > flushed { break; }
                        durable += header.size_bytes;
                    }
                    bytes.truncate(kept.max(durable));
                    bytes.extend_from_slice(&garbage);
                    std::fs::write(&path, bytes).unwrap();
                    partition = open(folder.path(), flushed).0;
                    model.retain(|(_, next, _)| *next <= partition.end());
                }
            }
            prop_assert!(partition.start() <= partition.flushed() && partition.flushed() <= partition.end());
            prop_assert!(partition.end() >= flushed);
            let expected: Vec<(i64, Vec<u8>)> = model
                .iter()
                .filter(|(_, next, _)| *next > partition.start())
                .map(|(base, _, content)| (*base, content.clone()))
                .collect();
            let (seen, damage) = read(&partition, partition.start());
            prop_assert_eq!(seen, expected);
            prop_assert_eq!(damage, []);
        }
    }

    #[test]
    fn a_flipped_bit_loses_its_batch_and_nothing_else(
        sizes in prop::collection::vec(1..400usize, 2..30), at in any::<prop::sample::Index>(), bit in 0..8u8,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (partition, _) = open(folder.path(), 0);
        for (number, size) in sizes.iter().enumerate() {
            let content = vec![u8::try_from(number).unwrap(); *size];
            partition.append(&batch(&content, 1), 1).unwrap();
        }
        let (whole, _) = read(&partition, 0);
        partition.flush().unwrap();
        let end = partition.end();
        drop(partition);
        let path = last_segment(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        let (partition, _) = open(folder.path(), end);
        let (seen, damage) = read(&partition, 0);
        // A bit in base offset or epoch is outside the sum; everywhere else exactly one batch is gone.
        let lost: Vec<_> = whole.iter().filter(|one| !seen.contains(one)).collect();
        prop_assert!(lost.len() <= 1, "{lost:?}");
        prop_assert!(damage.iter().map(|one| one.to - one.from).sum::<i64>() <= 1 || lost.is_empty());
    }
}

#[test]
fn a_torn_tail_is_kept_aside_and_damage_is_reported_with_its_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let (partition, _) = open(folder.path(), 0);
    for content in [b"first".as_slice(), b"second", b"third"] {
        partition.append(&batch(content, 10), 1).unwrap();
    }
    drop(partition);
    let path = last_segment(folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let size = bytes.len();
    bytes.truncate(size - 2);
    std::fs::write(&path, &bytes).unwrap();
    let (partition, found) = open(folder.path(), 0);
    assert_eq!(partition.end(), 20);
    let (torn, torn_bytes) = found.torn.unwrap();
    let torn = torn.unwrap();
    assert_eq!(std::fs::metadata(torn).unwrap().len(), torn_bytes);
    assert_eq!((found.lost, found.epoch), (None, 1));
    // Known to be on disk, and damaged all the same.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[HEADER_BYTES] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    drop(partition);
    let (partition, _) = open(folder.path(), 20);
    let (seen, damage) = read(&partition, 0);
    assert_eq!(seen, [(10, b"second".to_vec())]);
    assert_eq!((damage[0].from, damage[0].to), (0, 10));
    assert!(damage[0].reason.contains("damaged at byte 0: CRC-32C is"), "{}", damage[0].reason);
}

#[test]
fn a_file_that_was_taken_away_is_reported_with_its_offsets() {
    let folder = tempfile::tempdir().unwrap();
    let (partition, _) = open(folder.path(), 0);
    for _ in 0..9 {
        partition.append(&batch(&[7; 600], 10), 1).unwrap();
    }
    let bases: Vec<i64> = partition.segments().iter().map(|one| one.base_offset()).collect();
    assert!(bases.len() > 2, "{bases:?}");
    drop(partition);
    std::fs::remove_file(folder.path().join(format!("t-0/{:020}.log", bases[1]))).unwrap();
    let (partition, _) = open(folder.path(), 0);
    for from in [0, bases[1], bases[1] + 1] {
        let (seen, damage) = read(&partition, from);
        assert!(seen.iter().all(|(at, _)| !(bases[1]..bases[2]).contains(at)));
        assert_eq!((damage[0].from, damage[0].to), (from.max(bases[1]), bases[2]));
        assert_eq!(damage.len(), 1);
    }
}

#[test]
fn a_folder_belongs_to_one_process_and_an_unclean_end_begins_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let first = Folder::open(&path, "id-1").unwrap();
    assert_eq!((first.epoch(), first.was_clean()), (0, false));
    let held = Folder::open(&path, "id-2").unwrap_err();
    assert!(matches!(held, LogError::Locked { .. }));
    let holder = format!("is in use by process {} (", std::process::id());
    assert!(held.to_string().contains(&holder), "{held}");
    first.mark_clean().unwrap();
    drop(first);
    let second = Folder::open(&path, "id-2").unwrap();
    assert_eq!((second.epoch(), second.was_clean()), (0, true));
    assert_eq!(second.meta().hub_id, "id-1");
    drop(second);
    let third = Folder::open(&path, "id-2").unwrap();
    assert_eq!((third.epoch(), third.was_clean()), (1, false));
}

#[test]
fn what_is_on_disk_and_behind_the_readers_leaves_memory_and_can_be_read_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { segment_bytes: 90 << 20 };
    let path = folder.path().join("t-0");
    let partition = Arc::new(Partition::open(&path, name(), settings, 0).unwrap().0);
    let content = vec![7; 1 << 20];
    let append = |count: i64| {
        for _ in 0..count {
            partition.append(&batch(&content, 1), 1).unwrap();
        }
    };
    append(80);
    assert_eq!(partition.leave_memory(i64::MAX), 0, "not on disk yet");
    partition.flush().unwrap();
    assert_eq!(partition.leave_memory(70), 0, "the end stays");
    assert_eq!(partition.leave_memory(78), 8 << 20);
    assert_eq!(partition.leave_memory(75), 0);
    append(20);
    partition.flush().unwrap();
    assert_eq!(partition.leave_memory(i64::MAX), 16 << 20, "of the segment before");
    assert_eq!(partition.leave_memory(i64::MAX), 0);
    let (seen, damage) = read(&partition, 0);
    assert_eq!((seen.len(), damage), (100, vec![]));
    assert!(seen.iter().all(|(_, bytes)| *bytes == content));
}

#[test]
fn a_new_epoch_of_a_producer_begins_at_sequence_zero_also_behind_a_marker() {
    let header = |epoch: i16, sequence: i32| {
        let mut bytes = batch(b"", 1);
        stamp(&mut bytes, (9, epoch, sequence), true);
        BatchHeader::parse(&bytes).unwrap()
    };
    let mut producers = Producers::default();
    producers.note(&header(0, 0), None);
    let marker = marker((9, 1), false, 0, 0);
    producers.note(&BatchHeader::parse(&marker).unwrap(), Some(false));
    assert!(producers.check(&header(0, 1)).is_err(), "the marker has fenced it off");
    assert!(producers.check(&header(2, 3)).is_err());
    assert_eq!(producers.check(&header(2, 0)), Ok(Verdict::Append));
}

#[test]
fn whoever_reads_as_it_lies_gets_past_a_batch_whose_head_is_damaged() {
    for (at, what) in
        [(7, "base offset"), (0, "base offset"), (8, "length"), (11, "length"), (20, "sum")]
    {
        let folder = tempfile::tempdir().unwrap();
        let (partition, _) = open(folder.path(), 0);
        let size = batch(&[7; 100], 3).len();
        for _ in 0..6 {
            partition.append(&batch(&[7; 100], 3), 1).unwrap();
        }
        drop(partition);
        let path = last_segment(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[2 * size + at] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        let (partition, _) = open(folder.path(), 18);
        for most in [1, size + 1, 1 << 20] {
            let (mut offset, mut bases, mut lost) = (0, Vec::new(), 0);
            while offset < partition.end() {
                let mut out = Vec::new();
                let read = partition
                    .read_raw(offset, Room::at_least_one(most), partition.end(), &mut out)
                    .unwrap();
                assert!(read.next_offset > offset, "{what}: stuck at {offset}");
                lost += read.lost;
                let batches = out.chunks(size).map(|one| BatchHeader::verify(one).unwrap());
                bases.extend(batches.map(|header| header.base_offset));
                offset = read.next_offset;
            }
            assert_eq!((bases, lost), (vec![0, 3, 9, 12, 15], 3), "{what}, {most}");
        }
        let mut out = Vec::new();
        let read = partition.read_raw(7, Room::at_least_one(1), partition.end(), &mut out).unwrap();
        assert_eq!((read.next_offset, read.lost), (12, 2), "{what}");
    }
}

#[test]
fn a_batch_for_which_there_is_no_room_stays_unless_one_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let (partition, _) = open(folder.path(), 18);
    let small = batch(&[7; 100], 3).len();
    for length in [100, 200_000, 100] {
        partition.append(&batch(&vec![7; length], 3), 1).unwrap();
    }
    let read = |offset, room| {
        let mut out = Vec::new();
        partition.read_raw(offset, room, partition.end(), &mut out).unwrap();
        out.len()
    };
    let exactly = |bytes| Room { bytes, one_at_least: false };
    let large = read(3, Room::at_least_one(1));
    assert!(large > 200_000);
    for (offset, room, expected) in [
        (0, Room::at_least_one(0), small),
        (0, exactly(0), 0),
        (0, exactly(small - 1), 0),
        (0, exactly(small), small),
        (0, exactly(small + large - 1), small),
        (0, exactly(small + large), small + large),
        (3, exactly(large - 1), 0),
        (3, exactly(large), large),
    ] {
        assert_eq!(read(offset, room), expected, "{offset} {room:?}");
    }
}
