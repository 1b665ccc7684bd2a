//! The command `topics`.

use std::io::{IsTerminal, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::{Done, Failure};
use super::hub::HubArgs;
use super::produce::topic_name;
use super::table::{Table, show_bytes};
use crate::client::Admin;
use crate::hub::TopicInfo;

#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List topics
    List {
        /// Also those that the hub keeps for itself
        #[arg(long)]
        internal: bool,
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Show the partitions of topics
    Describe {
        /// The topics
        #[arg(required = true, value_name = "TOPIC")]
        topics: Vec<String>,
        /// Print JSON, one object a line
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Make a topic
    Create {
        /// The topic
        #[arg(value_parser = topic_name)]
        topic: String,
        /// Its partitions
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        partitions: u32,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Delete a topic and its records
    Delete {
        /// The topic
        topic: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
}

pub(super) async fn topics(args: TopicsArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::List { internal, json, hub } => {
            let hub = hub.reader().await?;
            let topics = Admin::new(&hub).topics(internal).await?;
            hub.close().await;
            list(&topics, json, out)
        }
        Action::Describe { topics, json, hub } => {
            let hub = hub.reader().await?;
            let mut infos = Vec::new();
            for topic in &topics {
                infos.push(Admin::new(&hub).topic(topic).await?);
            }
            hub.close().await;
            describe(&infos, json, out)
        }
        Action::Create { topic, partitions, hub } => {
            let hub = hub.writer().await?;
            let created = Admin::new(&hub).create_topic(&topic, partitions).await;
            hub.close().await;
            created?;
            Ok(writeln!(out, "topic {topic} created with {partitions} partitions")?)
        }
        Action::Delete { topic, yes, hub } => {
            confirm(yes, &format!("delete topic {topic} with all its records"), out)?;
            let hub = hub.writer().await?;
            let deleted = Admin::new(&hub).delete_topic(&topic).await;
            hub.close().await;
            deleted?;
            Ok(writeln!(out, "topic {topic} deleted")?)
        }
    }
}

/// Asks a person on a terminal; elsewhere `--yes` has to say it.
pub(super) fn confirm(yes: bool, what: &str, out: &mut dyn Write) -> Done {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::wrong(format!("would {what}; add --yes to do it")));
    }
    write!(out, "{what}? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::failed("not done")),
    }
}

fn records(topic: &TopicInfo) -> i64 {
    topic.partitions.iter().map(|partition| partition.end - partition.start).sum()
}

fn list(topics: &[TopicInfo], json: bool, out: &mut dyn Write) -> Done {
    if json {
        for topic in topics {
            writeln!(out, "{}", as_json(topic))?;
        }
        return Ok(());
    }
    let mut table = Table::new(&["TOPIC", "PARTITIONS", "RECORDS", "SIZE"]);
    for topic in topics {
        let bytes = topic.partitions.iter().map(|partition| partition.bytes).sum();
        table.row(vec![
            topic.name.clone(),
            topic.partitions.len().to_string(),
            records(topic).to_string(),
            show_size(bytes),
        ]);
    }
    Ok(table.print(out)?)
}

fn describe(topics: &[TopicInfo], json: bool, out: &mut dyn Write) -> Done {
    if json {
        return list(topics, true, out);
    }
    let mut table = Table::new(&["TOPIC", "PARTITION", "START", "END", "RECORDS", "SIZE"]);
    for topic in topics {
        for (number, partition) in topic.partitions.iter().enumerate() {
            table.row(vec![
                topic.name.clone(),
                number.to_string(),
                partition.start.to_string(),
                partition.end.to_string(),
                (partition.end - partition.start).to_string(),
                show_size(partition.bytes),
            ]);
        }
    }
    Ok(table.print(out)?)
}

/// A cluster of Kafka is not asked for sizes.
fn show_size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), show_bytes)
}

fn as_json(topic: &TopicInfo) -> Value {
    let partitions: Vec<Value> = topic
        .partitions
        .iter()
        .enumerate()
        .map(|(number, partition)| {
            let (start, end, bytes) = (partition.start, partition.end, partition.bytes);
            json!({"partition": number, "start": start, "end": end, "bytes": bytes})
        })
        .collect();
    json!({"topic": topic.name, "records": records(topic), "partitions": partitions})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::PartitionInfo;

    #[test]
    fn a_size_that_is_not_known_is_not_said_to_be_zero() {
        let partition = |bytes| PartitionInfo { start: 2, end: 5, bytes };
        let topic = |name: &str, partitions| TopicInfo { name: name.to_owned(), partitions };
        let topics =
            [topic("kafka", vec![partition(None)]), topic("here", vec![partition(Some(0))])];
        let mut out = Vec::new();
        list(&topics, false, &mut out).unwrap();
        describe(&topics, false, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let ends: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().last()).collect();
        assert_eq!(ends, ["SIZE", "-", "B", "SIZE", "-", "B"], "{text}");
        assert_eq!(as_json(&topics[0])["partitions"][0]["bytes"], Value::Null);
        assert_eq!(as_json(&topics[1])["partitions"][0]["bytes"], 0);
    }
}
