//! What has become of records of one partition.

use crate::ledger::tally::Tally;

/// What has become of records of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// By fate.
    pub tally: Tally,
}
