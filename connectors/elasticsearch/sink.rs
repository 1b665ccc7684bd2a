//! Writes to Elasticsearch and OpenSearch.

use async_trait::async_trait;
use serde::Deserialize;

use crate::registry::{BuildError, Surroundings};
use crate::{Records, Sink, WriteError, Written};

/// The `elasticsearch` block of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {}

/// The sink.
#[derive(Debug)]
pub struct ElasticsearchSink {}

impl ElasticsearchSink {
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
impl Sink for ElasticsearchSink {
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        let _unused = records;
        Ok(Written::done())
    }
}

/// Tries the far end.
///
/// # Errors
/// A sentence for a person.
pub async fn probe(config: &SinkConfig) -> Result<String, String> {
    std::future::ready(Ok(format!("{config:?}"))).await
}
