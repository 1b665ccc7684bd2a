//! Elasticsearch and OpenSearch, through `_bulk`.

mod sink;

pub use sink::{ElasticsearchSink, SinkConfig, probe};
