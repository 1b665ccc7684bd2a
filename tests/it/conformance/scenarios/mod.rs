//! The scenarios, each for any sink.

mod away;
mod ends;
mod plain;
mod refusals;

pub(super) use away::{down_and_back, topic_deleted};
pub(super) use ends::{full_queue_at_the_stop, killed, restarted};
pub(super) use plain::{once, order};
pub(super) use refusals::{busy, dead_letter, too_large, wrong_credentials};

/// What [`super::scene::Scene::end`] is told where nothing may die.
const NONE_DEAD: (&[usize], &str) = (&[], "");
