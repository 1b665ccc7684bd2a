//! The command `dlq`: dead letters, and their replay.

mod replay;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::failure::{Done, Failure};
use crate::cli::filter::Filter;
use crate::cli::format::Format;
use crate::cli::hub::HubArgs;
use crate::cli::table::Table;
use crate::cli::topics::confirm;
use crate::client::{Admin, Consumer, ConsumerSettings, HubHandle};
use crate::hub::{DEAD_LETTERS, HubError, Offset, PartitionInfo, TopicInfo};
use replay::{Fate, How, take};

/// Why the sink refused it.
pub(in crate::cli) const REASON: &str = "__connect.errors.exception.message";
/// How long nothing may come before a replay counts as done.
const WAIT: Duration = Duration::from_secs(5);
/// The same for one who only looks, once something has come.
const QUIET: Duration = Duration::from_secs(1);

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
    /// Give dead letters again: to the topics that they come from, or to one sink alone
    Replay {
        /// The sink
        sink: String,
        /// Only this sink gets them, the same or another; otherwise every sink of their topics does
        #[arg(long, value_name = "SINK")]
        to: Option<String>,
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
        Action::Replay { sink, to, count, filter, hub } => {
            if let Some(to) = &to {
                hub.is_sink(to)?;
            }
            let hub = hub.writer().await?;
            let fate = to.clone().map_or(Fate::Again, Fate::To);
            let how = How { count: count.unwrap_or(u64::MAX), filter: filter.parsed()?, fate };
            let replayed = take(&hub, &sink, how).await;
            hub.close().await;
            let replayed = replayed?;
            for (topic, records) in &replayed {
                match &to {
                    Some(to) => writeln!(out, "{records} records of {sink} given to {to}")?,
                    None => writeln!(out, "{records} records of {sink} stored again in {topic}")?,
                }
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
        for (partition, letters) in letters(hub, &ends_of(&topic)).await? {
            let mut known = group.iter().flat_map(|group| &group.partitions);
            let known = known.find(|at| at.topic == topic.name && at.partition == partition);
            let from = known.map_or(0, |at| at.committed);
            dead += letters.len();
            left += letters.iter().filter(|offset| **offset >= from).count();
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
    let ends = ends_of(&info);
    Ok((topic, ends))
}

fn ends_of(topic: &TopicInfo) -> Vec<Offset> {
    let end = |(partition, info): (i32, &PartitionInfo)| Offset {
        topic: topic.name.clone(),
        partition,
        offset: info.end,
        epoch: -1,
    };
    let filled = |(_, info): &(i32, &PartitionInfo)| info.end > info.start;
    (0i32..).zip(&topic.partitions).filter(filled).map(end).collect()
}

/// The offsets of the dead letters that there are, by partition. They are read for that: the marks of transactions
/// take offsets too.
async fn letters(hub: &HubHandle, ends: &[Offset]) -> Result<BTreeMap<i32, Vec<i64>>, Failure> {
    let mut letters: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    if ends.is_empty() {
        return Ok(letters);
    }
    let mut consumer = Consumer::new(hub, reading(ends)).await?;
    while !are_reached(ends, &consumer.position()) {
        let wait = if letters.is_empty() { WAIT } else { QUIET };
        let records = consumer.poll(wait).await?;
        if records.is_empty() {
            break;
        }
        for record in &records {
            letters.entry(record.partition).or_default().push(record.offset);
        }
    }
    Ok(letters)
}

/// All of these partitions, without a group.
fn reading(ends: &[Offset]) -> ConsumerSettings {
    let settings = ConsumerSettings::new("").auto_commit(None).max_poll_records(10_000);
    ends.iter().fold(settings, |settings, end| settings.assign(&end.topic, end.partition))
}

async fn show(
    hub: &HubHandle,
    sink: &str,
    (mut left, format, filter): (u64, &Format, &Filter),
    out: &mut dyn Write,
) -> Done {
    let filter = filter.parsed()?;
    let (_, ends) = ends(hub, sink).await?;
    let mut consumer = Consumer::new(hub, reading(&ends)).await?;
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

/// Deletes what was replayed, what `filter` names if it names anything, or all; how many.
async fn purge(hub: &HubHandle, sink: &str, all: bool, filter: &Filter) -> Result<usize, Failure> {
    if filter.is_set() {
        let how = How { count: u64::MAX, filter: filter.parsed()?, fate: Fate::Drop };
        take(hub, sink, how).await?;
    }
    let (topic, ends) = ends(hub, sink).await?;
    let admin = Admin::new(hub);
    let done = admin.group(&replay_group(sink)).await?;
    let letters = letters(hub, &ends).await?;
    let mut deleted = 0;
    for end in ends {
        let mut known = done.iter().flat_map(|group| &group.partitions);
        let known = known.find(|at| at.topic == topic && at.partition == end.partition);
        let before = if all { end.offset } else { known.map_or(0, |at| at.committed) };
        let letters = letters.get(&end.partition).map(Vec::as_slice).unwrap_or_default();
        let gone = letters.iter().filter(|offset| **offset < before).count();
        if gone > 0 {
            admin.delete_records(&topic, end.partition, before).await?;
            deleted += gone;
        }
    }
    Ok(deleted)
}
