//! Acknowledges what was found damaged: `/health` and the metrics show it no longer.

use std::io::Write;
use std::path::Path;

use crate::cli::failure::{Done, Failure};
use crate::log::{acknowledge, findings};

pub(super) fn ack(folder: &Path, out: &mut dyn Write) -> Done {
    if !folder.join("meta.properties").exists() {
        let folder = folder.display();
        return Err(Failure::failed(format!("{folder} is not the data folder of an agent")));
    }
    let acknowledged = acknowledge(folder).map_err(|error| Failure::failed(error.to_string()))?;
    for finding in &acknowledged {
        writeln!(out, "{finding}")?;
    }
    match acknowledged.len() {
        0 => writeln!(out, "there is nothing to acknowledge")?,
        1 => writeln!(out, "acknowledged; it is kept in {}/damage-acknowledged", folder.display())?,
        many => writeln!(
            out,
            "acknowledged all {many}; they are kept in {}/damage-acknowledged",
            folder.display()
        )?,
    }
    Ok(())
}

/// What nobody has acknowledged yet, for those who look at the log.
pub(super) fn print_open(folder: &Path, out: &mut dyn Write) -> Done {
    for finding in findings(folder) {
        writeln!(out, "found earlier, not acknowledged: {finding}")?;
    }
    Ok(())
}
