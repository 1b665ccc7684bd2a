//! A sink's state as metadata of committed offsets.
//!
//! `<sequence>` or `<sequence> <state>`: a decimal number that grows with every commit of the group, and the sink's
//! text. Partitions are committed at different times and by different members, so after a rebalance the state of the
//! highest sequence is the latest. Brokers take 4096 bytes unless told otherwise (`offset.metadata.max.bytes`).
//!
//! A state that is not the latest must never be taken for it: it would have a file sink cut its files to what they once
//! were. The latest goes when its partitions are deleted, or are no longer read. So the first commit after a resume
//! takes away the states of the partitions that it does not name: those of topics that are no longer read, and its own
//! if it is the only delivery of its sink. Of several, each state speaks for its own partition, and stays.

/// As it is committed.
pub(crate) fn encode(sequence: i64, state: Option<&str>) -> String {
    match state {
        Some(state) => format!("{sequence} {state}"),
        None => sequence.to_string(),
    }
}

/// The sequence and the state; `None` for what somebody else has committed.
pub(crate) fn decode(metadata: &str) -> Option<(i64, Option<&str>)> {
    match metadata.split_once(' ') {
        Some((sequence, state)) => Some((sequence.parse().ok()?, Some(state))),
        None => Some((metadata.parse().ok()?, None)),
    }
}

/// Whether that is the metadata of a commit with a state.
pub(crate) fn is_state(metadata: &str) -> bool {
    matches!(decode(metadata), Some((_, Some(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn foreign_texts_are_no_states() {
        for (text, is_one) in [("9 old", true), ("", false), ("somebody's 99", false), ("2", false)]
        {
            assert_eq!(is_state(text), is_one, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(sequence: i64, state: Option<String>) {
            let text = encode(sequence, state.as_deref());
            prop_assert_eq!(decode(&text), Some((sequence, state.as_deref())));
        }

        #[test]
        fn any_text_is_decoded_without_a_panic(text: String) {
            let _any = is_state(&text);
        }
    }
}
