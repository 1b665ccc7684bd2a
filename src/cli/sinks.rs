//! The command `sinks`: how the sinks of the running agent are, and which of them rest.

use std::io::Write;

use clap::{Args, Subcommand};

use super::failure::Done;
use super::hub::HubArgs;
use super::table::Table;

#[derive(Debug, Args)]
pub(super) struct SinksArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the sinks of the running agent
    List {
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Stop a sink where it is, until it is resumed, also over restarts
    Pause {
        /// The sink
        sink: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Let a sink go on where it was
    Resume {
        /// The sink
        sink: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

pub(super) async fn sinks(args: SinksArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::List { hub } => {
            let sinks = hub.agent()?.sinks().await?;
            let mut table = Table::new(&["SINK", "STATE", "PROBLEM"]);
            for sink in sinks {
                table.row(vec![sink.name, sink.state, sink.problem.unwrap_or_default()]);
            }
            Ok(table.print(out)?)
        }
        Action::Pause { sink, hub } => {
            hub.agent()?.pause(&sink).await?;
            Ok(writeln!(out, "{sink} is paused; `anabranch sinks resume {sink}` lets it go on")?)
        }
        Action::Resume { sink, hub } => {
            hub.agent()?.resume(&sink).await?;
            Ok(writeln!(out, "{sink} goes on")?)
        }
    }
}
