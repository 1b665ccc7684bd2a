//! The fault bench: runs the agent under load while its process, its disk, its clock, its servers and the ways between
//! them fail as a seed says, and counts what every sink has: lost, twice, altered, out of order.
//!
//! `case.rs` has the cases. A run: `plan.rs` makes the faults out of the seed, `rig.rs` builds everything, `load/` writes
//! what `oracle.rs` hands out and notes, `drive.rs` does the faults, `verdict.rs` waits until all has arrived and judges
//! by `judge.rs`, `table.rs` prints. `disk/` is a file system of its own that fails and forgets.

pub mod agent;
pub mod case;
pub mod clock;
pub mod config;
pub mod disk;
pub mod drive;
pub mod flood;
pub mod http;
pub mod judge;
pub mod ledger;
pub mod line;
pub mod load;
pub mod oracle;
pub mod plan;
pub mod ports;
pub mod proxy;
pub mod random;
pub mod read;
pub mod rig;
pub mod run;
pub mod search;
pub mod servers;
pub mod small;
pub mod stop;
pub mod table;
pub mod verdict;
