//! What a connector is built with, and why it cannot be.

use thiserror::Error;

/// A setting that is well-formed and cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{setting}` {problem}; {hint}")]
pub struct BuildError {
    /// The setting, as it stands inside the connector's block.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: &'static str,
}

/// What a connector may know of the program that it runs in.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Name of the source or sink.
    pub name: String,
    /// This machine's name, for the header `host`.
    pub host: String,
}
