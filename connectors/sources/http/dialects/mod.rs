//! What other programs send to servers of another kind: each dialect has its paths, its cutter and its answers.
//!
//! | dialect         | paths                              | is                                                     |
//! |-----------------|------------------------------------|--------------------------------------------------------|
//! | Elasticsearch   | `/_bulk`, `/INDEX/_bulk`           | see [`bulk`]                                           |
//! |                 | `GET /`, `/_license`, `/_cluster/health` | what its clients ask before they send            |
//!
//! To add one: its file, with a `DIALECT`, and its line in [`DIALECTS`].

mod bulk;
mod dialect;

pub(super) use dialect::Dialect;

use super::answer::Answer;

/// All of them; a path is of the first that serves it.
static DIALECTS: &[Dialect] = &[bulk::DIALECT];

/// The one that a path is of.
pub(super) fn of(path: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| (dialect.serves)(path))
}

/// The answer to a `GET` of a path that some dialect has.
pub(super) fn read(path: &str) -> Option<Answer> {
    DIALECTS.iter().find_map(|dialect| (dialect.read)(path))
}
