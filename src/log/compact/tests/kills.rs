//! A kill between any two steps in which a segment takes the place of others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::Model;
use super::{KEYS_MAX, PLAIN, files, open, read};
use crate::log::Partition;
use crate::wire::Codec;

type Files = BTreeMap<String, Vec<u8>>;

/// Every state of the folder between `before` and `after`, in the order in which the files are touched.
fn states(before: &Files, after: &Files) -> Vec<Files> {
    let (mut now, mut states) = (before.clone(), vec![before.clone()]);
    let stems = |files: &Files| -> Vec<String> {
        files.keys().filter_map(|name| name.strip_suffix(".log")).map(str::to_owned).collect()
    };
    let heads = stems(after);
    for (at, head) in heads.iter().enumerate() {
        let next = heads.get(at + 1);
        let others = stems(before).into_iter();
        let others: Vec<String> =
            others.filter(|stem| stem > head && next.is_none_or(|next| stem < next)).collect();
        let log = format!("{head}.log");
        if others.is_empty() && before[&log] == after[&log] {
            continue;
        }
        let mut step = |change: &mut dyn FnMut(&mut Files)| {
            change(&mut now);
            states.push(now.clone());
        };
        let (new, cleaned) = (&after[&log], format!("{head}.log.cleaned"));
        step(&mut |files| drop(files.insert(cleaned.clone(), new[..new.len() / 2].to_vec())));
        step(&mut |files| drop(files.insert(cleaned.clone(), new.clone())));
        step(&mut |files| drop(files.remove(&format!("{head}.index"))));
        step(&mut |files| drop(files.remove(&format!("{head}.producers"))));
        step(&mut |files| {
            files.remove(&cleaned);
            files.insert(log.clone(), new.clone());
        });
        for hint in [format!("{head}.producers"), format!("{head}.index")] {
            let whole = &after[&hint];
            step(&mut |files| drop(files.insert(hint.clone(), whole[..whole.len() / 2].to_vec())));
            step(&mut |files| drop(files.insert(hint.clone(), whole.clone())));
        }
        for other in others {
            for extension in ["producers", "index", "log"] {
                step(&mut |files| drop(files.remove(&format!("{other}.{extension}"))));
            }
        }
    }
    assert_eq!(states.last(), Some(after), "a step is missing here");
    states
}

fn producers(partition: &Partition) -> Vec<(i64, i16, i32, i64)> {
    let all = partition.producers().info().into_iter();
    all.map(|one| (one.producer_id, one.epoch, one.last_sequence, one.open_from)).collect()
}

/// A log of many segments, with a transaction that is open at its end.
fn write(partition: &Partition) -> Model {
    let mut model = Model::at(1_000_000);
    for number in 0..60u8 {
        let pairs = [(Some(number % 7), Some(number)), (Some(number % 5), None), (None, Some(1))];
        let pairs = if number % 10 == 3 { &pairs[..] } else { &pairs[..2] };
        model.append(partition, pairs, Codec::Lz4, PLAIN);
        let producer = 100 + i64::from(number % 2);
        model.append(partition, &pairs[..1], Codec::None, producer);
        if number % 6 > 3 && number < 58 {
            model.end(partition, producer, number % 4 == 0);
        }
    }
    model
}

#[test]
fn a_kill_at_any_step_leaves_the_old_segments_or_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let partition = open(folder.path(), 0);
    let mut model = write(&partition);
    let (before, known) = (files(folder.path()), producers(&partition));
    let (seen, _) = read(&partition, partition.stable());
    model.compact(&partition, KEYS_MAX);
    let after = files(folder.path());
    let end = partition.end();
    drop(partition);
    let states = states(&before, &after);
    assert!(states.len() > 30, "{}", states.len());
    model.nothing_is_compacted();
    for (number, state) in states.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("t-0")).unwrap();
        for (name, bytes) in state {
            std::fs::write(folder.path().join("t-0").join(name), bytes).unwrap();
        }
        for _twice in 0..2 {
            let partition: Arc<Partition> = open(folder.path(), end);
            assert_eq!(partition.end(), end, "step {number}");
            assert_eq!(producers(&partition), known, "step {number}");
            assert_eq!(read(&partition, partition.stable()).0, seen, "step {number}");
            model.check(&partition);
        }
    }
}
