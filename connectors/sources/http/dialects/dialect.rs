//! What one dialect is.

use anabranch_record::Batch;

use super::super::answer::{Answer, Refusal};
use super::super::records::Common;

/// What a body comes to: the records, and what [`Dialect::stored`] makes its answer of.
pub(in super::super) type Parsed = (Vec<Batch>, String);

/// One of them. Paths are those below the source's own.
#[derive(Debug)]
pub(in super::super) struct Dialect {
    /// Whether records are sent to a path.
    pub(super) serves: fn(&str) -> bool,
    /// Cuts the body that was sent to a path, or says why nothing of it can be stored.
    pub(in super::super) parse: fn(&str, &[u8], &Common) -> Result<Parsed, Refusal>,
    /// The answer once the hub has all records.
    pub(in super::super) stored: fn(String) -> Answer,
    /// The answer where nothing, or not everything, was stored.
    pub(in super::super) refused: fn(Refusal) -> Answer,
    /// The answer to a `GET` of a path, if it has one.
    pub(super) read: fn(&str) -> Option<Answer>,
}
