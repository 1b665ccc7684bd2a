//! Whether a file sink could write where it is to.

use super::config::SinkConfig;
use super::names::OWN;
use super::sink::refuse;

/// Makes the base folder if there is none, and tries to write in it.
///
/// # Errors
/// A sentence for a person.
pub(super) fn probe(config: &SinkConfig) -> Result<String, String> {
    let base = config.template().map_err(|error| error.to_string())?.base;
    let tried = base.join(format!("{OWN}probe-{}", std::process::id()));
    let made = std::fs::create_dir_all(&base)
        .and_then(|()| std::fs::write(&tried, b""))
        .and_then(|()| std::fs::remove_file(&tried));
    made.map_err(|error| refuse((base.clone(), error)).to_string())?;
    Ok(format!("{} can be written", base.display()))
}
