//! The command `groups`.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::{Done, Failure};
use super::hub::HubArgs;
use super::place::Place;
use super::table::Table;
use super::topics::confirm;
use crate::client::{Admin, GroupDescription, HubHandle, PartitionProgress};
use crate::hub::{Lag, Offset, Reads, StartAt, TopicInfo};

#[derive(Debug, Args)]
pub(super) struct GroupsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List groups that have committed offsets
    List {
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Show how far a group has come
    Describe {
        /// The group; a sink's name is its group
        group: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Move a group's offsets
    Reset(ResetArgs),
    /// Delete a group and its offsets
    Delete {
        /// The group
        group: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
}

#[derive(Debug, Args)]
struct ResetArgs {
    /// The group
    group: String,
    /// The topic
    #[arg(long)]
    topic: String,
    /// Only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// earliest, latest, a time, how long ago such as 15m, `offset N`, or `shift N` (back when negative)
    #[arg(long, value_name = "PLACE", required = true, num_args = 1..=2, allow_negative_numbers = true)]
    to: Vec<String>,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    hub: HubArgs,
}

/// Stands for an offset where there is none, as in Kafka's protocol.
const NOTHING_COMMITTED: i64 = -1;

/// Where a group is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Place(StartAt),
    Shift(i64),
}

pub(super) async fn groups(args: GroupsArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::List { json, hub } => {
            let hub = hub.reader().await?;
            let groups = Admin::new(&hub).groups().await?;
            hub.close().await;
            list(&groups, json, out)
        }
        Action::Describe { group, json, hub: args } => {
            let hub = args.reader().await?;
            let mut found = Admin::new(&hub).group(&group).await?;
            if let (None, Some(reads)) = (&found, args.sink(&group)) {
                found = Some(of_sink(&hub, reads).await?);
            }
            hub.close().await;
            let Some(found) = found else { return Err(unknown(&group)) };
            describe(&found, json, out)
        }
        Action::Reset(args) => reset(args, out).await,
        Action::Delete { group, yes, hub } => {
            confirm(yes, &format!("delete group {group} with its offsets"), out)?;
            let hub = hub.writer().await?;
            let deleted = Admin::new(&hub).delete_group(&group).await;
            hub.close().await;
            if !deleted? {
                return Err(unknown(&group));
            }
            Ok(writeln!(out, "group {group} deleted")?)
        }
    }
}

/// A sink that has committed nothing yet is behind all that there is for it.
async fn of_sink(hub: &HubHandle, reads: Reads) -> Result<GroupDescription, Failure> {
    let group = reads.group.clone();
    let lags = hub.hub().lags(&[reads]).await?;
    let progress = |lag: Lag| PartitionProgress {
        topic: lag.topic,
        partition: lag.partition,
        committed: NOTHING_COMMITTED,
        end: lag.end,
        lag: lag.records,
    };
    let partitions = lags.into_iter().flat_map(|lag| lag.partitions).map(progress).collect();
    Ok(GroupDescription { name: group, partitions })
}

fn unknown(group: &str) -> Failure {
    Failure::failed(format!(
        "group \"{group}\" has committed nothing; `anabranch groups list` shows those that have"
    ))
}

fn list(groups: &[GroupDescription], json: bool, out: &mut dyn Write) -> Done {
    let mut table = Table::new(&["GROUP", "TOPICS", "PARTITIONS", "LAG"]);
    for group in groups {
        let mut topics: Vec<&str> =
            group.partitions.iter().map(|partition| partition.topic.as_str()).collect();
        topics.dedup();
        let lag: u64 = group.partitions.iter().map(|partition| partition.lag).sum();
        if json {
            writeln!(out, "{}", json!({"group": group.name, "topics": topics, "lag": lag}))?;
            continue;
        }
        let partitions = group.partitions.len().to_string();
        table.row(vec![group.name.clone(), topics.join(","), partitions, lag.to_string()]);
    }
    if json { Ok(()) } else { Ok(table.print(out)?) }
}

fn describe(group: &GroupDescription, json: bool, out: &mut dyn Write) -> Done {
    if json {
        let partitions = group.partitions.iter().map(|at| {
            json!({
                "topic": at.topic, "partition": at.partition, "committed": at.committed,
                "end": at.end, "lag": at.lag,
            })
        });
        let partitions: Vec<Value> = partitions.collect();
        return Ok(writeln!(out, "{}", json!({"group": group.name, "partitions": partitions}))?);
    }
    let mut table = Table::new(&["TOPIC", "PARTITION", "COMMITTED", "END", "LAG"]);
    for at in &group.partitions {
        table.row(vec![
            at.topic.clone(),
            at.partition.to_string(),
            if at.committed == NOTHING_COMMITTED {
                "none".to_owned()
            } else {
                at.committed.to_string()
            },
            at.end.to_string(),
            at.lag.to_string(),
        ]);
    }
    Ok(table.print(out)?)
}

