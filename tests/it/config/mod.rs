//! Configurations, right and wrong.

mod loading;
mod promises;
mod robust;
mod shipped;
mod wrong;

use std::fs;

use anabranch::config;

/// What `check` would print for a file `bad.yaml` with this text.
fn verdict(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    fs::write(&file, text).unwrap();
    let printed = match config::load_checked(&file) {
        Ok((_, warnings)) => {
            let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
        Err(refused) => refused.to_string(),
    };
    printed.replace(&format!("{}/", folder.path().display()), "")
}
