//! Compaction against a model: batches of any codec, tombstones, transactions, rolls, retention and kills.

mod kills;
mod model;
mod racing;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anabranch_record::frames::frames;
use anabranch_record::stored::push_record;
use anabranch_record::{Record, TopicPartition};
use proptest::prelude::*;

use super::{Compacted, Compaction, KEYS_MAX};
use crate::log::{Partition, Read, Reader, Settings};
use crate::wire::batch_header::BatchHeader;
use crate::wire::{Codec, HEADER_BYTES};
use model::Model;

const RETENTION_MS: i64 = 1000;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// The producer of batches outside of transactions.
const PLAIN: i64 = 7;

type Pair = (Option<u8>, Option<u8>);

fn open(folder: &Path, recovery_point: i64) -> Arc<Partition> {
    let name = TopicPartition { topic: "t".into(), partition: 0 };
    let settings = Settings { segment_bytes: 1500 };
    let opened = Partition::open(&folder.join("t-0"), name, settings, recovery_point).unwrap();
    Arc::new(opened.0)
}

/// A batch whose values repeat, so that codecs have something to do.
fn batch(
    pairs: &[Pair],
    codec: Codec,
    producer: (i64, i32),
    is_transactional: bool,
    time_ms: i64,
) -> Vec<u8> {
    let mut section = Vec::new();
    for (number, (key, value)) in pairs.iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        let value = value.map(|value| [value; 40]);
        let key = key.map(|key| [key; 3]);
        let value = value.as_ref().map(<[u8; 40]>::as_slice);
        let key = key.as_ref().map(<[u8; 3]>::as_slice);
        push_record(
            &Record { key, value, ..Record::default() },
            (number, number),
            &[],
            &mut section,
        );
    }
    let mut batch = vec![0; HEADER_BYTES];
    codec.compress(&section, None, &mut batch).unwrap();
    let count = i32::try_from(pairs.len()).unwrap();
    let header = BatchHeader {
        base_offset: 0,
        size_bytes: 0,
        epoch: 0,
        crc: 0,
        attributes: codec.attributes() | if is_transactional { 16 } else { 0 },
        last_offset_delta: count - 1,
        base_timestamp_ms: time_ms,
        max_timestamp_ms: time_ms + i64::from(count) - 1,
        producer_id: producer.0,
        producer_epoch: 0,
        base_sequence: producer.1,
        count,
    };
    header.seal(&mut batch);
    batch
}

/// A record as a consumer sees it: offset, key, value, time.
type Seen = (i64, Option<u8>, Option<u8>, i64);

/// What one sees who reads from `offset` on and leaves aborted records out, and the batches.
fn read(partition: &Arc<Partition>, offset: i64) -> (Vec<Seen>, Vec<BatchHeader>) {
    let mut reader = Reader::new(Arc::clone(partition), offset);
    let (mut seen, mut heads) = (Vec::new(), Vec::new());
    loop {
        match reader.read().unwrap() {
            Read::End => return (seen, heads),
            Read::Damage(damage) => panic!("{damage:?}"),
            Read::Batch(header, bytes) => {
                heads.push(header);
                if header.is_control()
                    || header.count == 0
                    || partition.producers().is_aborted(&header)
                {
                    continue;
                }
                take_records(&header, bytes, &mut seen);
            }
        }
    }
}

fn rest_of(reader: &mut Reader, heads: &mut Vec<BatchHeader>) {
    loop {
        match reader.read().unwrap() {
            Read::End => return,
            Read::Damage(damage) => panic!("{damage:?}"),
            Read::Batch(header, _) => heads.push(header),
        }
    }
}

fn take_records(header: &BatchHeader, bytes: &[u8], seen: &mut Vec<Seen>) {
    let mut plain = Vec::new();
    header.codec().unwrap().decompress(&bytes[HEADER_BYTES..], 1 << 20, &mut plain).unwrap();
    let found = frames(&plain, header.count).unwrap();
    let mut latest = i64::MIN;
    for frame in found {
        let value = frame.has_value.then(|| frame.bytes[frame.bytes.len() - 2]);
        let time = header.base_timestamp_ms + frame.time_delta_ms;
        latest = latest.max(time);
        seen.push((
            header.base_offset + frame.offset_delta,
            frame.key.map(|key| key[0]),
            value,
            time,
        ));
    }
    assert_eq!(latest, header.max_timestamp_ms);
}

fn compact(
    partition: &Partition,
    from: i64,
    limit: i64,
    now_ms: i64,
    keys_max: usize,
) -> Option<Compacted> {
    let stop = || false;
    let round = Compaction {
        from,
        limit,
        now_ms,
        delete_retention_ms: RETENTION_MS,
        keys_max,
        stop: &stop,
    };
    partition.compact(&round).unwrap()
}

