//! The coordinator of the new protocol, driven by a clock of the test.

mod assignors;
mod claims;
mod classic;
mod heartbeats;
mod model;
mod static_members;
mod stored;
mod topics;

use super::*;

pub(super) fn limits() -> Limits {
    Limits {
        session_timeout_min_ms: 6_000,
        session_timeout_max_ms: 1_800_000,
        initial_rebalance_delay_ms: 0,
        group_size_max: 100,
    }
}

/// The id of a topic.
pub(super) fn id(topic: &str) -> Uuid {
    topic
        .bytes()
        .fold(Uuid::nil(), |id, byte| Uuid::from_u128(id.as_u128() << 8 | u128::from(byte)))
}

/// Partitions of one topic.
pub(super) fn of(topic: &str, numbers: impl IntoIterator<Item = i32>) -> Partitions {
    numbers.into_iter().map(|number| (id(topic), number)).collect()
}

/// A member of the group `g`, as a client knows itself.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) member_id: String,
    pub(super) instance_id: Option<String>,
    pub(super) topics: Vec<String>,
    pub(super) regex: Option<String>,
    pub(super) assignor: Option<String>,
    pub(super) epoch: i32,
    pub(super) owned: Partitions,
}

impl Client {
    pub(super) fn new(member_id: &str, topics: &[&str]) -> Self {
        Self {
            member_id: member_id.to_owned(),
            instance_id: None,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            regex: None,
            assignor: None,
            epoch: 0,
            owned: Partitions::default(),
        }
    }

    pub(super) fn fixed(member_id: &str, instance_id: &str, topics: &[&str]) -> Self {
        Self { instance_id: Some(instance_id.to_owned()), ..Self::new(member_id, topics) }
    }

    pub(super) fn matching(member_id: &str, regex: &str) -> Self {
        Self { regex: Some(regex.to_owned()), ..Self::new(member_id, &[]) }
    }

    /// All that it has to say.
    pub(super) fn full(&self) -> Heartbeat {
        Heartbeat {
            group: "g".to_owned(),
            member_id: self.member_id.clone(),
            epoch: self.epoch,
            instance_id: self.instance_id.clone(),
            rack_id: None,
            rebalance_timeout_ms: 60_000,
            topics: Some(self.topics.clone()),
            regex: self.regex.clone(),
            assignor: self.assignor.clone(),
            owned: Some(self.owned.clone()),
            client_id: "c".to_owned(),
            client_host: "/127.0.0.1".to_owned(),
            has_own_id: true,
        }
    }

    /// That it is alive.
    pub(super) fn short(&self) -> Heartbeat {
        Heartbeat {
            rebalance_timeout_ms: -1,
            topics: None,
            regex: None,
            assignor: None,
            owned: None,
            ..self.full()
        }
    }

    /// That it has these partitions, and no others.
    pub(super) fn owning(&self) -> Heartbeat {
        Heartbeat { owned: Some(self.owned.clone()), ..self.short() }
    }
}

pub(super) struct Rig {
    pub(super) groups: ConsumerGroups,
    pub(super) now_ms: i64,
}

impl Rig {
    /// A coordinator that knows these topics.
    pub(super) fn new(topics: &[(&str, i32)]) -> Self {
        let mut groups = ConsumerGroups::new(limits());
        for (topic, count) in topics {
            groups.set_topic(topic, Some((id(topic), *count)));
        }
        Self { groups, now_ms: 1_000 }
    }

    pub(super) fn send(&mut self, beat: &Heartbeat) -> Result<Beat, GroupError> {
        self.groups.heartbeat(self.now_ms, beat, &|topic| !topic.starts_with("hidden"))
    }

    /// A client joins, or says all.
    pub(super) fn join(&mut self, client: &mut Client) -> Result<(), GroupError> {
        let beat = self.send(&client.full())?;
        Self::told(client, beat);
        Ok(())
    }

    /// A heartbeat of a client that gives up at once what it is told to give up; whether it was told anything.
    pub(super) fn beat(&mut self, client: &mut Client) -> bool {
        let beat = self.send(&client.owning()).unwrap();
        Self::told(client, beat)
    }

    fn told(client: &mut Client, beat: Beat) -> bool {
        client.epoch = beat.epoch;
        let is_told = beat.assignment.is_some();
        client.owned = beat.assignment.unwrap_or_else(|| client.owned.clone());
        is_told
    }

    /// Heartbeats of all until nobody is told anything.
    pub(super) fn settle(&mut self, clients: &mut [&mut Client]) {
        for _ in 0..20 {
            for client in &mut *clients {
                self.beat(client);
            }
        }
        assert_eq!(self.view().phase, group::GroupPhase::Stable);
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.groups.tick(self.now_ms);
    }

    pub(super) fn view(&self) -> GroupView {
        self.groups.describe("g").unwrap()
    }

    /// The group's epoch, and that of its assignment.
    pub(super) fn epochs(&self) -> (i32, i32) {
        let view = self.view();
        (view.epoch, view.assignment_epoch)
    }
}
