//! What is done to records on their way: the place for parsers, filters and changes. Nothing is here yet.
//!
//! A transform sees records (`anabranch_record`) and gives records, and knows nobody else: no connector, no hub, no
//! configuration file. So it can run at a source, at a sink, over records of yesterday, and in a test, and does the same.
//!
//! Invariant: no I/O, no async, no clock; what depends on the time is told the time, what looks something up is given the
//! table.

pub use anabranch_record as record;
