//! The integration tests: one binary, real servers, real sockets, real files, the built program.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says on stderr what it did not run"
)]

mod agent;
mod broker;
mod cli;
mod config;
mod conformance;
mod crash;
mod elasticsearch;
mod end_to_end;
mod faults;
mod folders;
mod full_disk;
mod guard;
mod independence;
mod kafka_hub;
mod ledger;
mod library;
mod listeners;
mod privacy;
mod programs;
mod refusals;
mod rights;
mod runner;
mod seen;
mod sinks;
mod sources;
mod stop;
mod support;
mod tidy;
mod topics_change;
