//! Reads standard input.

mod source;

pub use source::{SourceConfig, StdinSource};
