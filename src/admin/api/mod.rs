//! The API that client commands use.
//!
//! | file         | concept                                                       |
//! |--------------|---------------------------------------------------------------|
//! | `answer.rs`  | what a request acts on, who may, and how it is answered       |
//! | `routes.rs`  | what can be changed through a running agent                   |
//! | `line.rs`    | one record of a request                                       |
//! | `advance.rs` | records stored and a group moved, both or neither             |
//! | `sinks.rs`   | sinks: how they are, paused, taken up again                   |
//! | `ledger.rs`  | what became of every record                                   |

pub(super) mod advance;
pub(super) mod answer;
pub(super) mod ledger;
pub(super) mod line;
pub(super) mod routes;
pub(super) mod sinks;
