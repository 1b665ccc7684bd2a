//! What clients have set that belongs to no topic: settings of the broker and of groups, access rules, users.
//!
//! Kept in a topic of its own, one record for each entry: the key is its kind, a colon and its name (`group:readers`), the
//! value is JSON. An entry that is taken back has a record without a value.
//!
//! Invariant: what is seen here has been stored.

use std::collections::BTreeMap;

use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::Mutex;

use super::configs::Overrides;
use crate::hub::embedded::write::command::Pairs;

/// The settings of every broker, and of this one.
pub(crate) const BROKERS: &str = "broker:";
pub(crate) const THIS_BROKER: &str = "broker:1";
/// Begins the settings of a group; its name follows.
pub(crate) const GROUP: &str = "group:";
/// Begins a rule of access control.
pub(crate) const RULE: &str = "acl:";
/// Begins a user's credential.
pub(crate) const USER: &str = "scram:";

/// Entries by key.
pub(crate) type Entries = BTreeMap<String, String>;
/// Keys with what is kept from now on, or nothing any more.
pub(crate) type Changes = Vec<(String, Option<String>)>;

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(super) entries: RwLock<Entries>,
    /// Held from the look at what is there until the change is stored.
    pub(super) changing: Mutex<()>,
}

impl Kept {
    /// What the log says.
    pub(crate) fn new(entries: Entries) -> Self {
        Self { entries: RwLock::new(entries), changing: Mutex::default() }
    }

    pub(super) fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read()
    }

    /// All entries as records of their topic.
    pub(crate) fn snapshot(&self) -> Pairs {
        let pair = |(key, value): (&String, &String)| {
            (key.clone().into_bytes(), Some(value.clone().into_bytes()))
        };
        self.entries().iter().map(pair).collect()
    }

    /// The settings under one key.
    pub(super) fn settings(&self, key: &str) -> Overrides {
        let entries = self.entries();
        let text = entries.get(key).map_or("{}", String::as_str);
        serde_json::from_str(text).unwrap_or_default()
    }
}
