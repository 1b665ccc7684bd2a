//! Receives events over HTTP.

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::registry::{BuildError, Surroundings};
use crate::source::SourceCheck;
use crate::{Emitter, Source, SourceError};

/// The `http` block of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {}

impl SourceCheck for SourceConfig {}

/// The source.
#[derive(Debug)]
pub struct HttpSource {}

impl HttpSource {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SourceConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let _unused = (config, around);
        Ok(Self {})
    }
}

#[async_trait]
impl Source for HttpSource {
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        let _unused = (emitter, stop);
        Ok(())
    }
}
