//! `anabranch bench`: what the main jobs cost on this machine.
//!
//! The agent under test is this same program in a process of its own, so its CPU seconds and its memory are only its
//! own; what makes the load and what receives it live in the benchmark's process. These machines are shared: quote CPU
//! seconds and ratios to something that ran beside it, never one absolute time.

mod append;
mod args;
mod cases;
mod child;
mod figures;
mod latency;
mod load;
mod memory;
mod progress;
mod receiver;
mod run;
mod stop;

pub use args::{BenchArgs, Case};
pub use run::run;
