//! Every command, its arguments, and what it does.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use super::config_args::ConfigArgs;
use super::failure::{Done, Failure};
use super::visible::Visible;
use super::{
    allocator, check, consume, dlq, excerpt, groups, help, ledger, log, produce, run, sinks, topics,
};

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "anabranch",
    version,
    about = "Collects logs and events, keeps them once in a durable hub, and lets any number of systems read them",
    after_help = help::MAIN,
    max_term_width = 110
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the agent: sources, hub and sinks, in the foreground
    #[command(after_help = help::RUN, alias = "start")]
    Run(RunArgs),
    /// Check a configuration, without running it
    #[command(after_help = help::CHECK, aliases = ["validate", "test"])]
    Check(check::CheckArgs),
    /// Print records of topics
    #[command(after_help = help::CONSUME)]
    Consume(Box<consume::ConsumeArgs>),
    /// Store lines from standard input as records of a topic
    #[command(after_help = help::PRODUCE)]
    Produce(produce::ProduceArgs),
    /// List, describe, create and delete topics
    #[command(after_help = help::TOPICS)]
    Topics(topics::TopicsArgs),
    /// List and describe consumer groups, and move their offsets
    #[command(after_help = help::GROUPS)]
    Groups(groups::GroupsArgs),
    /// List the sinks of the running agent, pause and resume them
    #[command(after_help = help::SINKS)]
    Sinks(sinks::SinksArgs),
    /// List, show, replay and delete dead letters: records that a sink refused for good
    #[command(after_help = help::DLQ)]
    Dlq(dlq::DlqArgs),
    /// Show what became of every record, for each source and sink, and whether it balances
    #[command(after_help = help::LEDGER)]
    Ledger(ledger::LedgerArgs),
    /// Verify and dump the log in a data folder
    #[command(after_help = help::LOG)]
    Log(log::LogArgs),
    /// Measure what the main jobs cost on this machine
    #[command(after_help = help::BENCH)]
    Bench(crate::bench::BenchArgs),
    /// Print the version
    #[command(after_help = help::VERSION, hide = true)]
    Version,
    /// Print a completion script for a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
}

impl Command {
    /// Whether it prints what came from elsewhere, and is not asked for the bytes as they are.
    fn shows_far_text(&self) -> bool {
        match self {
            Self::Consume(args) => !args.is_raw(),
            Self::Dlq(args) => !args.is_raw(),
            Self::Produce(_)
            | Self::Topics(_)
            | Self::Groups(_)
            | Self::Sinks(_)
            | Self::Ledger(_)
            | Self::Log(_) => true,
            Self::Run(_)
            | Self::Check(_)
            | Self::Bench(_)
            | Self::Version
            | Self::Completions { .. } => false,
        }
    }
}

/// Which configuration `run` runs.
#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read the configuration again, as upon SIGHUP, whenever a file in its folder has changed
    #[arg(long, env = "ANABRANCH_WATCH_CONFIG", value_parser = clap::builder::FalseyValueParser::new())]
    watch_config: bool,
}

/// Reads the program's arguments, does what they say, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe has nobody who could read a complaint.
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    if let Command::Run(args) = &cli.command {
        return match args.config.path() {
            Ok(path) => {
                allocator::settle();
                run::run(&path, args.watch_config)
            }
            Err(failure) => failure.report(),
        };
    }
    let stdout = std::io::stdout();
    let shows = stdout.is_terminal() && cli.command.shows_far_text();
    let mut out = Visible::new(std::io::BufWriter::new(stdout.lock()), shows);
    let done = perform(cli.command, &mut out).and_then(|()| Ok(out.flush()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // What was printed before comes first.
            out.flush().ok();
            failure.report()
        }
    }
}

fn perform(command: Command, out: &mut dyn Write) -> Done {
    match command {
        // It has a runtime and a log of its own, and was begun before this.
        Command::Run(_) => Ok(()),
        Command::Check(args) => wait_for(check::check(args, out)),
        Command::Consume(args) => wait_for(consume::consume(*args, out)),
        Command::Produce(args) => wait_for(produce::produce(args, out)),
        Command::Topics(args) => wait_for(topics::topics(args, out)),
        Command::Groups(args) => wait_for(groups::groups(args, out)),
        Command::Sinks(args) => wait_for(sinks::sinks(args, out)),
        Command::Dlq(args) => wait_for(dlq::dlq(args, out)),
        Command::Ledger(args) => wait_for(ledger::ledger(args, out)),
        Command::Log(args) => log::log(args, out),
        Command::Bench(args) => crate::bench::run(&args, out).map_err(Failure::failed),
        Command::Version => Ok(writeln!(out, "anabranch {}", env!("CARGO_PKG_VERSION"))?),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "anabranch", &mut script);
            Ok(out.write_all(&script)?)
        }
    }
}

fn wait_for(work: impl Future<Output = Done>) -> Done {
    show_warnings();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(work)
}

/// What the hub warns of while a client command uses it goes to standard error.
fn show_warnings() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("warn"));
    let shown = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let shown = shown.with_ansi(excerpt::has_colours(&std::io::stderr()));
    // Only a subscriber that is there already stands in the way, and then it shows them.
    shown.without_time().with_target(false).try_init().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_consistent_and_teaches_by_examples() {
        let mut cli = Cli::command();
        cli.build();
        cli.clone().debug_assert();
        for command in cli.get_subcommands() {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let name = command.get_name();
            if name == "help" {
                continue;
            }
            assert!(examples.contains(&format!("anabranch {name}")), "{name}: {examples}");
        }
    }
}
