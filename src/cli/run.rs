//! The command `run`.

use std::process::ExitCode;

use super::RunArgs;

/// Runs the agent.
pub(super) fn run(args: &RunArgs) -> ExitCode {
    let path = args.config.as_deref().unwrap_or_else(|| std::path::Path::new("anabranch.yaml"));
    if crate::config::load_checked(path).is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) }
}
