//! Notices a client that makes no progress although it could.
//!
//! After a network has failed it for long, librdkafka may stay behind when everybody else is served again. Silence alone
//! is no sign of that: where nothing is written, nothing comes. So a client that is silent for a while is compared with
//! a new one that is made for this question. When that gets a record at once which the old one does not, or reaches
//! brokers while the old one has had no assignment for long, the old one is built anew.

use std::collections::HashMap;
use std::time::Duration;

use anabranch_record::TopicPartition;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset as At, TopicPartitionList};
use tokio::time::Instant;

use super::admin::{Observer, not_now, unusable};
use super::context::Quiet;
use super::handover::{Handover, Place};
use super::settings::Settings;
use crate::hub::HubError;

/// How long nothing must have come before anybody asks.
const SILENT: Duration = Duration::from_secs(30);

/// How long a member may be without an assignment. A group that waits for a slow member takes its time.
const UNASSIGNED: Duration = Duration::from_secs(120);

/// How long the new client may take to get a record.
const TRY_MAX: Duration = Duration::from_secs(10);

/// Watches over one client.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// When it last made progress, or was looked at.
    asked: Instant,
    /// When it last had an assignment.
    assigned: Instant,
    /// Ends of partitions before which there is nothing to be read: marks of transactions.
    empty: HashMap<TopicPartition, i64>,
}

impl Watchdog {
    /// For a client that has just been made.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { asked: now, assigned: now, empty: HashMap::new() }
    }

    /// Something came, or nobody wants anything.
    pub(super) fn is_well(&mut self) {
        (self.asked, self.assigned) = (Instant::now(), Instant::now());
    }

    /// Why the client is to be built anew; `None` while it need not be. May take some seconds.
    pub(super) fn complaint(
        &mut self,
        (settings, observer): (&Settings, &Observer),
        handover: &Handover,
    ) -> Option<&'static str> {
        if handover.is_assigned() {
            self.assigned = Instant::now();
        }
        if self.asked.elapsed() < SILENT {
            return None;
        }
        let places = handover.places().0;
        let complaint = if self.assigned.elapsed() >= UNASSIGNED {
            reaches(settings).then_some("it has no assignment and the brokers can be reached")
        } else if self.is_behind(settings, observer, &places)
            && self.comes(settings, handover, &places)
        {
            Some("a new client gets records that it does not get")
        } else {
            None
        };
        self.asked = Instant::now();
        complaint
    }

    /// Whether there may be something to read. Who cannot tell may be as badly off as the one that is watched.
    fn is_behind(&self, settings: &Settings, observer: &Observer, places: &[Place]) -> bool {
        for place in places {
            let Ok((_, end)) = observer.ends_now(&place.topic, place.partition) else {
                let can = reaches(settings);
                if can {
                    observer.renew(settings);
                }
                return can;
            };
            if end > place.read && self.empty.get(&key(place)).is_none_or(|empty| end > *empty) {
                return true;
            }
        }
        false
    }

    /// Whether a new client gets a record that the old one has not got.
    fn comes(&mut self, settings: &Settings, handover: &Handover, places: &[Place]) -> bool {
        let Ok(client) = client(settings, places) else { return false };
        let until = Instant::now() + TRY_MAX;
        while Instant::now() < until && !handover.is_closing() {
            if let Some(Ok(_record)) = client.poll(Duration::from_millis(100)) {
                return true;
            }
        }
        for place in places {
            let ends =
                client.fetch_watermarks(&place.topic, place.partition, Duration::from_secs(1));
            // The first that does not answer ends it: nothing is known then.
            let Ok((_, end)) = ends else { break };
            self.empty.insert(key(place), end);
        }
        false
    }
}

fn key(place: &Place) -> TopicPartition {
    TopicPartition::new(&*place.topic, place.partition)
}

/// A client of its own that reads on from these places.
fn client(settings: &Settings, places: &[Place]) -> Result<BaseConsumer<Quiet>, HubError> {
    let group = format!("anabranch-{}", uuid::Uuid::new_v4().simple());
    let made: Result<BaseConsumer<Quiet>, _> =
        settings.consumer(&group).create_with_context(Quiet::default());
    let client = made.map_err(|error| unusable(&error))?;
    let mut list = TopicPartitionList::new();
    for place in places {
        let at = At::Offset(place.read);
        list.add_partition_offset(&place.topic, place.partition, at).map_err(not_now)?;
    }
    client.assign(&list).map_err(not_now)?;
    Ok(client)
}

/// Whether a new client gets an answer.
fn reaches(settings: &Settings) -> bool {
    Observer::new(settings).is_ok_and(|fresh| fresh.cluster_id().is_ok())
}
