//! What has become of sources' records, stored in the same transaction as these.

use std::collections::BTreeMap;

use anabranch_connectors::contract::counters::Account;

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
                // What was handed back meanwhile had been handed on as well.
                account.handed_on += now.not_stored - account.not_stored;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anabranch_connectors::contract::counters::SourceCounters;
    use anabranch_connectors::contract::memory::Part as MemoryPart;
    use anabranch_connectors::contract::receipt::NotStored;
    use anabranch_connectors::{Emitter, Memory};
    use anabranch_record::{Amount, Batch, Headers};

    use super::*;

    #[tokio::test]
    async fn what_was_handed_back_was_handed_on_too() {
        let (inlet, mut outlet) = tokio::sync::mpsc::channel(4);
        let counters: Arc<SourceCounters> = Arc::default();
        let memory = (Memory::shared(1 << 20), MemoryPart::Sources);
        let emitter = Emitter::new("s", [inlet].into(), memory, Vec::new(), counters);
        let mut parts = Vec::new();
        for line in ["one", "three"] {
            let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
            batch.push_copy(line.as_bytes());
            drop(emitter.send(batch).await.unwrap());
            parts.push(Part::from(outlet.recv().await.unwrap()));
        }
        let stored = parts.pop().unwrap();
        parts.pop().unwrap().settle(Err(NotStored("it is another's now".to_owned())));
        let mut accounts = Accounts(Some(BTreeMap::new()));
        for _again in 0..2 {
            let next = accounts.with(vec![&stored]);
            let account = &next["s"];
            assert_eq!(account.not_stored, Amount::new(1, 3));
            assert_eq!(account.handed_on, account.not_stored + account.stored);
            accounts.settle(next);
        }
    }
}
