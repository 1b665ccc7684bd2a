//! A sink's state as metadata of committed offsets.
//!
//! `<sequence>`, then perhaps `;` and the sink's account in the partition ([`crate::ledger::progress`]), then perhaps a
//! space and the sink's text. The sequence is a decimal number that grows with every commit of the group. Partitions are committed at different times and by different members, so after a rebalance the state of the
//! highest sequence is the latest. Brokers take 4096 bytes unless told otherwise (`offset.metadata.max.bytes`).
//!
//! A state that is not the latest must never be taken for it: it would have a file sink cut its files to what they once
//! were. The latest goes when its partitions are deleted, or are no longer read. So the first commit after a resume
//! takes away the states of the partitions that it does not name: those of topics that are no longer read, and its own
//! if it is the only delivery of its sink. Of several, each state speaks for its own partition, and stays.

use crate::ledger::progress::Progress;

/// What a commit says beside the offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata<'a> {
    pub(crate) sequence: i64,
    /// The account of the sink in the partition.
    pub(crate) account: Option<Progress>,
    /// The sink's text.
    pub(crate) state: Option<&'a str>,
}

impl Metadata<'_> {
    /// As it is committed.
    pub(crate) fn encode(&self) -> String {
        let mut text = self.sequence.to_string();
        if let Some(account) = &self.account {
            text.push(';');
            text.push_str(&account.encode());
        }
        if let Some(state) = self.state {
            text.push(' ');
            text.push_str(state);
        }
        text
    }
}

/// What was committed; `None` for what somebody else has committed.
pub(crate) fn decode(metadata: &str) -> Option<Metadata<'_>> {
    let (head, state) = match metadata.split_once(' ') {
        Some((head, state)) => (head, Some(state)),
        None => (metadata, None),
    };
    let (sequence, account) = match head.split_once(';') {
        Some((sequence, account)) => (sequence, Some(Progress::decode(account)?)),
        None => (head, None),
    };
    Some(Metadata { sequence: sequence.parse().ok()?, account, state })
}

/// The account of a sink in the metadata that it has committed.
#[must_use]
pub fn account(metadata: &str) -> Option<Progress> {
    decode(metadata)?.account
}

/// The same metadata without a state: the account stays.
pub(crate) fn without_state(metadata: &str) -> String {
    match decode(metadata) {
        Some(known) if known.account.is_some() => Metadata { state: None, ..known }.encode(),
        _ => String::new(),
    }
}

/// Whether that is the metadata of a commit with a state.
pub(crate) fn is_state(metadata: &str) -> bool {
    decode(metadata).is_some_and(|known| known.state.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_texts_are_no_states() {
        for (text, is_one) in [
            ("9 old", true),
            ("", false),
            ("somebody's 99", false),
            ("2", false),
            ("7;1:2:3:4", false),
        ] {
            assert_eq!(is_state(text), is_one, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(sequence: i64, base: Option<i64>, state: Option<String>) {
            let account = base.map(Progress::from);
            let metadata = Metadata { sequence, account, state: state.as_deref() };
            let text = metadata.encode();
            prop_assert_eq!(decode(&text), Some(metadata));
            prop_assert_eq!(super::account(&without_state(&text)), account);
            prop_assert!(!is_state(&without_state(&text)));
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text: String) {
            let _any = is_state(&text);
        }
    }
}
