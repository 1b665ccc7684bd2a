//! `anabranch bench`: what the main jobs cost on this machine.
//!
//! The agent under test is this same program in a process of its own, so its CPU seconds and its memory are only its
//! own; what makes the load and what receives it live in the benchmark's process. These machines are shared: quote CPU
//! seconds and ratios to something that ran beside it, never one absolute time.

mod append;
mod cases;
mod child;
mod latency;
mod load;
mod memory;
mod progress;
mod receiver;
mod stop;

use std::io::Write;
use std::path::PathBuf;

use anabranch_connectors::ByteSize;
use clap::{Args, ValueEnum};

/// Shortest line that holds what each case puts around it.
const LINE_BYTES_MIN: usize = 32;

/// What to measure, and with how much.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// What to measure; everything but `kafka` and `memory` when nothing is named
    #[arg(value_enum)]
    pub cases: Vec<Case>,
    /// Bytes of lines that go through
    #[arg(long, default_value = "1GB")]
    pub bytes: ByteSize,
    /// Bytes of a line, with its end
    #[arg(long, default_value_t = 200)]
    pub line_bytes: usize,
    /// A file with the lines; made when it is not there, and kept for another run
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// A Kafka cluster, for the case `kafka`
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap: Option<String>,
    /// Where the benchmark's files go while it runs; a disk, not memory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// One so-many-th of the crowd of the case `memory`
    #[arg(long, default_value_t = 1)]
    pub scale: u64,
    /// One JSON object for each case
    #[arg(long)]
    pub json: bool,
}

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// File → embedded hub
    Store,
    /// File → embedded hub → file
    File,
    /// HTTP NDJSON → embedded hub
    Http,
    /// Syslog over TCP (RFC 5424) → embedded hub
    Syslog,
    /// Embedded hub → `_bulk` of a counting receiver
    Bulk,
    /// File → Kafka (lz4, acks=all)
    Kafka,
    /// Batches of 1 MiB as clients send them → embedded hub, beside a loop that sums and writes them
    Append,
    /// Line in a file to line in the file sink's output, at 10,000 lines a second
    Latency,
    /// Resident memory, idle
    Idle,
    /// Everything that takes memory at once, and who is held up by it; only when it is named
    Memory,
}

/// What was measured: name, value, unit.
pub(crate) type Figures = Vec<(&'static str, f64, &'static str)>;

/// Measures the cases that are named and prints each as it is done.
///
/// # Errors
/// What could not be run, in a sentence.
pub fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), String> {
    if args.line_bytes < LINE_BYTES_MIN {
        return Err(format!("--line-bytes must be at least {LINE_BYTES_MIN}"));
    }
    let mut cases = args.cases.clone();
    if cases.is_empty() {
        cases = Case::value_variants().to_vec();
        // The case `memory` makes 50,000 files, and takes some minutes.
        cases.retain(|case| *case != Case::Memory);
        cases.retain(|case| *case != Case::Kafka || args.bootstrap.is_some());
    }
    let _signals = stop::Signals::listen()?;
    let rig = cases::Rig::new(args)?;
    for case in cases {
        // What fails because of a signal fails in many ways; the signal is the reason.
        let figures = rig.measure(case, &name(case)).or_else(|error| stop::check().and(Err(error)));
        print(case, &figures?, args.json, out).map_err(|error| error.to_string())?;
        stop::check()?;
    }
    Ok(())
}

fn name(case: Case) -> String {
    case.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn print(case: Case, figures: &Figures, json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let name = name(case);
    if json {
        let mut object = serde_json::Map::new();
        object.insert("case".to_owned(), name.into());
        for (figure, value, _) in figures {
            object.insert((*figure).to_owned(), (*value).into());
        }
        writeln!(out, "{}", serde_json::Value::Object(object))?;
        return out.flush();
    }
    write!(out, "{name:<8}")?;
    for (figure, value, unit) in figures {
        let digits = if *value < 10.0 { 3 } else { 0 };
        write!(out, "  {figure} {value:.digits$} {unit}")?;
    }
    writeln!(out)?;
    out.flush()
}
