//! The command `dlq`: dead letters, and their replay.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::failure::{Done, Failure};
use super::format::Format;
use super::hub::HubArgs;
use super::table::Table;
use crate::client::{
    Admin, ConsumedRecord, Consumer, ConsumerSettings, HubHandle, Message, Producer,
    ProducerSettings,
};
use crate::hub::{DEAD_LETTERS, HubError, Offset};

/// The topic that a dead letter comes from.
const ORIGIN: &str = "__connect.errors.topic";
/// Why the sink refused it.
const REASON: &str = "__connect.errors.exception.message";
/// Beginnings of the names of headers that were added to a dead letter.
const ADDED: [&str; 2] = ["__connect.errors.", "anabranch.dlq."];
/// How long nothing may come before a replay counts as done.
const WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct DlqArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List sinks that have dead letters
    List {
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Show dead letters and why they were refused
    Show {
        /// The sink
        sink: String,
        /// At most so many
        #[arg(long, short = 'n', value_name = "N")]
        count: Option<u64>,
        /// pretty, json, value, keys, or a template
        #[arg(long, value_name = "FORMAT", default_value = "pretty")]
        format: Format,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Store dead letters again in the topics that they come from
    Replay {
        /// The sink
        sink: String,
        /// At most so many
        #[arg(long, short = 'n', value_name = "N")]
        count: Option<u64>,
        #[command(flatten)]
        hub: HubArgs,
    },
}

pub(super) async fn dlq(args: DlqArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::List { hub } => {
            let hub = hub.reader().await?;
            let listed = list(&hub, out).await;
            hub.close().await;
            listed
        }
        Action::Show { sink, count, format, hub } => {
            let hub = hub.reader().await?;
            let shown = show(&hub, &sink, (count.unwrap_or(u64::MAX), &format), out).await;
            hub.close().await;
            shown
        }
        Action::Replay { sink, count, hub } => {
            let hub = hub.writer().await?;
            let replayed = replay(&hub, &sink, count.unwrap_or(u64::MAX)).await;
            hub.close().await;
            let replayed = replayed?;
            for (topic, records) in &replayed {
                writeln!(out, "{records} records of {sink} stored again in {topic}")?;
            }
            if replayed.is_empty() {
                writeln!(out, "{sink} has no dead letters that were not replayed yet")?;
            }
            Ok(())
        }
    }
}

fn replay_group(sink: &str) -> String {
    format!("{sink}.dlq-replay")
}

async fn list(hub: &HubHandle, out: &mut dyn Write) -> Done {
    let admin = Admin::new(hub);
    let groups = admin.groups().await?;
    let mut table = Table::new(&["SINK", "DEAD", "TO REPLAY"]);
    for topic in admin.topics(false).await? {
        let Some(sink) = topic.name.strip_suffix(DEAD_LETTERS) else { continue };
        let replay = replay_group(sink);
        let group = groups.iter().find(|group| group.name == replay);
        let (mut dead, mut left) = (0, 0);
        for (number, partition) in (0i32..).zip(&topic.partitions) {
            let mut known = group.iter().flat_map(|group| &group.partitions);
            let known = known.find(|at| at.topic == topic.name && at.partition == number);
            let from = known.map_or(partition.start, |at| at.committed.max(partition.start));
            dead += partition.end - partition.start;
            left += partition.end - from;
        }
        table.row(vec![sink.to_owned(), dead.to_string(), left.to_string()]);
    }
    Ok(table.print(out)?)
}

/// The ends of the partitions of a sink's dead letters; a sink without any is told.
async fn ends(hub: &HubHandle, sink: &str) -> Result<(String, Vec<Offset>), Failure> {
    let topic = format!("{sink}{DEAD_LETTERS}");
    let info = match Admin::new(hub).topic(&topic).await {
        Err(crate::client::ClientError::Hub(HubError::UnknownTopic(_))) => {
            return Err(Failure::failed(format!(
                "sink \"{sink}\" has no dead letters; `anabranch dlq list` shows those that have"
            )));
        }
        found => found?,
    };
    let end = |(partition, info): (i32, &crate::hub::PartitionInfo)| Offset {
        topic: topic.clone(),
        partition,
        offset: info.end,
        epoch: -1,
    };
    let filled = |(_, info): &(i32, &crate::hub::PartitionInfo)| info.end > info.start;
    let ends = (0i32..).zip(&info.partitions).filter(filled).map(end).collect();
    Ok((topic, ends))
}

