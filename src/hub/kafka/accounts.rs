//! What has become of sources' records, stored in the same transaction as these.

use std::collections::BTreeMap;

use anabranch_connectors::source::Account;

use super::positions;
use super::settings::Settings;
use crate::hub::{HubError, Part};

/// The accounts of all sources up to the last round that is stored; none for who does not count.
#[derive(Debug, Default)]
pub(super) struct Accounts(Option<BTreeMap<String, Account>>);

impl Accounts {
    /// Takes up what earlier lives have stored, once, for who counts on.
    ///
    /// # Errors
    /// [`HubError`] when the brokers do not tell.
    pub(super) fn take_up(&mut self, settings: &Settings) -> Result<(), HubError> {
        let (None, Some(metrics)) = (&self.0, &settings.metrics) else { return Ok(()) };
        if settings.positions_topic.is_empty() {
            return Ok(());
        }
        let kept = positions::Positions::default().accounts(settings)?;
        metrics.take_up(&kept);
        self.0 = Some(kept);
        Ok(())
    }

    /// The accounts of the sources of `parts`, with these stored.
    pub(super) fn with(&self, parts: Vec<&Part>) -> BTreeMap<String, Account> {
        let mut next: BTreeMap<String, Account> = BTreeMap::new();
        let Some(known) = &self.0 else { return next };
        for part in parts {
            let account = match next.get_mut(part.source.as_ref()) {
                Some(account) => account,
                None => {
                    let kept = known.get(part.source.as_ref()).cloned().unwrap_or_default();
                    next.entry(part.source.to_string()).or_insert(kept)
                }
            };
            account.handed_on += part.claimed();
            account.stored += part.encoded();
            if let Some(now) = part.account() {
                (account.not_stored, account.dropped) = (now.not_stored, now.dropped);
            }
        }
        next
    }

    /// These are stored.
    pub(super) fn settle(&mut self, stored: BTreeMap<String, Account>) {
        if let Some(known) = &mut self.0 {
            known.extend(stored);
        }
    }
}
