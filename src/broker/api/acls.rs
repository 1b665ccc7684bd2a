//! `DescribeAcls`: the rules of the configuration, as Kafka's tools show them.
//!
//! A filter is 1 for anything; of the pattern types 2 stands for every pattern that matches the name. Every rule is for
//! all hosts. Source: KIP-140, KIP-290.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use crate::broker::auth::acl::{Operation, Resource, Rule};

const ANY: i8 = 1;
const MATCH: i8 = 2;
const PREFIXED: i8 = 4;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
const EVERY_HOST: &str = "*";

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    let refused = |code: Code, why| {
        DescribeAclsResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_static_str(why)))
    };
    if !call.broker().access().are_set() {
        return refused(Code::SecurityDisabled, "No Authorizer is configured.");
    }
    if !call.may(Operation::Describe, Resource::CLUSTER) {
        return refused(Code::ClusterAuthorizationFailed, "Cluster authorization failed.");
    }
    let mut resources: Vec<DescribeAclsResource> = Vec::new();
    for rule in call.broker().access().rules().iter().filter(|rule| is_wanted(&request, rule)) {
        let (pattern, name) = rule.pattern.code_and_name();
        let (kind, entry) = (rule.kind.code(), entry(rule));
        let known = resources.iter_mut().find(|known| {
            (known.resource_type, known.pattern_type) == (kind, pattern)
                && known.resource_name.as_str() == name
        });
        match known {
            Some(known) => known.acls.push(entry),
            None => resources.push(
                DescribeAclsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(StrBytes::from_string(name.to_owned()))
                    .with_pattern_type(pattern)
                    .with_acls(vec![entry]),
            ),
        }
    }
    DescribeAclsResponse::default().with_resources(resources)
}

fn entry(rule: &Rule) -> AclDescription {
    AclDescription::default()
        .with_principal(StrBytes::from_string(rule.principal.clone()))
        .with_host(StrBytes::from_static_str(EVERY_HOST))
        .with_operation(rule.operation.code())
        .with_permission_type(permission(rule))
}

const fn permission(rule: &Rule) -> i8 {
    if rule.deny { DENY } else { ALLOW }
}

fn is_wanted(filter: &DescribeAclsRequest, rule: &Rule) -> bool {
    let is = |wanted: i8, code: i8| wanted == ANY || wanted == code;
    let named = |wanted: &Option<StrBytes>, name: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.as_str() == name)
    };
    let (pattern, name) = rule.pattern.code_and_name();
    let matches = match &filter.resource_name_filter {
        Some(wanted) if filter.pattern_type_filter == MATCH => {
            name == wanted.as_str()
                || name == "*"
                || (pattern == PREFIXED && wanted.starts_with(name))
        }
        wanted => named(wanted, name),
    };
    matches
        && (filter.pattern_type_filter == MATCH || is(filter.pattern_type_filter, pattern))
        && is(filter.resource_type_filter, rule.kind.code())
        && is(filter.operation, rule.operation.code())
        && is(filter.permission_type, permission(rule))
        && named(&filter.principal_filter, &rule.principal)
        && named(&filter.host_filter, EVERY_HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::auth::acl::{Pattern, ResourceType};

    #[test]
    fn a_filter_finds_rules_by_what_it_names() {
        let rule = |text: &str| Rule {
            principal: "User:alice".to_owned(),
            deny: false,
            operation: Operation::Read,
            kind: ResourceType::Topic,
            pattern: Pattern::parse(text),
        };
        let anything = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_pattern_type_filter(ANY)
            .with_operation(ANY)
            .with_permission_type(ANY)
            .with_resource_name_filter(None)
            .with_principal_filter(None)
            .with_host_filter(None);
        let named = |pattern: i8, name: &'static str| {
            let name = Some(StrBytes::from_static_str(name));
            anything.clone().with_pattern_type_filter(pattern).with_resource_name_filter(name)
        };
        let other = Some(StrBytes::from_static_str("User:bob"));
        for (filter, expected) in [
            (anything.clone(), [true, true, true, true]),
            (named(ANY, "app"), [true, true, false, false]),
            (named(3, "app"), [true, false, false, false]),
            (named(PREFIXED, "app"), [false, true, false, false]),
            (named(MATCH, "app"), [true, true, true, false]),
            (named(MATCH, "apple"), [false, true, true, true]),
            (anything.clone().with_resource_type_filter(3), [false; 4]),
            (anything.clone().with_operation(4), [false; 4]),
            (anything.clone().with_permission_type(DENY), [false; 4]),
            (anything.clone().with_principal_filter(other), [false; 4]),
        ] {
            let found = ["app", "app*", "*", "apple"].map(|text| is_wanted(&filter, &rule(text)));
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}
