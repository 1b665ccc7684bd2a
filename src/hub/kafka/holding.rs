//! Whether a member still has the partitions of what it has read, asked of the group's coordinator.
//!
//! It commits again what is committed: the coordinator refuses that of a member that it has thrown out. What is done in
//! a transaction that was open before the question, and is committed after it, is there before anybody who takes the
//! partitions over later begins to read what it left in the positions topic, since he waits for open transactions there.

use std::sync::Arc;

use anabranch_connectors::contract::receipt::NotStored;
use anabranch_record::condition::Answer;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::assignment::to_commit;
use super::client::Slot;
use super::handover::Handover;
use crate::hub::Part;

/// What a member has read under one assignment.
pub(super) struct Holding {
    pub(super) group: String,
    pub(super) slot: Arc<Slot>,
    pub(super) handover: Arc<Handover>,
    pub(super) generation: u64,
}

impl Holding {
    /// Blocks until the coordinator has answered.
    pub(super) fn ask(&self) -> Answer {
        let moved = || Answer::Failed(format!("group \"{}\" was rebalanced", self.group));
        let Some(client) = self.slot.get() else { return moved() };
        let turn = self.handover.turn.lock();
        if turn.generation != self.generation {
            return moved();
        }
        let Some(standing) = self.handover.standing() else { return moved() };
        let list = match to_commit(&[standing], &[]) {
            Ok(list) => list,
            Err(error) => return Answer::NotKnown(error.to_string()),
        };
        match client.commit(&list, CommitMode::Sync) {
            Ok(()) => Answer::Holds,
            Err(error) if is_out(&error) => moved(),
            Err(error) => Answer::NotKnown(format!(
                "it is not known whether group \"{}\" was rebalanced: {error}",
                self.group
            )),
        }
    }
}

/// Asks for what must be so when these are stored: the numbers of those that must not be, and why.
///
/// # Errors
/// Why it is not known.
pub(super) fn failed(
    jobs: impl Iterator<Item = impl AsRef<[Part]>>,
) -> Result<Vec<(usize, String)>, String> {
    let mut failed = Vec::new();
    for (number, parts) in jobs.enumerate() {
        for condition in parts.as_ref().iter().filter_map(Part::condition) {
            match condition.ask() {
                Answer::Holds => {}
                Answer::NotKnown(why) => return Err(why),
                Answer::Failed(why) => failed.push((number, why)),
            }
        }
    }
    failed.dedup_by_key(|(number, _)| *number);
    Ok(failed)
}

/// Tells the sources of `parts` that they are not stored.
pub(super) fn leave_out(parts: Vec<Part>, why: &str) {
    for part in parts {
        part.settle(Err(NotStored(why.to_owned())));
    }
}

/// What is said of a round of which something was left out.
pub(super) fn left_out(why: &str) -> String {
    format!("what must not be stored now is left out, the rest comes again: {why}")
}

/// Whether the coordinator knows the member no more.
fn is_out(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::FencedInstanceId
                | RDKafkaErrorCode::StaleMemberEpoch
                | RDKafkaErrorCode::FencedMemberEpoch
        )
    })
}