async fn show(
    hub: &HubHandle,
    sink: &str,
    (mut left, format): (u64, &Format),
    out: &mut dyn Write,
) -> Done {
    let (_, ends) = ends(hub, sink).await?;
    let group = format!("anabranch-console-{}", uuid::Uuid::new_v4().simple());
    let mut settings = ConsumerSettings::new(&group).auto_commit(None);
    for end in &ends {
        settings = settings.assign(&end.topic, end.partition);
    }
    let mut consumer = Consumer::new(hub, settings).await?;
    while left > 0 && !are_reached(&ends, &consumer.position()) {
        let records = consumer.poll(WAIT).await?;
        if records.is_empty() {
            break;
        }
        let mut text = Vec::new();
        for record in records.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            format.print(record, false, &mut text);
        }
        out.write_all(&text)?;
        left = left.saturating_sub(records.len() as u64);
    }
    Ok(())
}

fn are_reached(ends: &[Offset], position: &[Offset]) -> bool {
    ends.iter().all(|end| {
        position.iter().any(|at| at.partition == end.partition && at.offset >= end.offset)
    })
}

/// Stores dead letters again; how many by topic. What was stored is committed before the next are read, so a replay
/// that is cut off repeats at most the last few.
async fn replay(
    hub: &HubHandle,
    sink: &str,
    mut left: u64,
) -> Result<BTreeMap<String, u64>, Failure> {
    let (topic, mut ends) = ends(hub, sink).await?;
    let group = replay_group(sink);
    let done = Admin::new(hub).group(&group).await?;
    ends.retain(|end| {
        let mut known = done.iter().flat_map(|group| &group.partitions);
        !known.any(|at| {
            at.topic == topic && at.partition == end.partition && at.committed >= end.offset
        })
    });
    let mut replayed = BTreeMap::new();
    if ends.is_empty() {
        return Ok(replayed);
    }
    let settings = ConsumerSettings::new(&group).auto_commit(None).subscribe(&[&topic])?;
    let mut consumer = Consumer::new(hub, settings.max_poll_records(100)).await?;
    let producer = Producer::new(hub, ProducerSettings::default())?;
    while left > 0 && !are_reached(&ends, &consumer.position()) {
        let mut records = consumer.poll(WAIT).await?;
        records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if records.is_empty() {
            break;
        }
        store(&producer, &records, &mut replayed).await?;
        consumer.commit_offsets(&after(&records)).await?;
        left = left.saturating_sub(records.len() as u64);
    }
    producer.close().await;
    Ok(replayed)
}

/// Sends all, and waits until all are stored.
async fn store(
    producer: &Producer,
    records: &[ConsumedRecord],
    replayed: &mut BTreeMap<String, u64>,
) -> Done {
    let sends = records.iter().map(|record| async move {
        let message = again(record)?;
        let topic = message.topic.clone();
        producer.send(message).await?;
        Ok::<String, Failure>(topic)
    });
    for topic in futures::future::try_join_all(sends).await? {
        *replayed.entry(topic).or_default() += 1;
    }
    Ok(())
}

fn after(records: &[ConsumedRecord]) -> Vec<Offset> {
    let mut last = BTreeMap::new();
    for record in records {
        last.insert(
            (record.topic().to_owned(), record.partition),
            (record.offset + 1, record.epoch),
        );
    }
    let offset = |((topic, partition), (offset, epoch))| Offset { topic, partition, offset, epoch };
    last.into_iter().map(offset).collect()
}

/// The record as it was before it became a dead letter.
fn again(record: &ConsumedRecord) -> Result<Message, Failure> {
    let origin = record.header(ORIGIN).map(|topic| String::from_utf8_lossy(topic).into_owned());
    let origin = origin.ok_or_else(|| {
        let (topic, partition, offset) = (record.topic(), record.partition, record.offset);
        let reason = record.header(REASON).map(String::from_utf8_lossy).unwrap_or_default();
        Failure::failed(format!(
            "{topic}-{partition} offset {offset} does not say which topic it comes from {reason}"
        ))
    })?;
    let mut message = Message::new(&origin).timestamp_ms(record.timestamp_ms);
    message.key.clone_from(&record.key);
    message.value.clone_from(&record.value);
    for (name, value) in &record.headers {
        if !ADDED.iter().any(|prefix| name.starts_with(prefix)) {
            message = message.header(name, value.clone().unwrap_or_default());
        }
    }
    Ok(message)
}
