//! Everything that takes memory, at once, and who is held up by it.
//!
//! A budget (`memory`), many files, a large file that is not read yet, a sink whose far side is away, one whose far side is
//! slow, many large bodies at once, many clients that take their time, connections whose lines do not end, and Kafka
//! clients that ask for much and take nothing of it. Beside them a few who want little: how long they wait is measured,
//! and how much memory the agent has at most. What was answered as stored is counted against what is stored.

mod addresses;
mod crowd;
mod measure;
mod probes;
mod waiting;

pub(super) use measure::measure;
