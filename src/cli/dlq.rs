//! The command `dlq`: dead letters, and their replay.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::failure::{Done, Failure};
use super::filter::Filter;
use super::format::Format;
use super::hub::HubArgs;
use super::table::Table;
use super::topics::confirm;
use crate::client::{
    Admin, ConsumedRecord, Consumer, ConsumerSettings, HubHandle, Message, Producer,
    ProducerSettings,
};
use crate::hub::{DEAD_LETTERS, HubError, Offset};

/// The topic that a dead letter comes from.
const ORIGIN: &str = "__connect.errors.topic";
/// Why the sink refused it.
pub(super) const REASON: &str = "__connect.errors.exception.message";
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
        filter: Filter,
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
        filter: Filter,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Delete dead letters that were replayed, and those that are named
    Purge {
        /// The sink
        sink: String,
        /// All of them
        #[arg(long, conflicts_with_all = ["reason", "since", "before"])]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
}

impl DlqArgs {
    /// Whether values are printed as they are, also on a terminal.
    pub(super) fn is_raw(&self) -> bool {
        matches!(&self.action, Action::Show { format: Format::Raw, .. })
    }
}

pub(super) async fn dlq(args: DlqArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::List { hub } => {
            let hub = hub.reader().await?;
            let listed = list(&hub, out).await;
            hub.close().await;
            listed
        }
        Action::Show { sink, count, format, filter, hub } => {
            let hub = hub.reader().await?;
            let how = (count.unwrap_or(u64::MAX), &format, &filter);
            let shown = show(&hub, &sink, how, out).await;
            hub.close().await;
            shown
        }
        Action::Replay { sink, count, filter, hub } => {
            let hub = hub.writer().await?;
            let replayed =
                take(&hub, &sink, (count.unwrap_or(u64::MAX), &filter), Fate::Replay).await;
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
        Action::Purge { sink, all, filter, yes, hub } => {
            let what = if all { "all dead letters" } else { "dead letters" };
            confirm(yes, &format!("delete {what} of {sink}"), out)?;
            let hub = hub.writer().await?;
            let purged = purge(&hub, &sink, all, &filter).await;
            hub.close().await;
            Ok(writeln!(out, "{} dead letters of {sink} deleted", purged?)?)
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
    (mut left, format, filter): (u64, &Format, &Filter),
    out: &mut dyn Write,
) -> Done {
    let filter = filter.parsed()?;
    let (_, ends) = ends(hub, sink).await?;
    let mut settings = ConsumerSettings::new("").auto_commit(None);
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
        for record in records.iter().filter(|record| filter.has(record)) {
            if left > 0 {
                format.print(record, false, &mut text);
                left -= 1;
            }
        }
        out.write_all(&text)?;
    }
    Ok(())
}

fn are_reached(ends: &[Offset], position: &[Offset]) -> bool {
    ends.iter().all(|end| {
        position.iter().any(|at| at.partition == end.partition && at.offset >= end.offset)
    })
}

/// What becomes of dead letters that were asked for. The others stay, behind those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Replay,
    Drop,
}

/// Takes dead letters that were not replayed yet; how many were stored by topic. What was stored is committed before the
/// next are read, so one that is cut off repeats at most the last few.
async fn take(
    hub: &HubHandle,
    sink: &str,
    (mut left, filter): (u64, &Filter),
    fate: Fate,
) -> Result<BTreeMap<String, u64>, Failure> {
    let filter = filter.parsed()?;
    let (topic, mut ends) = ends(hub, sink).await?;
    let group = replay_group(sink);
    let done = Admin::new(hub).group(&group).await?;
    ends.retain(|end| {
        let mut known = done.iter().flat_map(|group| &group.partitions);
        !known.any(|at| {
            at.topic == topic && at.partition == end.partition && at.committed >= end.offset
        })
    });
    let mut stored = BTreeMap::new();
    if ends.is_empty() {
        return Ok(stored);
    }
    let settings = ConsumerSettings::new(&group).auto_commit(None).subscribe(&[&topic])?;
    let mut consumer = Consumer::new(hub, settings.max_poll_records(100)).await?;
    let producer = Producer::new(hub, ProducerSettings::default())?;
    while left > 0 && !are_reached(&ends, &consumer.position()) {
        let mut records = consumer.poll(WAIT).await?;
        // What was put behind the end by this very command is not looked at again.
        records.retain(|record| {
            ends.iter().any(|end| end.partition == record.partition && record.offset < end.offset)
        });
        records.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        if records.is_empty() {
            break;
        }
        let (wanted, others): (Vec<_>, Vec<_>) =
            records.iter().partition(|record| filter.has(record));
        let mut messages = Vec::new();
        if fate == Fate::Replay {
            messages.extend(wanted.into_iter().map(again).collect::<Result<Vec<_>, _>>()?);
        }
        messages.extend(others.into_iter().map(|record| copy(record, &topic)));
        store(&producer, messages, &mut stored).await?;
        consumer.commit_offsets(&after(&records)).await?;
        left = left.saturating_sub(records.len() as u64);
    }
    producer.close().await;
    // Those that stay are no news.
    stored.remove(&topic);
    Ok(stored)
}

/// Deletes what was replayed, what `filter` names if it names anything, or all; how many.
async fn purge(hub: &HubHandle, sink: &str, all: bool, filter: &Filter) -> Result<u64, Failure> {
    if filter.is_set() {
        take(hub, sink, (u64::MAX, filter), Fate::Drop).await?;
    }
    let (topic, ends) = ends(hub, sink).await?;
    let admin = Admin::new(hub);
    let done = admin.group(&replay_group(sink)).await?;
    let info = admin.topic(&topic).await?;
    let mut deleted = 0;
    for end in ends {
        let mut known = done.iter().flat_map(|group| &group.partitions);
        let known = known.find(|at| at.topic == topic && at.partition == end.partition);
        let before = if all { end.offset } else { known.map_or(0, |at| at.committed) };
        let number = usize::try_from(end.partition).unwrap_or(usize::MAX);
        let start = info.partitions.get(number).map_or(0, |partition| partition.start);
        if before > start {
            admin.delete_records(&topic, end.partition, before).await?;
            deleted += u64::try_from(before - start).unwrap_or(0);
        }
    }
    Ok(deleted)
}

/// Sends all, and waits until all are stored.
async fn store(
    producer: &Producer,
    messages: Vec<Message>,
    stored: &mut BTreeMap<String, u64>,
) -> Done {
    let sends = messages.into_iter().map(|message| async move {
        let topic = message.topic.clone();
        producer.send(message).await?;
        Ok::<String, Failure>(topic)
    });
    for topic in futures::future::try_join_all(sends).await? {
        *stored.entry(topic).or_default() += 1;
    }
    Ok(())
}

/// The same record, for `topic`.
fn copy(record: &ConsumedRecord, topic: &str) -> Message {
    let mut message = Message::new(topic).timestamp_ms(record.timestamp_ms);
    message.key.clone_from(&record.key);
    message.value.clone_from(&record.value);
    for (name, value) in &record.headers {
        message = message.header(name, value.clone().unwrap_or_default());
    }
    message
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
