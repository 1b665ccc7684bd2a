//! One loop for all sinks: fetch → write → dead letters → commit.
//!
//! A sink says what became of each record; this loop owns everything that follows from it: waiting, trying again,
//! cutting in halves, dead letters, commits. One sink's trouble is that sink's alone.
//!
//! Invariant: an offset is committed only when every record before it has arrived, or lies with the dead letters.

mod burials;
mod buried;
mod commit;
mod dead_letter;
mod divert;
mod fallback;
mod judge;
mod pace;
mod progress;
mod refusal;
mod run;
mod served;
mod share;
mod state;
mod tell;
#[cfg(test)]
mod tests;
mod trouble;
mod window;
mod write;

pub use buried::Buried;
pub use dead_letter::{DEAD_LETTER_SOURCE, DeadLetters, FALLBACK_SOURCE};
pub(crate) use dead_letter::{fallback_of, topic_of};
pub use fallback::Fallback;
pub use pace::Pace;
pub use run::run;
pub use served::{Delivery, Settings};
pub use share::Share;
