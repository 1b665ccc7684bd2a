//! `DescribeAcls`, `CreateAcls`, `DeleteAcls`: the rules of the configuration, and those that clients set beside them.
//!
//! A filter is 1 for anything; of the pattern types 2 stands for every pattern that matches the name. Every rule is for
//! all hosts. What the configuration says is shown like the others, and cannot be taken away here. Source: KIP-140,
//! KIP-290.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::delete_acls_response::{
    DeleteAclsFilterResult, DeleteAclsMatchingAcl,
};
use kafka_protocol::messages::describe_acls_response::{AclDescription, DescribeAclsResource};
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    DescribeAclsRequest, DescribeAclsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::acl_creation::{ALLOW, DENY, EVERY_HOST, Refused, rule_of};
use crate::auth::acl::{Operation, Resource, Rule};
use crate::hub::embedded::topics::kept::RULE;

const ANY: i8 = 1;
const MATCH: i8 = 2;
const PREFIXED: i8 = 4;
/// Rules that clients may set; each request is held against all of them.
const RULES_MAX: usize = 10_000;
const DISABLED: &str = "No Authorizer is configured on the broker";
const CONFIGURED: &str =
    "this rule stands in the configuration (hub.embedded.acls); take it out there";

/// Which rules are meant.
struct Filter {
    kind: i8,
    name: Option<StrBytes>,
    pattern: i8,
    principal: Option<StrBytes>,
    host: Option<StrBytes>,
    operation: i8,
    permission: i8,
}

/// Whether there is access control, and the client may do that with it.
pub(super) fn check_access(call: &Call, operation: Operation) -> Result<(), Refused> {
    if !call.broker().access().are_set() {
        return Err((Code::SecurityDisabled, "No Authorizer is configured.".to_owned()));
    }
    if !call.may(operation, Resource::CLUSTER) {
        let why = "Cluster authorization failed.".to_owned();
        return Err((Code::ClusterAuthorizationFailed, why));
    }
    Ok(())
}

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    if let Err((code, why)) = check_access(&call, Operation::Describe) {
        // Kafka's words for this one differ from those for changes.
        let why = if code == Code::SecurityDisabled { DISABLED.to_owned() } else { why };
        return DescribeAclsResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)));
    }
    let filter = Filter {
        kind: request.resource_type_filter,
        name: request.resource_name_filter,
        pattern: request.pattern_type_filter,
        principal: request.principal_filter,
        host: request.host_filter,
        operation: request.operation,
        permission: request.permission_type,
    };
    let mut resources: Vec<DescribeAclsResource> = Vec::new();
    for rule in call.broker().access().rules().filter(|rule| is_wanted(&filter, rule)) {
        let (pattern, name) = rule.pattern.code_and_name();
        let (kind, entry) = (rule.kind.code(), entry(rule));
        let known = resources.iter_mut().find(|known| {
            (known.resource_type, known.pattern_type) == (kind, pattern)
                && known.resource_name.as_str() == name
        });
        match known {
            Some(known) if known.acls.contains(&entry) => {}
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
    DescribeAclsResponse::default()
        .with_error_message(Some(StrBytes::new()))
        .with_resources(resources)
}

/// Sets rules beside those that there are; one that is there already is no fault.
pub(super) async fn create(call: Arc<Call>, request: CreateAclsRequest) -> CreateAclsResponse {
    let allowed = check_access(&call, Operation::Alter);
    let rules: Vec<Result<Rule, Refused>> = request
        .creations
        .iter()
        .map(|creation| allowed.clone().and_then(|()| rule_of(creation)))
        .collect();
    let texts: Vec<String> = rules.iter().flatten().map(Rule::to_text).collect();
    let stored = call.hub().change_kept(|entries| {
        let of_rules = |(key, _): &(&String, &String)| key.starts_with(RULE);
        let new: Vec<_> = texts.into_iter().map(|text| format!("{RULE}{text}")).collect();
        let new: Vec<_> = new.into_iter().filter(|key| !entries.contains_key(key)).collect();
        if entries.iter().filter(of_rules).count() + new.len() > RULES_MAX {
            return (Vec::new(), false);
        }
        (new.into_iter().map(|key| (key, Some("{}".to_owned()))).collect(), true)
    });
    let stored = match stored.await {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err((Code::PolicyViolation, format!("clients may set {RULES_MAX} rules at most")))
        }
        Err(error) => Err((Code::KafkaStorageError, error.to_string())),
    };
    call.broker().take_kept_rules();
    let results = rules.into_iter().map(|rule| {
        let (code, why) = match rule.and(stored.clone()) {
            Ok(()) => (0, String::new()),
            Err((code, why)) => (code.code(), why),
        };
        AclCreationResult::default()
            .with_error_code(code)
            .with_error_message(Some(StrBytes::from_string(why)))
    });
    CreateAclsResponse::default().with_results(results.collect())
}

