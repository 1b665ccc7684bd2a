//! What was seen of groups that stand still.

use std::collections::HashMap;

use anabranch_record::TopicPartition;

/// Times of the oldest records that groups have not committed, by group and partition, and the offset that each is of:
/// a group that stands still is looked at once.
pub(crate) type Oldest = HashMap<(String, TopicPartition), (i64, Option<i64>)>;
