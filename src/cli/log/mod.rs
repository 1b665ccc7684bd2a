//! The command `log`: the files in a data folder, read back.

mod ack;
mod dump;
mod verify;

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Done;

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read every batch back: sums, framing, offsets, compression; exit code 1 when something is damaged
    Verify {
        /// The data folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Acknowledge what was found missing or damaged: `/health` shows it no longer
    Ack {
        /// The data folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print what is stored
    Dump(dump::DumpArgs),
}

pub(super) fn log(args: LogArgs, out: &mut dyn Write) -> Done {
    match args.action {
        Action::Verify { folder } => verify::verify(&folder, out),
        Action::Ack { folder } => ack::ack(&folder, out),
        Action::Dump(args) => dump::dump(&args, out),
    }
}
