//! Who this agent is, on a hub that it shares with others: made once and kept in its data folder.
//!
//! On Kafka the positions of sources belong to it, so it must not come from the surroundings: a container that is made
//! anew has another host name.

use std::path::Path;

use tracing::warn;

use super::host::host_name;
use crate::config::Config;
use crate::log::private;

const FILE: &str = "agent-id";
const LONGEST: usize = 200;

/// The same for each life of this agent and for no other. Before the first start it is what that would make it.
pub(super) fn of(config: &Config) -> String {
    kept(&config.data_dir).unwrap_or_else(|| new(config))
}

/// Keeps it, if that was not done before.
pub(super) fn keep(config: &Config) {
    let folder = &config.data_dir;
    if kept(folder).is_some() {
        return;
    }
    let written = private::create_folders(folder)
        .and_then(|()| private::write(&folder.join(FILE), format!("{}\n", new(config))));
    if let Err(error) = written {
        let path = folder.join(FILE);
        warn!(path = %path.display(), %error, "this agent's identity cannot be kept; under another host name it reads its files again");
    }
}

fn kept(folder: &Path) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(FILE)).ok()?;
    let id = text.trim();
    let is_whole =
        id.starts_with("anabranch-") && id.len() <= LONGEST && !id.contains(char::is_whitespace);
    is_whole.then(|| id.to_owned())
}

/// This machine and this data folder.
fn new(config: &Config) -> String {
    let folder = std::path::absolute(&config.data_dir).unwrap_or_else(|_| config.data_dir.clone());
    let folder = anabranch_record::batch::stream_of(folder.as_os_str().as_encoded_bytes());
    format!("anabranch-{}-{folder:016x}", host_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_whatever_the_folder_is_called_later() {
        let folder = tempfile::tempdir().unwrap();
        let in_folder =
            |name: &str| Config { data_dir: folder.path().join(name), ..Config::default() };
        let (first, second) = (in_folder("first"), in_folder("second"));
        let id = of(&first);
        assert_ne!(id, of(&second));
        keep(&first);
        std::fs::rename(&first.data_dir, &second.data_dir).unwrap();
        assert_eq!(of(&second), id);
        keep(&second);
        assert_eq!(of(&second), id);
        std::fs::write(second.data_dir.join(FILE), "\0 damaged").unwrap();
        assert_ne!(of(&second), id);
    }
}
