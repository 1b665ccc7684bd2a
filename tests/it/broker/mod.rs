//! What speaks Kafka speaks to the embedded hub.

mod compaction;