fn parse_to(words: &[String]) -> Result<To, Failure> {
    let number = |text: &str| {
        text.parse::<i64>()
            .map_err(|_none| Failure::wrong(format!("--to: \"{text}\" is not a whole number")))
    };
    // In quotes they come as one.
    let words: Vec<&str> = words.iter().flat_map(|words| words.split_whitespace()).collect();
    match words.as_slice() {
        ["offset", offset] => match number(offset)? {
            offset if offset >= 0 => Ok(To::Place(StartAt::Offset(offset))),
            _ => Err(Failure::wrong("--to: an offset is not negative; did you mean `shift`?")),
        },
        ["shift", by] => Ok(To::Shift(number(by)?)),
        [place] if !matches!(*place, "offset" | "shift") && place.parse::<i64>().is_err() => {
            let place = place.parse::<Place>().map(|place| To::Place(place.0));
            place.map_err(|_none| expected())
        }
        _ => Err(expected()),
    }
}

fn expected() -> Failure {
    Failure::wrong(
        "--to: expected `earliest`, `latest`, a time such as 2026-11-20T08:00:00Z, how long ago such as 15m, \
         `offset N` or `shift N`",
    )
}

async fn reset(args: ResetArgs, out: &mut dyn Write) -> Done {
    let to = parse_to(&args.to)?;
    let reader = args.hub.reader().await?;
    let planned = plan(&args, to, &reader).await;
    reader.close().await;
    let planned = planned?;
    let mut table = Table::new(&["TOPIC", "PARTITION", "COMMITTED", "NEW"]);
    for (offset, committed) in &planned {
        let committed = committed.map_or_else(|| "none".to_owned(), |at| at.to_string());
        let (partition, new) = (offset.partition.to_string(), offset.offset.to_string());
        table.row(vec![offset.topic.clone(), partition, committed, new]);
    }
    table.print(out)?;
    if args.dry_run {
        return Ok(writeln!(out, "nothing was changed (--dry-run)")?);
    }
    confirm(args.yes, &format!("move group {}", args.group), out)?;
    let offsets: Vec<Offset> = planned.into_iter().map(|(offset, _)| offset).collect();
    if let Some(agent) = args.hub.agent_with(&args.group).await? {
        agent.set_offsets(&args.group, &offsets).await?;
    } else {
        let hub = args.hub.writer().await?;
        let moved = Admin::new(&hub).set_offsets(&args.group, &offsets).await;
        hub.close().await;
        moved?;
    }
    Ok(writeln!(out, "group {} moved", args.group)?)
}

/// The new offset of each partition, and the present one.
async fn plan(
    args: &ResetArgs,
    to: To,
    hub: &HubHandle,
) -> Result<Vec<(Offset, Option<i64>)>, Failure> {
    let admin = Admin::new(hub);
    let topic: TopicInfo = admin.topic(&args.topic).await?;
    let group = admin.group(&args.group).await?;
    let times = match to {
        To::Place(StartAt::Time(time_ms)) => admin.offsets_for_time(&args.topic, time_ms).await?,
        To::Place(_) | To::Shift(_) => Vec::new(),
    };
    let mut planned = Vec::new();
    for (number, partition) in (0i32..).zip(&topic.partitions) {
        if args.partition.is_some_and(|wanted| wanted != number) {
            continue;
        }
        let known = group.iter().flat_map(|group| &group.partitions);
        let mut known = known.filter(|at| at.topic == args.topic && at.partition == number);
        let committed = known.next().map(|at| at.committed);
        let wanted = match to {
            To::Shift(by) => match committed {
                Some(committed) => committed.saturating_add(by),
                // What it has not begun to read is not moved.
                None => continue,
            },
            To::Place(StartAt::Earliest) => partition.start,
            To::Place(StartAt::Latest) => partition.end,
            To::Place(StartAt::Offset(offset)) => offset,
            To::Place(StartAt::Time(_)) => {
                let at = times.iter().find(|at| at.partition == number);
                at.map_or(partition.end, |at| at.offset)
            }
        };
        let offset = wanted.clamp(partition.start, partition.end.max(partition.start));
        let offset = Offset { topic: args.topic.clone(), partition: number, offset, epoch: -1 };
        planned.push((offset, committed));
    }
    if planned.is_empty() && matches!(to, To::Shift(_)) {
        return Err(unknown(&args.group));
    }
    if planned.is_empty() {
        let count = topic.partitions.len();
        let topic = &args.topic;
        return Err(Failure::wrong(format!(
            "topic \"{topic}\" has {count} partitions; --partition is none of them"
        )));
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_moved_to_a_place_or_by_a_number() {
        let to = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            parse_to(&words).ok()
        };
        assert_eq!(to("earliest"), Some(To::Place(StartAt::Earliest)));
        assert_eq!(to("offset 12"), Some(To::Place(StartAt::Offset(12))));
        assert_eq!(to("shift -3"), Some(To::Shift(-3)));
        assert_eq!(to("1970-01-01T00:00:01Z"), Some(To::Place(StartAt::Time(1000))));
        assert_eq!(to("12"), None);
        assert_eq!(to("offset -1"), None);
        assert_eq!(to("shift"), None);
    }
}
