//! A sink's state as metadata of committed offsets.
//!
//! `<sequence>` or `<sequence> <state>`: a decimal number that grows with every commit of the group, and the sink's
//! text. Partitions are committed at different times and by different members, so after a rebalance the state of the
//! highest sequence is the latest. Brokers take 4096 bytes unless told otherwise (`offset.metadata.max.bytes`).

/// As it is committed.
pub(super) fn encode(sequence: i64, state: Option<&str>) -> String {
    match state {
        Some(state) => format!("{sequence} {state}"),
        None => sequence.to_string(),
    }
}

/// The sequence and the state; `None` for what somebody else has committed.
pub(super) fn decode(metadata: &str) -> Option<(i64, Option<&str>)> {
    match metadata.split_once(' ') {
        Some((sequence, state)) => Some((sequence.parse().ok()?, Some(state))),
        None => Some((metadata.parse().ok()?, None)),
    }
}

/// The latest of several.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) sequence: i64,
    pub(super) state: Option<String>,
}

impl Latest {
    /// Looks at one partition's metadata.
    pub(super) fn see(&mut self, metadata: &str) {
        if let Some((sequence, state)) = decode(metadata)
            && sequence > self.sequence
        {
            *self = Self { sequence, state: state.map(str::to_owned) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_highest_sequence_is_the_latest_and_foreign_texts_do_not_count() {
        let mut latest = Latest::default();
        for text in ["9 old", "", "somebody's 99", "10 {\"a b\": 1}", "2"] {
            latest.see(text);
        }
        assert_eq!(latest, Latest { sequence: 10, state: Some("{\"a b\": 1}".to_owned()) });
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(sequence: i64, state: Option<String>) {
            let text = encode(sequence, state.as_deref());
            prop_assert_eq!(decode(&text), Some((sequence, state.as_deref())));
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text: String) {
            Latest::default().see(&text);
        }
    }
}
