//! What can be done: Kafka's operations.

use serde::Deserialize;

/// What can be allowed; the codes are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Every operation.
    All,
    /// Fetch records, commit offsets, be a member of a group.
    Read,
    /// Produce.
    Write,
    /// Create topics.
    Create,
    /// Delete topics, records, groups.
    Delete,
    /// Add partitions, change access control lists.
    Alter,
    /// See that it is there, and its offsets.
    Describe,
    /// What brokers do among themselves.
    ClusterAction,
    /// See settings.
    DescribeConfigs,
    /// Change settings.
    AlterConfigs,
    /// Produce with a producer id; implied by writing anywhere.
    IdempotentWrite,
}

impl Operation {
    /// Every operation that a rule can name.
    pub(crate) const ALL: [Self; 11] = [
        Self::All,
        Self::Read,
        Self::Write,
        Self::Create,
        Self::Delete,
        Self::Alter,
        Self::Describe,
        Self::ClusterAction,
        Self::DescribeConfigs,
        Self::AlterConfigs,
        Self::IdempotentWrite,
    ];

    /// The number in Kafka's protocol.
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::All => 2,
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Delete => 6,
            Self::Alter => 7,
            Self::Describe => 8,
            Self::ClusterAction => 9,
            Self::DescribeConfigs => 10,
            Self::AlterConfigs => 11,
            Self::IdempotentWrite => 12,
        }
    }

    /// The operation with this number.
    pub(crate) fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.code() == code)
    }

    /// The name in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Read => "read",
            Self::Write => "write",
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Alter => "alter",
            Self::Describe => "describe",
            Self::ClusterAction => "cluster_action",
            Self::DescribeConfigs => "describe_configs",
            Self::AlterConfigs => "alter_configs",
            Self::IdempotentWrite => "idempotent_write",
        }
    }

    /// Whether a rule that allows `self` allows `wanted`.
    pub(super) fn allows(self, wanted: Self) -> bool {
        let describe = matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter);
        self.covers(wanted)
            || (wanted == Self::Describe && describe)
            || (wanted == Self::DescribeConfigs && self == Self::AlterConfigs)
    }

    /// Whether a rule that denies `self` denies `wanted`.
    pub(super) fn covers(self, wanted: Self) -> bool {
        self == Self::All || self == wanted
    }
}
