//! Prints the records, or the batches, of a topic as they are stored.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anabranch_record::{Pool, Topic};
use clap::Args;
use serde_json::json;

use crate::cli::failure::{Done, Failure};
use crate::cli::format::put_content;
use crate::cli::place::show_time;
use crate::hub::HubError;
use crate::hub::embedded::decode;
use crate::hub::embedded::view::View;
use crate::log::{Partition, Read, Reader};
use crate::wire::BatchHeader;

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// The data folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The topic
    topic: String,
    /// Only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// From this offset on
    #[arg(long, value_name = "OFFSET", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    from: i64,
    /// At most so many of each partition
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Print batches instead of records
    #[arg(long)]
    batches: bool,
}

pub(super) fn dump(args: &DumpArgs, out: &mut dyn Write) -> Done {
    let wanted = |number: i32| args.partition.is_none_or(|only| only == number);
    let topics = View::open(&args.folder)?
        .look(|name| name.topic == args.topic && wanted(name.partition))?;
    let Some(seen) = topics.get(&args.topic) else {
        return Err(match args.partition {
            None => HubError::UnknownTopic(args.topic.clone()).into(),
            Some(number) => Failure::failed(format!("there is no {}-{number}", args.topic)),
        });
    };
    for partition in &seen.partitions {
        dump_partition(args, &seen.topic, partition, out)?;
    }
    Ok(())
}

fn dump_partition(
    args: &DumpArgs,
    topic: &Arc<Topic>,
    partition: &Arc<Partition>,
    out: &mut dyn Write,
) -> Done {
    let number = partition.name().partition;
    let start = args.from.max(partition.start());
    let mut reader = Reader::new(Arc::clone(partition), start);
    let (mut left, pool) = (args.count.unwrap_or(u64::MAX), Pool::new(1, 16 << 20));
    while left > 0 {
        let (header, bytes) = match reader.read()? {
            Read::End => break,
            Read::Damage(damage) => {
                let (from, to, reason) = (damage.from, damage.to, damage.reason);
                let line =
                    json!({"partition": number, "damaged_from": from, "to": to, "reason": reason});
                writeln!(out, "{line}")?;
                continue;
            }
            Read::Batch(header, bytes) => (header, bytes),
        };
        if args.batches {
            left -= 1;
            writeln!(out, "{}", batch_line(number, &header))?;
            continue;
        }
        let batch = match decode(&header, bytes, (topic, number), &pool) {
            Ok(batch) => batch,
            Err(reason) => {
                let (from, to) = (header.base_offset, header.next_offset());
                let line =
                    json!({"partition": number, "damaged_from": from, "to": to, "reason": reason});
                writeln!(out, "{line}")?;
                continue;
            }
        };
        for stored in batch.iter().filter(|stored| stored.offset >= start) {
            if left == 0 {
                break;
            }
            left -= 1;
            let mut line = json!({
                "partition": number, "offset": stored.offset, "epoch": batch.epoch,
                "timestamp": show_time(stored.record.timestamp_ms),
            });
            // Headers that the program keeps for itself too: this is what is stored.
            let record = &stored.record;
            let headers: Vec<_> = record.headers.iter_all().collect();
            put_content(&mut line, (record.key, record.value), &headers);
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn batch_line(number: i32, header: &BatchHeader) -> serde_json::Value {
    let codec = header
        .codec()
        .map_or_else(|| "unknown".to_owned(), |codec| format!("{codec:?}").to_lowercase());
    json!({
        "partition": number, "base_offset": header.base_offset, "next_offset": header.next_offset(),
        "records": header.count, "bytes": header.size_bytes, "codec": codec, "epoch": header.epoch,
        "first_time": header.delete_horizon_ms().is_none().then(|| show_time(header.base_timestamp_ms)),
        "delete_horizon": header.delete_horizon_ms().map(show_time), "latest_time": show_time(header.max_timestamp_ms),
        "producer_id": header.producer_id, "crc": format!("{:08x}", header.crc),
    })
}
