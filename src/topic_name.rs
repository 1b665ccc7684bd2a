//! What a topic may be called, and how many partitions it may have: Kafka's rules.
//!
//! Source: Kafka, `org.apache.kafka.common.internals.Topic`.

/// Longest name, bytes.
pub(crate) const TOPIC_MAX: usize = 249;
/// Topics that begin so belong to the hub.
pub(crate) const INTERNAL: &str = "__";
/// Whether a topic of that name is the hub's own.
pub(crate) fn is_internal(name: &str) -> bool {
    name.starts_with(INTERNAL)
}

/// Most partitions of one topic; more of them on one machine only cost files.
pub(crate) const PARTITIONS_MAX: u16 = 10_000;

/// Why a topic cannot have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameFault {
    /// There is none.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// It has more than [`TOPIC_MAX`] bytes.
    Long,
    /// It has something other than ASCII letters, digits, `.`, `_` and `-`.
    Letters,
}

/// What is wrong with a topic's name; `None` when nothing is.
pub(crate) fn name_fault(name: &str) -> Option<NameFault> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match name {
        "" => Some(NameFault::Empty),
        "." | ".." => Some(NameFault::Dots),
        _ if name.len() > TOPIC_MAX => Some(NameFault::Long),
        _ if !name.bytes().all(is_legal) => Some(NameFault::Letters),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let longest = "x".repeat(TOPIC_MAX);
        for name in ["a", "app-logs", "A.b_c-9", "...", "__consumer_offsets", &longest] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        assert_eq!(name_fault(""), Some(NameFault::Empty));
        assert_eq!(name_fault("."), Some(NameFault::Dots));
        assert_eq!(name_fault(".."), Some(NameFault::Dots));
        assert_eq!(name_fault(&format!("{longest}x")), Some(NameFault::Long));
        for name in ["a b", "a/b", "größe", "a\n", "a:b"] {
            assert_eq!(name_fault(name), Some(NameFault::Letters), "{name}");
        }
    }
}
