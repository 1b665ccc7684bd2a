//! What a consumer reads at a time.

use std::sync::Arc;

use anabranch_connectors::contract::sink::Resumed;
use anabranch_record::StoredBatch;

use super::Offset;

/// The answer to a fetch.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Set when reading starts anew at the committed offsets (at the start, after a rebalance). What was fetched before
    /// and not committed will come again.
    pub resumed: Option<Resumed>,
    /// Batches, in order within each partition. The first may begin before the committed offset: `skip` records of
    /// it belong to what is committed.
    pub batches: Vec<FetchedBatch>,
    /// Partitions at whose end there is nothing for a sink (marks of transactions, and what they took back), and the
    /// offsets behind that: the group has come so far once it has all `batches`.
    pub passed: Vec<Offset>,
    /// The group is about to share out its partitions anew: what was read should be committed now.
    pub rebalancing: bool,
}

/// One batch of an answer.
#[derive(Debug, Clone)]
pub struct FetchedBatch {
    /// The batch.
    pub batch: Arc<StoredBatch>,
    /// Records at its beginning that the group has had already.
    pub skip: usize,
}
