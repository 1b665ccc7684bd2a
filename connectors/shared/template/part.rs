//! What a template consists of.

/// What stands for a field that a record lacks, where the template gives no default.
pub(super) const UNKNOWN: &str = "unknown";

/// Text that stays, or a field of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Field { field: Field, default: String },
}

/// What of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    Topic,
    Partition,
    Date(Vec<DatePart>),
    Header(String),
    Key,
}

/// What of its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DatePart {
    Year,
    Month,
    Day,
    Hour,
    Text(String),
}
