//! With what it can be done: Kafka's resources, and the names that a rule is for.

use super::Operation;

/// What a rule is about; the codes are Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceType {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// The hub as a whole; its name is [`CLUSTER`].
    Cluster,
    /// A producer's transactional id.
    TransactionalId,
}

/// The one name of [`ResourceType::Cluster`].
pub(crate) const CLUSTER: &str = "kafka-cluster";

impl ResourceType {
    /// Every type.
    pub(crate) const ALL: [Self; 4] =
        [Self::Topic, Self::Group, Self::Cluster, Self::TransactionalId];

    /// The number in Kafka's protocol.
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Group => 3,
            Self::Cluster => 4,
            Self::TransactionalId => 5,
        }
    }

    /// The type with this number.
    pub(crate) fn from_code(code: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The name in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Cluster => "cluster",
            Self::TransactionalId => "transactional_id",
        }
    }

    /// What can be done with it.
    pub(crate) const fn operations(self) -> &'static [Operation] {
        use Operation as O;
        match self {
            Self::Topic => &[
                O::Read,
                O::Write,
                O::Create,
                O::Delete,
                O::Alter,
                O::Describe,
                O::DescribeConfigs,
                O::AlterConfigs,
            ],
            Self::Group => &[O::Read, O::Delete, O::Describe, O::DescribeConfigs, O::AlterConfigs],
            Self::Cluster => &[
                O::Create,
                O::Alter,
                O::Describe,
                O::ClusterAction,
                O::DescribeConfigs,
                O::AlterConfigs,
                O::IdempotentWrite,
            ],
            Self::TransactionalId => &[O::Write, O::Describe],
        }
    }
}

/// Something that is to be read, written or otherwise used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resource<'a> {
    /// What it is.
    pub kind: ResourceType,
    /// Which.
    pub name: &'a str,
}

impl<'a> Resource<'a> {
    /// The hub as a whole.
    pub(crate) const CLUSTER: Self = Resource { kind: ResourceType::Cluster, name: CLUSTER };

    /// A topic.
    pub(crate) const fn topic(name: &'a str) -> Self {
        Self { kind: ResourceType::Topic, name }
    }

    /// A consumer group.
    pub(crate) const fn group(name: &'a str) -> Self {
        Self { kind: ResourceType::Group, name }
    }

    /// A transactional id.
    pub(crate) const fn transactional_id(name: &'a str) -> Self {
        Self { kind: ResourceType::TransactionalId, name }
    }
}

/// Names that a rule is for; the codes are those of Kafka's pattern types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Every name.
    Any,
    /// This name.
    Literal(String),
    /// Names that begin so.
    Prefix(String),
}

impl Pattern {
    /// Reads `name`, `prefix*` or `*`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some("") => Self::Any,
            Some(prefix) => Self::Prefix(prefix.to_owned()),
            None => Self::Literal(text.to_owned()),
        }
    }

    /// Type and name as `DescribeAcls` gives them: 3 is literal, with `*` for every name; 4 is a prefix.
    pub(crate) fn code_and_name(&self) -> (i8, &str) {
        match self {
            Self::Any => (3, "*"),
            Self::Literal(name) => (3, name),
            Self::Prefix(prefix) => (4, prefix),
        }
    }

    /// The pattern with that type and name; `None` for other types.
    pub(crate) fn from_code_and_name(code: i8, name: &str) -> Option<Self> {
        match code {
            3 if name == "*" => Some(Self::Any),
            3 => Some(Self::Literal(name.to_owned())),
            4 => Some(Self::Prefix(name.to_owned())),
            _ => None,
        }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Literal(literal) => literal == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    /// Whether every name that `other` matches is matched.
    pub(super) fn encloses(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Literal(_), Self::Literal(_)) => self == other,
            (Self::Prefix(prefix), Self::Literal(name) | Self::Prefix(name)) => {
                name.starts_with(prefix.as_str())
            }
            (Self::Literal(_) | Self::Prefix(_), _) => false,
        }
    }
}
