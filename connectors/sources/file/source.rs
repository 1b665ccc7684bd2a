//! Follows files: every line of every file that the globs mean, once, in order, whatever happens to the files.

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::config::SourceConfig;
use super::follower::Follower;
use super::settings::Settings;
use crate::contract::build::{BuildError, Surroundings};
use crate::{Emitter, Source, SourceError};

/// The source.
#[derive(Debug)]
pub struct FileSource {
    /// What it follows, and how.
    pub(super) settings: Settings,
}

impl FileSource {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when nothing is included, a glob is not one, or a limit cannot work.
    #[expect(clippy::needless_pass_by_value, reason = "every connector is built from its block")]
    pub fn new(config: SourceConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let (globs, _base) = config.check()?;
        let SourceConfig { read_from, ignore_older, max_line_bytes, watch, .. } = config;
        let settings = Settings {
            globs,
            read_from,
            ignore_older,
            max_line_bytes: max_line_bytes.bytes(),
            partial_line_timeout: config.partial_line_timeout,
            close_idle: config.close_idle,
            rotate_wait: config.rotate_wait,
            reconcile_interval: config.reconcile_interval,
            watch,
            poll_interval: config.poll_interval,
            host: around.host.clone(),
        };
        Ok(Self { settings })
    }
}

#[async_trait]
impl Source for FileSource {
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        // Dropping this future does not end a thread; cancelling what it looks at does.
        let stop = stop.child_token();
        let _ends = stop.clone().drop_guard();
        let follower = Follower::new(self.settings, emitter, stop);
        tokio::task::spawn_blocking(move || follower.run()).await.map_err(|cause| {
            SourceError::Failed {
                what: "following files".to_owned(),
                cause: cause.to_string(),
                hint: "this is a bug; the source starts again by itself",
            }
        })
    }
}
