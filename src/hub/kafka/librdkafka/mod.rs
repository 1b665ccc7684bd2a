//! The way in through librdkafka's producer, for the settings that only librdkafka knows (Kerberos, OAuth, …).
//!
//! It does what [`super::writer`] does, at several times the CPU: librdkafka makes a message and a list of headers for
//! every record.

mod refused;
mod round;
mod send;
mod writer;

pub(super) use send::headers_of;
pub(super) use writer::Writer;
