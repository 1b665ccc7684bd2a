//! Rules that clients have set, as they are stored: Kafka's numbers and names in JSON.

use serde::{Deserialize, Serialize};

use super::{Operation, Pattern, ResourceType, Rule};

/// A rule with Kafka's numbers.
#[derive(Serialize, Deserialize)]
struct Stored {
    principal: String,
    deny: bool,
    operation: i8,
    resource: i8,
    pattern: i8,
    name: String,
}

impl Rule {
    /// As it is stored; two rules that say the same are stored as the same.
    pub(crate) fn to_text(&self) -> String {
        let (pattern, name) = self.pattern.code_and_name();
        let stored = Stored {
            principal: self.principal.clone(),
            deny: self.deny,
            operation: self.operation.code(),
            resource: self.kind.code(),
            pattern,
            name: name.to_owned(),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads what is stored; `None` when it is no rule.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        Some(Self {
            principal: stored.principal,
            deny: stored.deny,
            operation: Operation::from_code(stored.operation)?,
            kind: ResourceType::from_code(stored.resource)?,
            pattern: Pattern::from_code_and_name(stored.pattern, &stored.name)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_back_as_it_was_stored() {
        for operation in Operation::ALL {
            for kind in ResourceType::ALL {
                for text in ["*", "app", "app*"] {
                    let pattern = Pattern::parse(text);
                    let principal = "User:a\"b".to_owned();
                    let rule = Rule { principal, deny: text == "app", operation, kind, pattern };
                    assert_eq!(Rule::from_text(&rule.to_text()), Some(rule));
                }
            }
        }
        assert_eq!(Rule::from_text("{}"), None);
    }
}
