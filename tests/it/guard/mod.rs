//! Who may do what through the admin listener, and what connections of others may cost.

mod access;
mod browser;
mod crowd;
mod memory;
mod secrets;
mod ways;

use std::path::Path;
use std::process::Command;

use super::support::Agent;

/// What a command of the program prints on standard output and error, and its exit code.
fn anabranch(folder: &Path, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    let output = command.args(words).current_dir(folder).env_remove("ANABRANCH_CONFIG").output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

/// The topics that a user could have made.
fn topics(agent: &Agent) -> Vec<String> {
    let folder = agent.config().parent().unwrap().to_owned();
    let (code, list) = anabranch(&folder, &["topics", "list", "--data-dir", "data"]);
    assert_eq!(code, 0, "{list}");
    let names = list.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}
