//! The client that reads: made anew when the one before stands still.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rdkafka::consumer::BaseConsumer;

use super::admin;
use super::assignment::Assignments;
use super::handover::Handover;
use super::settings::Settings;
use crate::hub::{ConsumerSpec, HubError};

/// A client that is to be a member, or to read the partitions of its choice.
pub(super) fn connect(
    settings: &Settings,
    spec: &ConsumerSpec,
    handover: &Arc<Handover>,
) -> Result<BaseConsumer<Assignments>, HubError> {
    let group = spec.group.clone();
    let mut config = if group.is_empty() {
        // Librdkafka assigns nothing to a client without one. Nothing is asked of it and nothing committed.
        settings.consumer(&format!("anabranch-{}", uuid::Uuid::new_v4().simple()))
    } else {
        settings.consumer(&group)
    };
    let (number, of) = spec.member;
    if of > 1 {
        config.set("client.id", format!("{}-{number}", settings.client_id));
    }
    let context = Assignments {
        group,
        topics: spec.topics.clone(),
        alone: spec.is_alone(),
        start: spec.start,
        keeps_start: spec.assigned.is_none(),
        handover: Arc::clone(handover),
        begun: AtomicBool::new(false),
        rejoin: AtomicBool::new(false),
        failed: AtomicBool::new(false),
        retired: AtomicBool::new(false),
    };
    config.create_with_context(context).map_err(|error| admin::unusable(&error))
}

/// The client that reads now, as long as it is there.
#[derive(Default)]
pub(super) struct Slot(Mutex<Weak<BaseConsumer<Assignments>>>);

impl Slot {
    pub(super) fn set(&self, client: &Arc<BaseConsumer<Assignments>>) {
        *self.0.lock() = Arc::downgrade(client);
    }

    pub(super) fn get(&self) -> Option<Arc<BaseConsumer<Assignments>>> {
        self.0.lock().upgrade()
    }
}