/// Takes rules away that clients have set; those of the configuration stay, and that is said.
pub(super) async fn delete(call: Arc<Call>, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let mut results = Vec::with_capacity(request.filters.len());
    for filter in request.filters {
        let result = DeleteAclsFilterResult::default();
        results.push(match delete_some(&call, filter).await {
            Ok(matching) => result.with_matching_acls(matching).with_error_message(None),
            Err((code, why)) => result
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why))),
        });
    }
    DeleteAclsResponse::default().with_filter_results(results)
}

async fn delete_some(
    call: &Call,
    filter: DeleteAclsFilter,
) -> Result<Vec<DeleteAclsMatchingAcl>, Refused> {
    check_access(call, Operation::Alter)?;
    let filter = Filter {
        kind: filter.resource_type_filter,
        name: filter.resource_name_filter,
        pattern: filter.pattern_type_filter,
        principal: filter.principal_filter,
        host: filter.host_filter,
        operation: filter.operation,
        permission: filter.permission_type,
    };
    let wanted = |rules: &[Rule]| -> Vec<Rule> {
        rules.iter().filter(|rule| is_wanted(&filter, rule)).cloned().collect()
    };
    let kept = wanted(call.broker().access().kept());
    let configured = wanted(call.broker().access().configured());
    let changes = kept.iter().map(|rule| (format!("{RULE}{}", rule.to_text()), None)).collect();
    let stored = call.hub().change_kept(|_| (changes, ())).await;
    stored.map_err(|error| (Code::KafkaStorageError, error.to_string()))?;
    call.broker().take_kept_rules();
    let gone = kept.iter().map(matching);
    let staying = configured.iter().map(|rule| {
        matching(rule)
            .with_error_code(Code::PolicyViolation.code())
            .with_error_message(Some(StrBytes::from_static_str(CONFIGURED)))
    });
    Ok(gone.chain(staying).collect())
}

fn matching(rule: &Rule) -> DeleteAclsMatchingAcl {
    let (pattern, name) = rule.pattern.code_and_name();
    DeleteAclsMatchingAcl::default()
        .with_resource_type(rule.kind.code())
        .with_resource_name(StrBytes::from_string(name.to_owned()))
        .with_pattern_type(pattern)
        .with_principal(StrBytes::from_string(rule.principal.clone()))
        .with_host(StrBytes::from_static_str(EVERY_HOST))
        .with_operation(rule.operation.code())
        .with_permission_type(permission(rule))
        .with_error_message(None)
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

fn is_wanted(filter: &Filter, rule: &Rule) -> bool {
    let is = |wanted: i8, code: i8| wanted == ANY || wanted == code;
    let named = |wanted: &Option<StrBytes>, name: &str| {
        wanted.as_ref().is_none_or(|wanted| wanted.as_str() == name)
    };
    let (pattern, name) = rule.pattern.code_and_name();
    let matches = match &filter.name {
        Some(wanted) if filter.pattern == MATCH => {
            name == wanted.as_str()
                || name == "*"
                || (pattern == PREFIXED && wanted.starts_with(name))
        }
        wanted => named(wanted, name),
    };
    matches
        && (filter.pattern == MATCH || is(filter.pattern, pattern))
        && is(filter.kind, rule.kind.code())
        && is(filter.operation, rule.operation.code())
        && is(filter.permission, permission(rule))
        && named(&filter.principal, &rule.principal)
        && named(&filter.host, EVERY_HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::acl::{Pattern, ResourceType};

    #[test]
    fn a_filter_finds_rules_by_what_it_names() {
        let rule = |text: &str| Rule {
            principal: "User:alice".to_owned(),
            deny: false,
            operation: Operation::Read,
            kind: ResourceType::Topic,
            pattern: Pattern::parse(text),
        };
        let anything = || Filter {
            kind: ANY,
            name: None,
            pattern: ANY,
            principal: None,
            host: None,
            operation: ANY,
            permission: ANY,
        };
        let named = |pattern: i8, name: &'static str| {
            let name = Some(StrBytes::from_static_str(name));
            Filter { pattern, name, ..anything() }
        };
        let other = Some(StrBytes::from_static_str("User:bob"));
        for (filter, expected) in [
            (anything(), [true, true, true, true]),
            (named(ANY, "app"), [true, true, false, false]),
            (named(3, "app"), [true, false, false, false]),
            (named(PREFIXED, "app"), [false, true, false, false]),
            (named(MATCH, "app"), [true, true, true, false]),
            (named(MATCH, "apple"), [false, true, true, true]),
            (Filter { kind: 3, ..anything() }, [false; 4]),
            (Filter { operation: 4, ..anything() }, [false; 4]),
            (Filter { permission: DENY, ..anything() }, [false; 4]),
            (Filter { principal: other, ..anything() }, [false; 4]),
        ] {
            let found = ["app", "app*", "*", "apple"].map(|text| is_wanted(&filter, &rule(text)));
            assert_eq!(found, expected, "{:?} {}", filter.name, filter.pattern);
        }
    }
}
