//! One block of `sources`.

use anabranch_connectors::SourceConfig;
use serde::Deserialize;

/// One source: what the agent does around it, and in `from` the connector itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceBlock {
    /// The topic that its records go to.
    pub topic: String,
    /// The connector.
    pub from: SourceConfig,
}
