//! The command line.

mod greeting;
pub mod run;
