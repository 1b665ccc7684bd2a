//! What can be asked of dead letters, and how it is answered.

use std::io::Write;

use clap::{Args, Subcommand};

use super::letters::{WAIT, are_reached, ends, ends_of, letters, reading, replay_group};
use super::replay::{Fate, How, take};
use crate::cli::failure::{Done, Failure};
use crate::cli::filter::Filter;
use crate::cli::format::Format;
use crate::cli::hub::HubArgs;
use crate::cli::table::Table;
use crate::cli::topics::confirm;
use crate::client::{Admin, Consumer, HubHandle};
use crate::hub::DEAD_LETTERS;

#[derive(Debug, Args)]
pub(in crate::cli) struct DlqArgs {
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
    pub(in crate::cli) fn is_raw(&self) -> bool {
        matches!(&self.action, Action::Show { format: Format::Raw, .. })
    }
}

pub(in crate::cli) async fn dlq(args: DlqArgs, out: &mut dyn Write) -> Done {
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
