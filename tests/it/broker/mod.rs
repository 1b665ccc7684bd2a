//! What speaks Kafka speaks to the embedded hub.

mod crash;
mod differential;
