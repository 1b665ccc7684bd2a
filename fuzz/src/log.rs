//! Damaged files of a partition: it opens, gives what is whole and in order, and can be appended to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anabranch::log::{Partition, Read, Reader, Settings};
use anabranch_record::TopicPartition;

use crate::random::Random;
use crate::report::Target;
use crate::{batches, mutate};

/// Damages and recovers for that long.
pub(crate) fn run(target: &mut Target, seconds: u64, seed: u64) {
    let mut random = Random::new(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("plain-0");
        fill(&folder, &mut random);
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut damaged = Vec::new();
        for _ in 0..=random.below(2) {
            let path = files[random.below(files.len())].clone();
            let mut bytes = std::fs::read(&path).unwrap();
            let other = std::fs::read(&files[random.below(files.len())]).unwrap();
            mutate::mutate(&mut bytes, &other, &mut random);
            std::fs::write(&path, &bytes).unwrap();
            damaged.extend(path.file_name().unwrap().as_encoded_bytes());
            damaged.push(b'\n');
            damaged.extend(bytes);
        }
        let known = random.pick(&[0, 0, 3, 1000, i64::MAX]);
        target.begin(&damaged);
        let outcome = catch_unwind(AssertUnwindSafe(|| recover(&folder, known)));
        target.end(&damaged, outcome.unwrap_or_else(|_panic| Err("a panic".to_owned())));
    }
}

fn open(folder: &Path, known: i64) -> Result<Partition, String> {
    let name = TopicPartition { topic: "plain".to_owned(), partition: 0 };
    let settings = Settings { segment_bytes: 1 << 20 };
    Partition::open(folder, name, settings, known)
        .map(|(partition, _)| partition)
        .map_err(|error| error.to_string())
}

fn fill(folder: &Path, random: &mut Random) {
    let partition = open(folder, 0).unwrap();
    for _ in 0..=random.below(12) {
        let mut batch = batches::good(random);
        if random.one_in(4) {
            batches::lie(&mut batch, random);
        }
        // What the hub would not append either.
        partition.append(&batch, 1).ok();
        if random.one_in(5) {
            partition.roll().unwrap();
        }
    }
    partition.flush().unwrap();
}

fn read_all(partition: &Arc<Partition>) -> Result<u64, String> {
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let (mut next, mut batches) = (partition.start(), 0u64);
    loop {
        match reader.read().map_err(|error| error.to_string())? {
            Read::End => return Ok(batches),
            Read::Damage(damage) => {
                if damage.to < damage.from {
                    return Err(format!("damage from {} to {}", damage.from, damage.to));
                }
            }
            Read::Batch(header, _bytes) => {
                if header.next_offset() <= next && header.count > 0 && batches > 0 {
                    return Err(format!("{} again, after {next}", header.base_offset));
                }
                next = header.next_offset();
                batches += 1;
            }
        }
        if batches > 100_000 {
            return Err("it never ends".to_owned());
        }
    }
}

fn recover(folder: &Path, known: i64) -> Result<&'static str, String> {
    let Ok(partition) = open(folder, known) else { return Ok("not opened") };
    let partition = Arc::new(partition);
    read_all(&partition)?;
    let end = partition.end();
    if end < i64::MAX - 1000 {
        let mut random = Random::new(1);
        let appended = partition.append(&batches::good(&mut random), 2);
        appended.map_err(|error| format!("nothing can be appended at {end}: {error}"))?;
    }
    let end = partition.end();
    partition.flush().map_err(|error| error.to_string())?;
    // What is damaged below it is skipped when it is read; behind it the log is cut there.
    let flushed = partition.flushed();
    drop(partition);
    let again = open(folder, flushed).map_err(|error| format!("it opens only once: {error}"))?;
    if again.end() == end {
        Ok("recovered")
    } else {
        Err(format!("the end was {end} and is {}", again.end()))
    }
}
