//! What came out: of the sink's files, of the search server, of the hub, of the dead letters.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::judge::Seen;
use crate::search;

/// The text of a line inside what was made of it: a document, a value, or the line itself.
fn text_of(found: &str) -> String {
    if found.starts_with('{')
        && let Ok(document) = serde_json::from_str::<Value>(found)
        && let Some(message) = document.get("message").and_then(Value::as_str)
    {
        return message.to_owned();
    }
    // The hub keeps a syslog message as it came, which ends in the text.
    match found.split_once("- - - ") {
        Some((head, text)) if head.starts_with("<13>1 ") => text.to_owned(),
        _ => found.to_owned(),
    }
}

/// The files of a folder, one after the other by name.
///
/// # Errors
/// What cannot be read.
pub fn files(folder: &Path, seed: u64, seen: &mut Seen) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "ndjson"));
    paths.sort();
    for path in paths {
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        text.lines().for_each(|line| seen.add(seed, &text_of(line)));
    }
    Ok(())
}

/// The documents of an index.
///
/// # Errors
/// What the server says.
pub fn index(address: &str, index: &str, seed: u64) -> Result<Seen, String> {
    let mut seen = Seen::default();
    search::messages(address, index, |message| seen.add(seed, message))?;
    Ok(seen)
}

/// The records of topics, by the program's own command line; `hub` says which hub.
///
/// # Errors
/// What the command says.
pub fn topics(
    program: &Path,
    hub: &[String],
    topics: &[String],
    seed: u64,
) -> Result<Seen, String> {
    let mut seen = Seen::default();
    for topic in topics {
        let mut command = Command::new(program);
        command.arg("consume").args(hub).args(["--format", "json"]).arg(topic);
        let output = command.output().map_err(|error| format!("{}: {error}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("consume {topic}: {said}"));
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let record = serde_json::from_str::<Value>(line).unwrap_or_default();
            let value = record.get("value").and_then(Value::as_str).unwrap_or(line);
            seen.add(seed, &text_of(value));
        }
    }
    Ok(seen)
}
