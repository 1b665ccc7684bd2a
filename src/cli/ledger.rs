//! The command `ledger`: what became of every record, and whether it balances.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::failure::{Done, Failure};
use super::hub::HubArgs;
use super::table::{Table, show_bytes};
use crate::hub::sink_rows;
use crate::ledger::rows::{Difference, Ledger, Shown, SinkRow, SourceRow};

#[derive(Debug, Args)]
pub(super) struct LedgerArgs {
    /// The configuration whose hub is meant, as with --config
    #[arg(value_name = "CONFIG", conflicts_with = "config")]
    place: Option<PathBuf>,
    /// Count everything anew from the log, and compare to the record
    #[arg(long)]
    verify: bool,
    /// How to print it
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Print JSON, as --format json
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table for people
    Table,
    /// JSON, as the API has it
    Json,
}

pub(super) async fn ledger(args: LedgerArgs, out: &mut dyn Write) -> Done {
    let hub = args.hub.with_config(args.place);
    let running = match hub.answering_agent() {
        // One that does not answer does not run, or says with the hub why not.
        Some(agent) => agent.ledger().await.ok(),
        None => None,
    };
    let mut ledger = match running {
        Some(ledger) => ledger,
        None => of_hub(&hub).await?,
    };
    if args.verify {
        ledger.verified = Some(hub.verify().await?);
    }
    let is_json = args.json || args.format == Format::Json;
    if is_json {
        let text = serde_json::to_string_pretty(&ledger);
        writeln!(out, "{}", text.map_err(|error| Failure::failed(error.to_string()))?)?;
    } else {
        print(&ledger, out)?;
    }
    let faults = ledger.verified.as_ref().map_or(0, |verified| verified.faults.len());
    match ledger.balanced {
        true if faults == 0 => Ok(()),
        true => {
            Err(Failure::failed(format!("the log disagrees with what is kept in {faults} places")))
        }
        false => Err(unbalanced(&ledger)),
    }
}

/// From what the hub keeps, without a running agent.
async fn of_hub(args: &HubArgs) -> Result<Ledger, Failure> {
    let reads = args.reads()?;
    let hub = args.accountant().await?;
    let accounts = hub.hub().accounts().await?;
    let sinks = sink_rows(hub.hub().as_ref(), reads.as_deref()).await?;
    hub.close().await;
    let sources = accounts.iter().map(|(name, account)| SourceRow::new(name, account)).collect();
    Ok(Ledger::new(sources, sinks))
}

fn unbalanced(ledger: &Ledger) -> Failure {
    let mut faults = Vec::new();
    for row in ledger.sources.iter().filter(|row| !row.balanced) {
        faults.push(format!("source {}: {}", row.name, show_difference(row.difference)));
    }
    for row in ledger.sinks.iter().filter(|row| !row.balanced) {
        faults.push(format!("sink {}: {}", row.name, show_difference(row.difference)));
    }
    Failure::failed(format!("the ledger does not balance: {}", faults.join("; ")))
}

fn show_difference(Difference { records, bytes }: Difference) -> String {
    let word = if records < 0 || bytes < 0 { "too many" } else { "missing" };
    format!("{} records and {} bytes {word}", records.abs(), bytes.abs())
}

fn print(ledger: &Ledger, out: &mut dyn Write) -> Done {
    let mut table = Table::new(&[
        "SOURCE",
        "READ",
        "STORED",
        "NOT STORED",
        "DROPPED",
        "UNDER WAY",
        "BYTES",
        "BALANCES",
    ]);
    for row in &ledger.sources {
        let SourceRow { name, read, stored, not_stored, dropped, under_way, .. } = row;
        table.row(vec![
            name.clone(),
            read.records.to_string(),
            stored.records.to_string(),
            not_stored.records.to_string(),
            dropped.values().sum::<u64>().to_string(),
            under_way.records.to_string(),
            show_bytes(read.bytes),
            balances(row.balanced, row.difference),
        ]);
    }
    table.print(out)?;
    writeln!(out)?;
    let head = [
        "SINK",
        "STORED",
        "DELIVERED",
        "DEAD",
        "DIVERTED",
        "FILTERED",
        "LOST",
        "LAG",
        "BYTES",
        "BALANCES",
    ];
    let mut table = Table::new(&head);
    for row in &ledger.sinks {
        let sum = |by: &BTreeMap<String, Shown>| by.values().map(|one| one.records).sum::<u64>();
        let SinkRow { name, stored, delivered, dead, diverted, filtered, lost, lag, .. } = row;
        table.row(vec![
            name.clone(),
            stored.records.to_string(),
            delivered.records.to_string(),
            sum(dead).to_string(),
            diverted.records.to_string(),
            sum(filtered).to_string(),
            sum(lost).to_string(),
            lag.to_string(),
            show_bytes(stored.bytes),
            balances(row.balanced, row.difference),
        ]);
    }
    table.print(out)?;
    notes(ledger, out)?;
    let Some(verified) = &ledger.verified else { return Ok(()) };
    for note in &verified.notes {
        writeln!(out, "note: {note}")?;
    }
    for fault in &verified.faults {
        writeln!(out, "wrong: {fault}")?;
    }
    let (records, bytes) = (verified.records, show_bytes(verified.bytes));
    Ok(writeln!(out, "counted anew from the log: {records} records, {bytes}")?)
}

/// Reasons, and what is to be known of offsets.
fn notes(ledger: &Ledger, out: &mut dyn Write) -> Done {
    for row in &ledger.sources {
        for (reason, records) in &row.dropped {
            writeln!(out, "source {}: dropped {records}: {reason}", row.name)?;
        }
    }
    for row in &ledger.sinks {
        for (term, by) in [("dead", &row.dead), ("filtered", &row.filtered), ("lost", &row.lost)] {
            for (reason, Shown { records, .. }) in by {
                writeln!(out, "sink {}: {term} {records}: {reason}", row.name)?;
            }
        }
        for place in &row.partitions {
            let (name, topic, partition) = (&row.name, &place.topic, place.partition);
            if place.base > 0 {
                let base = place.base;
                writeln!(out, "sink {name}: {topic}-{partition} is counted from offset {base} on")?;
            }
            if place.taken_back != 0 {
                let records = place.taken_back;
                writeln!(
                    out,
                    "sink {name}: {topic}-{partition}: the log has lost {records} records that it had delivered"
                )?;
            }
        }
    }
    Ok(())
}

fn balances(balanced: bool, difference: Difference) -> String {
    if balanced { "yes".to_owned() } else { format!("no: {}", show_difference(difference)) }
}