/// Rounds until everything closed is compacted.
fn compact_all(partition: &Partition, mut from: i64, now_ms: i64, keys_max: usize) -> i64 {
    let limit = partition.stable();
    let (_, end) = partition.closed_below(limit);
    loop {
        let done = compact(partition, from.min(end), limit, now_ms, keys_max).unwrap();
        assert!(done.clean_to > from || done.clean_to >= end, "{done:?} from {from} to {end}");
        from = done.clean_to;
        if from >= end {
            return from;
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Pair>, usize),
    /// Records of a transaction of one of two producers.
    InTransaction(bool, Vec<Pair>),
    End(bool, bool),
    Roll,
    Compact(usize),
    Later(i64),
    Reopen,
    /// A kill while segments are replaced: the merged one is there, and so are the old ones.
    KillBehindRename,
    /// A kill before: something unfinished lies aside; and hints may be lost.
    KillBeforeRename(bool),
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let key = prop_oneof![9 => (0..8u8).prop_map(Some), 1 => Just(None)];
    let value = prop_oneof![3 => any::<u8>().prop_map(Some), 1 => Just(None)];
    prop::collection::vec((key, value), 1..6)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (pairs(), 0..5usize).prop_map(|(pairs, codec)| Step::Append(pairs, codec)),
        5 => (any::<bool>(), pairs()).prop_map(|(who, pairs)| Step::InTransaction(who, pairs)),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(who, committed)| Step::End(who, committed)),
        2 => Just(Step::Roll),
        3 => prop_oneof![Just(1usize), Just(5), Just(KEYS_MAX)].prop_map(Step::Compact),
        1 => (0..1500i64).prop_map(Step::Later),
        1 => Just(Step::Reopen),
        1 => Just(Step::KillBehindRename),
        1 => any::<bool>().prop_map(Step::KillBeforeRename),
    ];
    prop::collection::vec(step, 1..80)
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder.join("t-0")).unwrap().map(|entry| entry.unwrap());
    let file = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    entries.map(file).collect()
}

fn run(folder: &Path, steps: Vec<Step>) {
    let mut partition = open(folder, 0);
    let mut model = Model::at(1_000_000);
    for step in steps {
        let mut half = Reader::new(Arc::clone(&partition), 0);
        let mut behind = 0;
        while behind < partition.end() / 2 {
            let Read::Batch(header, _) = half.read().unwrap() else { panic!("half of the log") };
            behind = header.next_offset();
        }
        match step {
            Step::Append(pairs, codec) => model.append(&partition, &pairs, CODECS[codec], PLAIN),
            Step::InTransaction(who, pairs) => {
                model.append(&partition, &pairs, Codec::Lz4, 100 + i64::from(who));
            }
            Step::End(who, committed) => model.end(&partition, 100 + i64::from(who), committed),
            Step::Roll => drop(partition.roll().unwrap()),
            Step::Compact(keys_max) => {
                model.compact(&partition, keys_max);
                // One who was reading goes on, and sees what one sees who begins there now.
                let (mut rest, mut expected) = (Vec::new(), Vec::new());
                rest_of(&mut half, &mut rest);
                rest_of(&mut Reader::new(Arc::clone(&partition), behind), &mut expected);
                assert_eq!(rest, expected);
            }
            Step::Later(by_ms) => model.now_ms += by_ms,
            Step::Reopen => {
                let flushed = partition.flushed();
                drop((half, partition));
                partition = open(folder, flushed);
            }
            Step::KillBehindRename => {
                let before = files(folder);
                model.compact(&partition, KEYS_MAX);
                drop((half, partition));
                let after = files(folder);
                for (name, bytes) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
                    std::fs::write(folder.join("t-0").join(name), bytes).unwrap();
                }
                partition = open(folder, 0);
                let names = |files: BTreeMap<String, Vec<u8>>| -> Vec<String> {
                    files.into_keys().filter(|name| name.ends_with(".log")).collect()
                };
                assert_eq!(names(files(folder)), names(after));
            }
            Step::KillBeforeRename(hints) => {
                partition.flush().unwrap();
                drop((half, partition));
                let path = folder.join("t-0");
                std::fs::write(path.join("00000000000000000000.log.cleaned"), b"half of it")
                    .unwrap();
                for name in
                    files(folder).into_keys().filter(|name| hints && !name.ends_with(".log"))
                {
                    std::fs::remove_file(path.join(name)).unwrap();
                }
                partition = open(folder, 0);
                assert!(!files(folder).keys().any(|name| name.ends_with("cleaned")));
            }
        }
        model.check(&partition);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_last_record_of_each_key_stays_at_its_offset(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        run(folder.path(), steps);
    }
}
