//! The integration tests: one program.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config;
