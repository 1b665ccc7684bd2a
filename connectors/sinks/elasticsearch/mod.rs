//! Elasticsearch and OpenSearch, through `_bulk`.
//!
//! Each record is created under an id that names it for ever ([`anabranch_record::StoredRecord::id`]), so a repeat is answered with
//! 409, which counts as done: what is sent twice is there once. Every item's answer is read.
//!
//! | answer for an item                                             | the record is                       |
//! |-----------------------------------------------------------------|-------------------------------------|
//! | 2xx, 409                                                        | done                                |
//! | 429, 5xx                                                        | sent again, given up in the end if others arrive |
//! | a blocked or closed index, no room, no shard, the cluster's limit of shards | sent again for as long as it lasts |
//! | 403 `security_exception`, 404, no such pipeline, `index` into a data stream | kept; a person must act (unless the index depends on the record) |
//! | any other 4xx                                                   | dead, with type and reason          |
//!
//! `responses` changes that by status and type of error.
//!
//! | answer for a whole request         | is                                                       |
//! |------------------------------------|----------------------------------------------------------|
//! | no answer, 408, 429, 5xx           | not now, with the far side's `Retry-After`               |
//! | 413, 400                           | too large: halves are tried until the cause stands alone |
//! | 401, 403, 404, any other           | fatal, with a hint                                       |
//!
//! Works with Elasticsearch 7, 8 and 9 and OpenSearch 2: nothing depends on the product or its version.

mod answer;
mod bulk;
mod call;
mod config;
mod connector;
mod endpoints;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{Action, Compression, SinkConfig};
pub use sink::ElasticsearchSink;
