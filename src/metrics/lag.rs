//! How far a group is behind.

/// How far a group is behind in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Records between the committed offset and the end.
    pub records: u64,
    /// The offset behind the last record.
    pub end: i64,
    /// About how many bytes those records take in the log; `None` when the hub does not tell.
    pub bytes: Option<u64>,
    /// Time of the oldest of them, ms since the Unix epoch; `None` when there is none, or the hub does not tell.
    pub oldest_ms: Option<i64>,
}

impl Lag {
    /// Of a partition of which only the offsets are known.
    #[must_use]
    pub fn of(topic: &str, partition: i32, committed: i64, end: i64) -> Self {
        let records = u64::try_from(end.saturating_sub(committed)).unwrap_or(0);
        Self { topic: topic.to_owned(), partition, records, end, bytes: None, oldest_ms: None }
    }
}
