//! Hears when the configuration or what it reads beside it changes, for `run --watch-config`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// How long it must be quiet before the new configuration is read: editors write, and mounted folders change, in several steps.
const QUIET: Duration = Duration::from_millis(500);

/// Watches the folder of the configuration, since files are replaced and a watch of one would end with it.
pub(super) struct ConfigWatch {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl ConfigWatch {
    /// Watches from now on.
    ///
    /// # Errors
    /// What the system said; SIGHUP is then the only way.
    pub(super) fn new(path: &Path) -> notify::Result<Self> {
        let (send, changes) = mpsc::channel(1);
        let tell = move |event: notify::Result<notify::Event>| {
            // Reading it is no change. One that waits already says as much.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                send.try_send(()).ok();
            }
        };
        let mut watcher = notify::recommended_watcher(tell)?;
        watcher.watch(&folder_of(path), RecursiveMode::NonRecursive)?;
        Ok(Self { changes, _watcher: watcher })
    }

    /// Resolves when something has changed and it has become quiet.
    pub(super) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
    }
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}
