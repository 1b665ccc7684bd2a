//! What other programs send to servers of another kind: each dialect has its paths, its cutter and its answers.
//!
//! | dialect         | paths                              | is                                                     |
//! |-----------------|------------------------------------|--------------------------------------------------------|
//! | Elasticsearch   | `/_bulk`, `/INDEX/_bulk`           | see [`bulk`]                                           |
//! |                 | `GET /`, `/_license`, `/_cluster/health` | what its clients ask before they send            |
//!
//! To add one: its file, with a `DIALECT`, and its line in [`DIALECTS`].

mod bulk;

use anabranch_record::Batch;

use super::answer::{Answer, Refusal};
use super::records::Common;

/// All of them; a path is of the first that serves it.
static DIALECTS: &[Dialect] = &[bulk::DIALECT];

/// What a body comes to: the records, and what [`Dialect::stored`] makes its answer of.
pub(super) type Parsed = (Vec<Batch>, String);

/// One of them. Paths are those below the source's own.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Whether records are sent to a path.
    serves: fn(&str) -> bool,
    /// Cuts the body that was sent to a path, or says why nothing of it can be stored.
    pub(super) parse: fn(&str, &[u8], &Common) -> Result<Parsed, Refusal>,
    /// The answer once the hub has all records.
    pub(super) stored: fn(String) -> Answer,
    /// The answer where nothing, or not everything, was stored.
    pub(super) refused: fn(Refusal) -> Answer,
    /// The answer to a `GET` of a path, if it has one.
    read: fn(&str) -> Option<Answer>,
}

impl Dialect {
    /// The one that a path is of.
    pub(super) fn of(path: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|dialect| (dialect.serves)(path))
    }
}

/// The answer to a `GET` of a path that some dialect has.
pub(super) fn read(path: &str) -> Option<Answer> {
    DIALECTS.iter().find_map(|dialect| (dialect.read)(path))
}
