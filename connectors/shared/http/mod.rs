//! HTTP as a client: connections, what is written to them, and how answers are read.

pub(crate) mod answer;
pub(crate) mod client;
pub mod responses;

pub use client::{Auth, Tls};
