//! Streams: the place for windows and totals. Nothing is here yet.
//!
//! A stream is a consumer group that appends what it makes of a topic to another one. It stands on `hub` (its progress and
//! what it appends are one step, [`crate::hub::Advance`]) and on transforms, and is wired by `agent` as sources and sinks
//! are.
//!
//! Absent: state outside of the hub. What a stream remembers is in a compacted topic, so that a restart, another agent and
//! a change of its definition all begin with what is stored.
