//! What to measure, and with how much.

use std::path::PathBuf;

use anabranch_connectors::ByteSize;
use clap::{Args, ValueEnum};

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
