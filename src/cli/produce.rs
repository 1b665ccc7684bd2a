//! The command `produce`: stores lines as records.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::failure::{Done, Failure, warn};
use super::hub::{HubArgs, pair};
use crate::client::{HubHandle, Message, Producer, ProducerSettings, is_topic_name};

/// How long nothing may get on before it is told.
const QUIET: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ProduceArgs {
    /// The topic; made when it does not exist
    #[arg(value_parser = topic_name)]
    topic: String,
    /// What stands before this in a line is the key
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// A header of every record; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    headers: Vec<(String, String)>,
    /// Read this file instead of standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Store in this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..), allow_negative_numbers = true)]
    partition: Option<i32>,
    #[command(flatten)]
    hub: HubArgs,
}

/// A topic's name, for arguments.
pub(super) fn topic_name(text: &str) -> Result<String, String> {
    if is_topic_name(text) {
        return Ok(text.to_owned());
    }
    Err("a topic has 1 to 249 letters, digits, dots, dashes and underscores".to_owned())
}

/// What became of the lines so far.
#[derive(Default)]
struct Outcomes {
    sent: AtomicU64,
    stored: AtomicU64,
    failed: AtomicU64,
    first_error: Mutex<Option<String>>,
}

pub(super) async fn produce(args: ProduceArgs, out: &mut dyn Write) -> Done {
    let input: Box<dyn BufRead + Send> = match &args.file {
        Some(path) => {
            let opened = File::open(path).map_err(|error| {
                Failure::failed(format!("cannot open {}: {error}", path.display()))
            })?;
            Box::new(BufReader::new(opened))
        }
        None => Box::new(BufReader::new(io::stdin())),
    };
    let hub = args.hub.writer().await?;
    let producer = Producer::new(&hub, ProducerSettings::default())?;
    let outcomes = Arc::new(Outcomes::default());
    let work = async {
        let sent = send(&args, input, &producer, &outcomes).await;
        producer.close().await;
        sent
    };
    let sent = tokio::select! {
        sent = work => sent,
        () = tell_of_waits(&hub, &outcomes) => Ok(()),
    };
    hub.close().await;
    sent?;
    let stored = outcomes.stored.load(Ordering::Acquire);
    let failed = outcomes.failed.load(Ordering::Acquire);
    writeln!(out, "{stored} records stored in {}", args.topic)?;
    if failed == 0 {
        return Ok(());
    }
    let first = outcomes.first_error.lock().take();
    let first = first.unwrap_or_default();
    Err(Failure::failed(format!("{failed} records are not stored: {first}")))
}

/// Says on standard error when nothing has got on for a while, and what it waits for. Never ends.
async fn tell_of_waits(hub: &HubHandle, outcomes: &Outcomes) {
    let (mut known, mut since, mut told) = (0, Instant::now(), false);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let done =
            outcomes.stored.load(Ordering::Acquire) + outcomes.failed.load(Ordering::Acquire);
        let waiting = outcomes.sent.load(Ordering::Acquire).saturating_sub(done);
        if waiting == 0 || done != known {
            (known, since, told) = (done, Instant::now(), false);
        } else if since.elapsed() >= QUIET && !told {
            let state = hub.hub().state();
            let why = state.map_or_else(|why| why, |hub| format!("{hub} does not take more now"));
            warn(&format!("still waiting: {waiting} records are not stored yet; {why}"));
            told = true;
        }
    }
}

async fn send(
    args: &ProduceArgs,
    mut input: Box<dyn BufRead + Send>,
    producer: &Producer,
    outcomes: &Arc<Outcomes>,
) -> Done {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let lines = read_some(&mut input);
            (input, lines)
        });
        let (back, lines) = read.await.map_err(|error| Failure::failed(error.to_string()))?;
        input = back;
        let lines = lines.map_err(|error| Failure::failed(format!("cannot read: {error}")))?;
        if lines.is_empty() {
            return Ok(());
        }
        for line in lines {
            outcomes.sent.fetch_add(1, Ordering::AcqRel);
            let outcomes = Arc::clone(outcomes);
            let told = move |outcome: Result<_, crate::client::ClientError>| match outcome {
                Ok(_stored) => drop(outcomes.stored.fetch_add(1, Ordering::AcqRel)),
                Err(error) => {
                    outcomes.failed.fetch_add(1, Ordering::AcqRel);
                    let first = &outcomes.first_error;
                    first.lock().get_or_insert_with(|| error.to_string());
                }
            };
            producer.send_with(message(args, line), told).await?;
        }
    }
}

/// Lines that are there, without their ends; none at the end of the input. Waits for the first only.
fn read_some(input: &mut Box<dyn BufRead + Send>) -> io::Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(lines);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        lines.push(line);
        let more = lines.len() < 1000 && input.fill_buf()?.contains(&b'\n');
        if !more {
            return Ok(lines);
        }
    }
}

fn message(args: &ProduceArgs, line: Vec<u8>) -> Message {
    let mut message = Message { partition: args.partition, ..Message::new(&args.topic) };
    for (name, value) in &args.headers {
        message = message.header(name, value.as_str());
    }
    let separator = args.key_separator.as_deref().unwrap_or_default().as_bytes();
    let at = memchr::memmem::find(&line, separator).filter(|_| !separator.is_empty());
    let Some((key, rest)) = at.and_then(|at| line.split_at_checked(at)) else {
        return message.value(line);
    };
    let value = rest.get(separator.len()..).unwrap_or_default();
    message.key(key).value(value)
}
