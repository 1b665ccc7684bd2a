//! Reads a whole log back and says what is damaged, and what the ledger is.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anabranch_record::{Pool, Topic};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::failure::{Done, Failure};
use crate::cli::table::{Table, show_bytes};
use crate::client::HubHandle;
use crate::hub::embedded::decode;
use crate::hub::embedded::view::{Seen, View};
use crate::hub::{GroupInfo, Hub, Offset};
use crate::log::{Partition, Read, Reader};

/// What was found in one topic.
#[derive(Debug, Default)]
struct Counts {
    batches: u64,
    records: u64,
    bytes: u64,
    lost: u64,
}

pub(super) fn verify(folder: &Path, out: &mut dyn Write) -> Done {
    let view = View::open(folder)?;
    let topics = view.look(|_name| true)?;
    let bytes: u64 = topics
        .values()
        .flat_map(|seen| &seen.partitions)
        .map(|partition| partition.size_bytes())
        .sum();
    let progress = progress(bytes);
    let mut faults = Vec::new();
    let mut counts = BTreeMap::new();
    for (name, seen) in &topics {
        let mut counted = Counts::default();
        for partition in &seen.partitions {
            check(seen, partition, &mut counted, &mut |fault| faults.push(fault), &progress)?;
        }
        counts.insert(name.clone(), counted);
    }
    progress.finish_and_clear();
    print_counts(&counts, out)?;
    let groups = groups(view)?;
    print_groups(&groups, &topics, out)?;
    for torn in torn_files(&topics) {
        writeln!(out, "note: {torn}")?;
    }
    super::ack::print_open(folder, out)?;
    for fault in &faults {
        writeln!(out, "damaged: {fault}")?;
    }
    if faults.is_empty() {
        return Ok(writeln!(out, "no damage found in {}", show_bytes(bytes))?);
    }
    let lost: u64 = counts.values().map(|counted| counted.lost).sum();
    Err(Failure::failed(format!(
        "{} places are damaged, {lost} offsets cannot be read; readers go on behind them",
        faults.len()
    )))
}

fn progress(bytes: u64) -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(bytes), target);
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_none) => bar,
    }
}

/// Reads one partition through and tells each fault.
fn check(
    seen: &Seen,
    partition: &Arc<Partition>,
    counts: &mut Counts,
    tell: &mut dyn FnMut(String),
    progress: &ProgressBar,
) -> Done {
    let name = partition.name();
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let (mut expected, pool) = (partition.start(), Pool::new(1, 16 << 20));
    loop {
        let lost = match reader.read()? {
            Read::End => break,
            Read::Damage(damage) => Some((damage.from, damage.to, damage.reason)),
            Read::Batch(header, bytes) => {
                counts.batches += 1;
                counts.bytes += bytes.len() as u64;
                progress.inc(bytes.len() as u64);
                let (from, to) = (header.base_offset, header.next_offset());
                if from > expected {
                    counts.lost += u64::try_from(from - expected).unwrap_or(0);
                    tell(format!("{name}: offsets {expected} to {} are missing", from - 1));
                }
                let place: (&Arc<Topic>, i32) = (&seen.topic, name.partition);
                match decode(&header, bytes, place, &pool) {
                    Ok(batch) => {
                        counts.records += u64::from(batch.count);
                        let outside =
                            batch.iter().find(|one| one.offset < from || one.offset >= to);
                        if let Some(one) = outside {
                            let offset = one.offset;
                            tell(format!("{name}: a record of batch {from} has offset {offset}"));
                        }
                        expected = to;
                        None
                    }
                    Err(reason) => Some((from, to, reason)),
                }
            }
        };
        if let Some((from, to, reason)) = lost {
            counts.lost += u64::try_from(to - from).unwrap_or(0);
            tell(format!("{name}: offsets {from} to {}: {reason}", to - 1));
            expected = to;
        }
    }
    Ok(())
}

fn print_counts(counts: &BTreeMap<String, Counts>, out: &mut dyn Write) -> Done {
    let mut table = Table::new(&["TOPIC", "BATCHES", "RECORDS", "LOST", "SIZE"]);
    for (topic, counted) in counts {
        table.row(vec![
            topic.clone(),
            counted.batches.to_string(),
            counted.records.to_string(),
            counted.lost.to_string(),
            show_bytes(counted.bytes),
        ]);
    }
    Ok(table.print(out)?)
}

fn groups(view: View) -> Result<Vec<GroupInfo>, Failure> {
    let hub = HubHandle::from(Arc::new(view) as Arc<dyn Hub>);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    Ok(runtime.block_on(hub.hub().groups())?)
}

/// The other half of the ledger: what each group has still to read.
fn print_groups(
    groups: &[GroupInfo],
    topics: &BTreeMap<String, Seen>,
    out: &mut dyn Write,
) -> Done {
    let behind = |at: &Offset| {
        let number = usize::try_from(at.partition).ok()?;
        let partition = topics.get(&at.topic)?.partitions.get(number)?;
        u64::try_from(partition.end() - at.offset.max(partition.start())).ok()
    };
    let mut table = Table::new(&["GROUP", "PARTITIONS", "LAG"]);
    for group in groups.iter().filter(|group| !group.offsets.is_empty()) {
        let lag: u64 = group.offsets.iter().filter_map(behind).sum();
        table.row(vec![group.name.clone(), group.offsets.len().to_string(), lag.to_string()]);
    }
    Ok(table.print(out)?)
}

/// What crashes left: bytes that were cut off and kept, and bytes behind the last whole batch.
fn torn_files(topics: &BTreeMap<String, Seen>) -> Vec<String> {
    let mut notes = Vec::new();
    for partition in topics.values().flat_map(|seen| &seen.partitions) {
        for segment in partition.segments() {
            let path = segment.path();
            let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            if let Some(rest) = bytes.checked_sub(segment.size_bytes()).filter(|rest| *rest > 0) {
                let path = path.display();
                notes.push(format!(
                    "{path} ends in {rest} bytes that are no whole batch; they are being written, \
                     or were torn by a crash and are kept aside at the next start"
                ));
            }
            let Some(folder) = path.parent() else { continue };
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let file = entry.file_name().to_string_lossy().into_owned();
                if file.starts_with(stem) && file.ends_with(".torn") {
                    notes.push(format!("{} was cut off after a crash", entry.path().display()));
                }
            }
        }
    }
    notes
}
