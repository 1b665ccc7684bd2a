//! The fault bench as a program: runs cases until its time is over, prints a table, and fails when a run did.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anabranch_faults::case::{self, CASES, Case, Hub};
use anabranch_faults::plan::plan;
use anabranch_faults::rig::{Servers, Settings};
use anabranch_faults::run::{Outcome, run};
use anabranch_faults::servers::Server;
use anabranch_faults::{stop, table};
use clap::Parser;

/// Runs the agent while everything around it fails, and counts what every sink has.
#[derive(Debug, Parser)]
struct Arguments {
    /// Minutes in all; every case runs at least once
    #[arg(long, default_value_t = 0)]
    minutes: u64,
    /// Seconds of faults in one run
    #[arg(long, default_value_t = 25)]
    seconds: u64,
    /// The first seed; each round takes the next
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cases, separated by commas, or all; those of the embedded hub when nothing is named
    #[arg(long = "case", value_delimiter = ',')]
    cases: Vec<String>,
    /// What `flush` is, separated by commas; runs take turns
    #[arg(long, value_delimiter = ',', default_value = "50ms,each,os")]
    flush: Vec<String>,
    /// The agent
    #[arg(long, env = "ANABRANCH_BINARY", default_value = "target/debug/anabranch")]
    binary: PathBuf,
    /// host:port of a search server that must not be killed, in place of one of the bench's own; or none
    #[arg(long)]
    search: Option<String>,
    /// Where folders of runs are made
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Percent of the usual pause between two writes
    #[arg(long, default_value_t = 100)]
    pace: u64,
    /// A file for the table
    #[arg(long)]
    table: Option<PathBuf>,
    /// The folder of a failed run stays
    #[arg(long)]
    keep: bool,
    /// Prints what would happen, and does nothing
    #[arg(long)]
    plan: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match all(&arguments) {
        Ok(outcomes) if outcomes.iter().all(|outcome| outcome.faults().is_empty()) => {
            ExitCode::SUCCESS
        }
        Ok(_some_failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("faults: {error}");
            ExitCode::from(2)
        }
    }
}

fn all(arguments: &Arguments) -> Result<Vec<Outcome>, String> {
    let cases = chosen(&arguments.cases)?;
    stop::listen()?;
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    if arguments.plan {
        print_plans(arguments, &cases);
        return Ok(outcomes);
    }
    let folder = arguments
        .dir
        .canonicalize()
        .map_err(|error| format!("{}: {error}", arguments.dir.display()))?;
    let program = arguments.binary.canonicalize();
    let program = program.map_err(|error| format!("{}: {error}", arguments.binary.display()))?;
    let state = tempfile::Builder::new().prefix("faults-servers-").tempdir_in(&folder);
    let state = state.map_err(|error| error.to_string())?;
    let mut servers = Servers::default();
    match arguments.search.as_deref() {
        Some("none") => {}
        Some(address) => servers.search = Some(bare(address)),
        None => {
            let own = Server::search(&state.path().join("search"))?;
            servers.search = Some(own.address.clone());
            servers.own_search = Some(own);
        }
    }
    for round in 0.. {
        for (number, case) in cases.iter().enumerate() {
            // So that a case meets another flush in each round, and the cases of a round different ones.
            let turn = usize::try_from(round).unwrap_or(0) + number;
            let flush = arguments.flush.get(turn % arguments.flush.len().max(1));
            let settings = Settings {
                program: program.clone(),
                folder: folder.clone(),
                case: *case,
                flush: flush.cloned().unwrap_or_default(),
                seed: arguments.seed + round,
                length: Duration::from_secs(arguments.seconds),
                pace: arguments.pace,
                keep: arguments.keep,
            };
            outcomes.push(once(&settings, &mut servers, &state)?);
            write_table(arguments, &outcomes)?;
            if round > 0 && begun.elapsed() >= Duration::from_secs(arguments.minutes * 60) {
                return Ok(outcomes);
            }
        }
        if begun.elapsed() >= Duration::from_secs(arguments.minutes * 60) {
            return Ok(outcomes);
        }
    }
    Ok(outcomes)
}

fn once(
    settings: &Settings,
    servers: &mut Servers,
    state: &tempfile::TempDir,
) -> Result<Outcome, String> {
    let wanted = match settings.case.hub {
        Hub::Embedded => 0,
        Hub::Kafka => 1,
        Hub::Cluster => 3,
    };
    if servers.brokers.len() != wanted {
        servers.brokers.clear();
    }
    if servers.brokers.len() < wanted {
        let folder = state.path().join(format!("kafka-{}-{wanted}", settings.seed));
        servers.brokers = Server::brokers(&folder, wanted)?;
    }
    println!("{}, flush {}, seed {} …", settings.case.name, settings.flush, settings.seed);
    let outcome = run(settings, servers)?;
    print!("{}", table::lines(&outcome));
    for line in outcome.faults().iter().chain(&outcome.notes) {
        println!("    {line}");
    }
    Ok(outcome)
}

fn chosen(names: &[String]) -> Result<Vec<Case>, String> {
    if names.is_empty() {
        return Ok(CASES.iter().filter(|case| case.hub == Hub::Embedded).copied().collect());
    }
    if names.iter().any(|name| name == "all") {
        return Ok(CASES.to_vec());
    }
    names.iter().map(|name| case::named(name)).collect()
}

fn bare(address: &str) -> String {
    address.trim_start_matches("http://").trim_end_matches('/').to_owned()
}

fn print_plans(arguments: &Arguments, cases: &[Case]) {
    for case in cases {
        println!("{}, seed {}", case.name, arguments.seed);
        for (at, act) in plan(*case, arguments.seed, Duration::from_secs(arguments.seconds)) {
            println!("  {at:>8.2?}  {act:?}");
        }
    }
}

fn write_table(arguments: &Arguments, outcomes: &[Outcome]) -> Result<(), String> {
    let Some(path) = &arguments.table else { return Ok(()) };
    let seeds = outcomes.iter().map(|outcome| outcome.settings.seed);
    let (first, last) = (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0));
    let made_by = format!(
        "`cargo run -p anabranch-faults -- --case {} --minutes {} --seconds {} --seed {}` with {} on {}, Apache Kafka \
         4.3.1 and Elasticsearch 8.19 of `tests/servers`, seeds {first} to {last}",
        arguments.cases.join(","),
        arguments.minutes,
        arguments.seconds,
        arguments.seed,
        said(Command::new(&arguments.binary).arg("--version")),
        said(Command::new("uname").arg("-sr")),
    );
    let text = table::document(outcomes, &made_by);
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The first line that a command prints.
fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or("an unknown version").to_owned()
}
