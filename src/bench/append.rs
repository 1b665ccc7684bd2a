//! The case `append`: what clients' batches of 1 MiB cost the hub, beside a loop that only sums and writes them.
//!
//! Both run in this process, in turns, so that they meet the same machine; the hub leaves flushing to the system, as
//! the loop does. The batches come as a socket's handler has them, and take its way: verified, then handed to the
//! writer's thread, with a few on their way.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use indicatif::ProgressBar;
use rustix::time::{ClockId, clock_gettime};

use super::figures::Figures;
use super::stop;
use crate::hub::Hub;
use crate::hub::embedded::{Embedded, Flush, Settings};
use crate::log::Partition;
use crate::metrics::Metrics;
use crate::wire::{BatchHeader, Builder, Codec, SUMMED_FROM, Stamp};

/// Bytes of a batch, at most.
const BATCH_BYTES: usize = 1 << 20;
/// Bytes of a record in it, more or less.
const RECORD_BYTES: usize = 1000;
/// Batches that each side writes before it is the other's turn.
const TURN: u64 = 32;
/// Batches that are on their way to the writer at a time.
const IN_FLIGHT: usize = 4;
const TOPIC: &str = "append";

pub(super) fn measure(
    folder: &Path,
    bytes: u64,
    progress: &ProgressBar,
) -> Result<Figures, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let batch = batch().map_err(|error| error.to_string())?;
    let turns = (bytes / (TURN * batch.len() as u64)).max(1);
    progress.set_length(turns);
    let loop_file = File::create_new(folder.join("loop.log")).map_err(|error| error.to_string())?;
    let (mut hub_cpu, mut loop_cpu) = (0.0, 0.0);
    let hub = runtime.block_on(open(folder))?;
    for turn in 0..turns {
        let before = cpu_seconds();
        runtime.block_on(append(&hub, &batch))?;
        let between = cpu_seconds();
        write(&loop_file, turn, &batch).map_err(|error| error.to_string())?;
        hub_cpu += between - before;
        loop_cpu += cpu_seconds() - between;
        progress.inc(1);
        stop::check()?;
    }
    runtime.block_on(hub.close());
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let gigabytes = (turns * TURN * batch.len() as u64) as f64 / 1e9;
    Ok(vec![
        ("cpu_s_per_gb", hub_cpu / gigabytes, "CPU-s/GB"),
        ("loop_cpu_s_per_gb", loop_cpu / gigabytes, "CPU-s/GB"),
        ("ratio", hub_cpu / loop_cpu, "x"),
    ])
}

async fn open(folder: &Path) -> Result<Arc<Embedded>, String> {
    let settings = Settings { flush: Flush::Os, ..Settings::new(folder.join("hub")) };
    let hub = Embedded::open(settings, Arc::new(Metrics::default()));
    let hub = hub.map_err(|error| error.to_string())?;
    hub.ensure_topic(TOPIC, Some(1)).await.map_err(|error| error.to_string())?;
    Ok(hub)
}

/// A batch as a client sends it, not compressed, as long as fits.
fn batch() -> Result<Bytes, crate::wire::CompressionError> {
    let mut builder = Builder::new(Codec::None, None);
    let mut out = Vec::new();
    builder.begin(&mut out);
    let value: Vec<u8> = b"0123456789abcdef".iter().copied().cycle().take(RECORD_BYTES).collect();
    let mut count = 0;
    while builder.records().len() + 2 * RECORD_BYTES < BATCH_BYTES {
        let record = anabranch_record::Record { value: Some(&value), ..Default::default() };
        let deltas = (0, i64::from(count));
        anabranch_record::stored::push_record(&record, deltas, &[], builder.records());
        count += 1;
    }
    let stamp = Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count, producer: (-1, -1, -1) };
    builder.finish(stamp, &mut out)?;
    Ok(out.into())
}

async fn append(hub: &Embedded, batch: &Bytes) -> Result<(), String> {
    let state = hub.topic_state(TOPIC).ok_or("the topic is gone")?;
    let partition: &Arc<Partition> = state.partition(0).ok_or("the partition is gone")?;
    let mut receipts = std::collections::VecDeque::with_capacity(IN_FLIGHT);
    for left in (0..TURN).rev() {
        let header = BatchHeader::verify(batch).map_err(|fault| fault.to_string())?;
        let receipt = hub.produce(Arc::clone(partition), header, batch.clone()).await;
        receipts.push_back(receipt.map_err(|error| error.to_string())?);
        while receipts.len() >= IN_FLIGHT || (left == 0 && !receipts.is_empty()) {
            let Some(receipt) = receipts.pop_front() else { break };
            let stored = receipt.await.map_err(|_closed| "the hub is closing")?;
            stored.map_err(|fault| fault.to_string())?;
        }
    }
    Ok(())
}

fn write(file: &File, turn: u64, batch: &[u8]) -> std::io::Result<()> {
    for number in turn * TURN..(turn + 1) * TURN {
        let summed = crc32c::crc32c(batch.get(SUMMED_FROM..).unwrap_or_default());
        // The sum must not be left out as unused.
        std::hint::black_box(summed);
        file.write_all_at(batch, number * batch.len() as u64)?;
    }
    Ok(())
}

/// CPU time that this process has used.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
