//! One list of scenarios that every sink passes against its real far side, as far as it can have them.
//!
//! A new sink costs one entry in `sinks.rs`: what is in `far/` for it, what it promises, and for each scenario that it
//! runs, or why there is no such thing for it. `table.rs` prints what ran for whom.

mod far;
mod scenarios;
mod scene;
mod sinks;
mod table;
