//! The command line: every command, its arguments, and the exit codes 0 (done), 1 (failed) and 2 (the configuration
//! or the arguments are wrong).

mod allocator;
mod check;
mod commands;
mod config_args;
mod config_watch;
mod consume;
mod dlq;
mod excerpt;
mod failure;
mod filter;
mod format;
mod greeting;
mod groups;
mod help;
mod hub;
mod ledger;
mod log;
mod options;
mod place;
mod produce;
pub mod run;
mod sinks;
mod table;
mod topics;
mod visible;

pub use commands::{Cli, main};
