//! The rule that a client wants to set, if it can be one.

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::create_acls_request::AclCreation;

use crate::auth::USER_PREFIX;
use crate::auth::acl::{CLUSTER, Operation, Pattern, ResourceType, Rule};

/// Kafka's numbers and words for what a rule does, and to whom.
pub(super) const DENY: i8 = 2;
pub(super) const ALLOW: i8 = 3;
pub(super) const EVERY_HOST: &str = "*";

/// A refusal, with words for a person.
pub(super) type Refused = (Code, String);

/// Reads a rule; the words are Kafka's where it has some.
pub(super) fn rule_of(wanted: &AclCreation) -> Result<Rule, Refused> {
    let invalid = |why: &str| (Code::InvalidRequest, why.to_owned());
    let name = wanted.resource_name.as_str();
    let kind = match wanted.resource_type {
        6 | 7 => return Err(invalid("there are no rules for delegation tokens and users here")),
        1 => return Err(invalid("Invalid resourceType ANY")),
        code => ResourceType::from_code(code),
    };
    let kind = kind.ok_or_else(|| invalid("Invalid resourceType UNKNOWN"))?;
    if name.is_empty() {
        return Err(invalid("Invalid empty resource name"));
    }
    if kind == ResourceType::Cluster && name != CLUSTER {
        return Err(invalid("The only valid name for the CLUSTER resource is kafka-cluster"));
    }
    let pattern = Pattern::from_code_and_name(wanted.resource_pattern_type, name);
    let pattern =
        pattern.ok_or_else(|| invalid("Invalid patternType, it is LITERAL or PREFIXED"))?;
    let operation = Operation::from_code(wanted.operation);
    let operation = operation.ok_or_else(|| invalid("Invalid operation UNKNOWN"))?;
    let deny = match wanted.permission_type {
        DENY => true,
        ALLOW => false,
        _ => return Err(invalid("Invalid permissionType, it is DENY or ALLOW")),
    };
    let principal = wanted.principal.to_string();
    if !principal.contains(':') {
        let why = format!(
            "Could not parse principal from `{principal}` (no colon is present separating the principal type from the principal name)"
        );
        return Err((Code::InvalidRequest, why));
    }
    if !principal.starts_with(USER_PREFIX) {
        return Err(invalid("a principal begins with User: here, there are no others"));
    }
    if wanted.host.as_str() != EVERY_HOST {
        return Err(invalid("a rule is for every host here; leave the host out, or write *"));
    }
    Ok(Rule { principal, deny, operation, kind, pattern })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::protocol::StrBytes;

    use super::*;

    #[test]
    fn a_rule_that_can_be_none_is_refused_in_words() {
        let right = || {
            AclCreation::default()
                .with_resource_type(2)
                .with_resource_name(StrBytes::from_static_str("app"))
                .with_resource_pattern_type(4)
                .with_principal(StrBytes::from_static_str("User:bob"))
                .with_host(StrBytes::from_static_str("*"))
                .with_operation(3)
                .with_permission_type(3)
        };
        let text = StrBytes::from_static_str;
        let rule = rule_of(&right()).unwrap();
        assert_eq!((rule.pattern, rule.deny), (Pattern::Prefix("app".to_owned()), false));
        for (wrong, word) in [
            (right().with_resource_type(1), "resourceType"),
            (right().with_resource_type(6), "delegation"),
            (right().with_resource_type(77), "resourceType"),
            (right().with_resource_name(text("")), "empty resource name"),
            (right().with_resource_type(4), "kafka-cluster"),
            (right().with_resource_pattern_type(2), "patternType"),
            (right().with_operation(1), "operation"),
            (right().with_operation(13), "operation"),
            (right().with_permission_type(1), "permissionType"),
            (right().with_principal(text("bob")), "no colon"),
            (right().with_principal(text("Group:a")), "User:"),
            (right().with_host(text("127.0.0.1")), "every host"),
        ] {
            let (code, why) = rule_of(&wrong).unwrap_err();
            assert_eq!(code, Code::InvalidRequest);
            assert!(why.contains(word), "{why}");
        }
    }
}
