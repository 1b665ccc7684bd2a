//! What a topic can be called.

use crate::topic_name::{INTERNAL, NameFault, TOPIC_MAX, name_fault};

/// Why a topic cannot have this name, and what to do.
pub(super) fn topic_fault(name: &str) -> Option<(String, String)> {
    let quoted = format!("\"{name}\" cannot be a topic");
    match name_fault(name) {
        Some(NameFault::Empty) => {
            Some(("the topic has no name".to_owned(), "write a name such as app-logs".to_owned()))
        }
        Some(NameFault::Dots) => Some((quoted, "use a name with letters".to_owned())),
        Some(NameFault::Long) => {
            let problem = format!("the topic's name has {} characters", name.len());
            Some((problem, format!("use at most {TOPIC_MAX}")))
        }
        Some(NameFault::Letters) => {
            Some((quoted, "use letters, digits, `.`, `_` and `-`".to_owned()))
        }
        None if name.starts_with(INTERNAL) => {
            Some((quoted, format!("names that begin with `{INTERNAL}` belong to the hub")))
        }
        None => None,
    }
}
