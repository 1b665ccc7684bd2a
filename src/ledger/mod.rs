//! The ledger: what became of every record, for each source and each sink, over restarts.
//!
//! | file         | concept                                                     |
//! |--------------|-------------------------------------------------------------|
//! | `account.rs` | a source's account as it is kept in the hub                 |
//! | `tally.rs`   | what became of a sink's records, by fate                    |
//! | `progress.rs`| a sink's account in one partition, kept with its offset     |
//! | `rows.rs`    | the equations, and whether they balance                     |
//! | `metrics.rs` | they as metrics                                             |
//!
//! For a source: read = stored + not stored + dropped + under way. For a sink: stored for it = delivered + dead +
//! diverted + filtered + lost + lag.
//!
//! Invariant: no term of an equation is computed from the others; what is missing stays missing.
//! Invariant: what is counted is kept in the very append that makes it so.

pub mod account;
pub mod metrics;
pub mod progress;
pub mod rows;
pub mod tally;
