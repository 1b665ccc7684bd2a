//! Conversations with the hub and with Kafka: later requests use what earlier answers gave.
//!
//! Each is played twice with each server, in the lowest and in the highest versions that both have, and then compared
//! step by step.

mod anew;
mod consumer_words;
mod consumers;
mod members;
mod offsets;
mod player;
mod producer;
mod protocols;
mod sequences;
mod static_members;
mod topic;
mod transactions;
mod words;

use std::collections::BTreeSet;
use std::thread;

use super::{accepted, await_coordinators, start_hub, versions};
use crate::support::server;
use player::{Edge, Player, Step};

/// What the names of all steps begin with, in the table of accepted differences.
pub(super) const MARK: &str = "conversation: ";

type Conversation = fn(&mut Player);

const CONVERSATIONS: &[(&str, Conversation)] = &[
    ("members", members::play),
    ("protocols", protocols::play),
    ("connect", protocols::play_connect),
    ("static members", static_members::play),
    ("consumers", consumers::play),
    ("static consumers", consumers::play_static),
    ("moves", consumers::play_moves),
    ("transactions", transactions::play),
    ("fencing", transactions::play_fencing),
    ("offsets in transactions", offsets::play),
    ("sequences", sequences::play),
    ("anew", anew::play),
];

/// What one server says in a conversation.
fn play(talk: Conversation, mut player: Player) -> Vec<Step> {
    talk(&mut player);
    player.steps
}

/// Differences between the two sides, as text; rows that cover some are noted in `used`.
fn compare(talk: &str, hub: &[Step], kafka: &[Step], used: &mut BTreeSet<usize>) -> Vec<String> {
    let mut found = Vec::new();
    for (ours, theirs) in hub.iter().zip(kafka) {
        let name = format!("{MARK}{talk}: {}", ours.name);
        if ours.name != theirs.name {
            found.push(format!("{name}: Kafka went on with {}", theirs.name));
            return found;
        }
        let differing = accepted::differing(&name, &ours.fields, &theirs.fields, used);
        let told = |what: String| format!("{name} (version {}) {what}", ours.version);
        found.extend(differing.into_iter().map(told));
    }
    if hub.len() != kafka.len() {
        found.push(format!("{talk}: {} steps with the hub, {} with Kafka", hub.len(), kafka.len()));
    }
    found
}

#[test]
fn conversations_go_as_they_do_with_kafka() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_agent, hub) = start_hub(folder.path());
    await_coordinators(&hub);
    await_coordinators(&kafka);
    let versions = versions(&hub, &kafka);
    let (mut used, mut found, mut count) = (BTreeSet::new(), Vec::new(), 0);
    for (name, talk) in CONVERSATIONS {
        for edge in [Edge::Lowest, Edge::Highest] {
            let suffix = format!("-{}-{edge:?}", uuid::Uuid::new_v4());
            let [ours, theirs] = thread::scope(|scope| {
                let play_with = |address: &str| {
                    let player = Player::new(address, &versions, edge, &suffix);
                    scope.spawn(|| play(*talk, player))
                };
                [play_with(&hub), play_with(&kafka)].map(|played| played.join().unwrap())
            });
            found.extend(compare(name, &ours, &theirs, &mut used));
            count += ours.len();
        }
    }
    println!("{count} steps of {} conversations went alike", 2 * CONVERSATIONS.len());
    print!("{}", accepted::unused(&used, |of| of.starts_with(MARK)));
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
