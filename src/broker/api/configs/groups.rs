//! The settings of a group, under the names that Kafka 4 knows.
//!
//! Those of consumer groups can be set; there are no share groups and no groups of Streams, so theirs are shown only.
//! Source: KIP-848, KIP-932, KIP-1071; Kafka documentation, "Group Configs".

use crate::hub::embedded::topics::configs::{Kind, check_kind};

/// One setting of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupSetting {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    /// The name of the broker's default.
    pub(super) broker_name: &'static str,
    /// Where the broker's limits lie, if it has any.
    limits: Option<(i64, i64)>,
    pub(super) documentation: &'static str,
}

const fn setting(
    (name, broker_name): (&'static str, &'static str),
    kind: Kind,
    default: &'static str,
    limits: Option<(i64, i64)>,
    documentation: &'static str,
) -> GroupSetting {
    GroupSetting { name, kind, default, broker_name, limits, documentation }
}

const INT: Kind = Kind::Int(0, i32::MAX as i64);
const RESETS: Kind = Kind::Text(&["earliest", "latest"]);
const LEVELS: Kind = Kind::Text(&["read_committed", "read_uncommitted"]);
const NO_SHARES: &str = "Shown only: there are no share groups here.";
const NO_STREAMS: &str = "Shown only: there are no groups of Streams here.";

/// Every setting of a group.
#[rustfmt::skip]
pub(super) const GROUP_SETTINGS: &[GroupSetting] = &[
    setting(("consumer.assignment.interval.ms", "group.consumer.assignment.interval.ms"), INT, "1000", None, "Shortest time between two assignments of a consumer group."),
    setting(("consumer.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"), INT, "5000", Some((5000, 15_000)), "How often members of a consumer group are to say that they are there."),
    setting(("consumer.session.timeout.ms", "group.consumer.session.timeout.ms"), INT, "45000", Some((45_000, 60_000)), "A member of a consumer group that says nothing for so long is gone."),
    setting(("share.assignment.interval.ms", "group.share.assignment.interval.ms"), INT, "1000", None, NO_SHARES),
    setting(("share.auto.offset.reset", "group.share.auto.offset.reset"), RESETS, "latest", None, NO_SHARES),
    setting(("share.delivery.count.limit", "group.share.delivery.count.limit"), INT, "5", None, NO_SHARES),
    setting(("share.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"), INT, "5000", None, NO_SHARES),
    setting(("share.isolation.level", "group.share.isolation.level"), LEVELS, "read_uncommitted", None, NO_SHARES),
    setting(("share.partition.max.record.locks", "group.share.partition.max.record.locks"), INT, "2000", None, NO_SHARES),
    setting(("share.record.lock.duration.ms", "group.share.record.lock.duration.ms"), INT, "30000", None, NO_SHARES),
    setting(("share.renew.acknowledge.enable", "group.share.renew.acknowledge.enable"), Kind::Boolean, "true", None, NO_SHARES),
    setting(("share.session.timeout.ms", "group.share.session.timeout.ms"), INT, "45000", None, NO_SHARES),
    setting(("streams.assignment.interval.ms", "group.streams.assignment.interval.ms"), INT, "1000", None, NO_STREAMS),
    setting(("streams.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"), INT, "5000", None, NO_STREAMS),
    setting(("streams.initial.rebalance.delay.ms", "group.streams.initial.rebalance.delay.ms"), INT, "3000", None, NO_STREAMS),
    setting(("streams.num.standby.replicas", "group.streams.num.standby.replicas"), INT, "0", None, NO_STREAMS),
    setting(("streams.session.timeout.ms", "group.streams.session.timeout.ms"), INT, "45000", None, NO_STREAMS),
];

/// Finds a setting by name.
pub(super) fn find(name: &str) -> Option<&'static GroupSetting> {
    GROUP_SETTINGS.iter().find(|setting| setting.name == name)
}

impl GroupSetting {
    /// Whether `value` may be set.
    ///
    /// # Errors
    /// What is wrong, in Kafka's words where it has some.
    pub(super) fn check(&self, value: &str) -> Result<(), String> {
        check_kind(self.kind, self.name, value)?;
        let Some(own) = self.name.strip_prefix("consumer.") else {
            return Err(format!("{} cannot be set: {}", self.name, self.documentation));
        };
        let number = value.trim().parse::<i64>().unwrap_or_default();
        let broken = |relation: &str, limit: &str| {
            Err(format!(
                "{} must be {relation} than or equal to group.consumer.{limit}.{own}",
                self.name
            ))
        };
        match self.limits {
            Some((least, _)) if number < least => broken("greater", "min"),
            Some((_, most)) if number > most => broken("less", "max"),
            _ => Ok(()),
        }
    }
}
