//! What all connections share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Memory;
use parking_lot::{RwLock, RwLockReadGuard};

use super::security::Security;
use crate::auth::acl::{Acls, Rule};
use crate::auth::kept_users::KeptUsers;
use crate::hub::embedded::Embedded;
use crate::hub::embedded::topics::kept;
use crate::metrics::{ClientMeter, Metrics};
use crate::scram::Hash;

/// Kafka's number for this broker, the only one there is.
pub(super) const NODE: i32 = 1;

/// How clients are served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Most connections at once, over all listeners.
    pub max_connections: usize,
    /// Largest request, bytes.
    pub max_request_bytes: usize,
    /// A connection that sends nothing for so long is closed.
    pub idle_timeout: Duration,
    /// Whether topics are made when a client asks for them.
    pub auto_create_topics: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_request_bytes: 100 << 20,
            idle_timeout: Duration::from_secs(600),
            auto_create_topics: true,
        }
    }
}

/// What all connections share.
#[derive(Debug)]
pub struct Broker {
    pub(super) hub: Arc<Embedded>,
    pub(super) settings: Settings,
    pub(super) access: RwLock<Acls>,
    /// Users that clients have set.
    pub(super) users: RwLock<Arc<KeptUsers>>,
    /// What the listeners ask; the users of the configuration are there.
    pub(super) asked: RwLock<Vec<Arc<Security>>>,
    pub(super) metrics: Arc<Metrics>,
}

impl Broker {
    /// A broker before `hub`.
    #[must_use]
    pub fn new(hub: Arc<Embedded>, settings: Settings) -> Arc<Self> {
        let metrics = Arc::clone(hub.metrics());
        let (access, users, asked) = (RwLock::default(), RwLock::default(), RwLock::default());
        let broker = Self { hub, settings, access, users, asked, metrics };
        broker.take_kept_rules();
        broker.take_kept_users();
        Arc::new(broker)
    }

    /// Replaces what the configuration says that clients may do, those that are connected among them.
    pub(crate) fn set_access(&self, access: Acls) {
        let mut access = access;
        access.set_kept(self.kept_rules());
        *self.access.write() = access;
    }

    /// Whether access control lets `principal` do it.
    pub(crate) fn allows(
        &self,
        principal: &str,
        operation: crate::auth::acl::Operation,
        resource: crate::auth::acl::Resource<'_>,
    ) -> bool {
        self.access().allows(principal, operation, resource)
    }

    /// Tells what the listeners ask of clients.
    pub(crate) fn set_asked(&self, asked: Vec<Arc<Security>>) {
        *self.asked.write() = asked;
    }

    /// Takes over the rules that clients have set.
    pub(super) fn take_kept_rules(&self) {
        let rules = self.kept_rules();
        self.access.write().set_kept(rules);
    }

    /// The rules that clients have set, as the hub keeps them.
    pub(super) fn kept_rules(&self) -> Vec<Rule> {
        let kept = self.hub.kept(kept::RULE);
        let read = kept.keys().filter_map(|text| {
            let rule = Rule::from_text(text);
            if rule.is_none() {
                tracing::error!(rule = text, "a rule that a client has set cannot be read");
            }
            rule
        });
        read.collect()
    }

    /// Takes over the users that clients have set, as the hub keeps them.
    pub(super) fn take_kept_users(&self) {
        let (users, unread) = KeptUsers::read(self.hub.kept(kept::USER).iter());
        for name in unread {
            tracing::error!(name, "a user that a client has set cannot be read");
        }
        *self.users.write() = Arc::new(users);
    }

    pub(super) fn kept_users(&self) -> Arc<KeptUsers> {
        Arc::clone(&self.users.read())
    }

    /// The users of the configuration, over all listeners, with what is kept of their passwords for SCRAM.
    pub(super) fn configured_users(&self) -> BTreeMap<String, Vec<(Hash, u32)>> {
        let asked = self.asked.read();
        let sasl = asked.iter().filter_map(|one| one.sasl.as_ref());
        sasl.flat_map(|sasl| sasl.users.infos()).collect()
    }

    /// The memory of the process.
    pub(super) fn memory(&self) -> &Memory {
        &self.metrics.memory
    }

    /// What is counted.
    pub(super) fn counters(&self) -> &ClientMeter {
        &self.metrics.clients
    }

    pub(super) fn access(&self) -> RwLockReadGuard<'_, Acls> {
        self.access.read()
    }
}
