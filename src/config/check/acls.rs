//! `hub.embedded.acls` and `super_users`.

use super::findings::Findings;
use crate::auth::acl::{CLUSTER, EVERYONE, Operation, ResourceType};
use crate::auth::{ANONYMOUS, USER_PREFIX};
use crate::config::{AclConfig, EmbeddedConfig, ListenerConfig};

pub(super) fn check(embedded: &EmbeddedConfig, findings: &mut Findings) {
    for (index, principal) in embedded.super_users.iter().enumerate() {
        let at = format!("[{index}]");
        let path = ["hub", "embedded", "super_users", &at];
        if principal == EVERYONE {
            let hint = "remove acls and super_users, if everyone may do everything";
            findings.error(&path, "everyone cannot be a super user", hint);
        } else {
            check_principal(principal, &path, findings);
        }
    }
    for (index, acl) in embedded.acls.iter().enumerate() {
        let at = format!("[{index}]");
        check_acl(acl, &["hub", "embedded", "acls", &at], findings);
    }
    let named = |acl: &AclConfig| !matches!(acl.principal.as_str(), EVERYONE | ANONYMOUS);
    let authenticated = embedded.listeners.iter().any(ListenerConfig::authenticates);
    if embedded.acls.iter().any(named) && !authenticated {
        let problem = "name users, and no listener asks clients who they are";
        let hint = "add an entry of `listeners` with sasl, or with tls and client_ca";
        findings.warning(&["hub", "embedded", "acls"], problem, hint);
    }
}

fn check_acl(acl: &AclConfig, path: &[&str], findings: &mut Findings) {
    let inside = |name| [path, &[name]].concat();
    check_principal(&acl.principal, &inside("principal"), findings);
    if acl.operations.is_empty() {
        let hint = "write, for example, [read, describe]";
        findings.error(&inside("operations"), "is empty", hint);
    }
    let resources = acl.resources();
    match resources.as_slice() {
        [] => {
            let hint = "write one of topic, group, cluster, transactional_id";
            findings.error(path, "does not say what it is about", hint);
        }
        [(kind, name)] => check_resource(*kind, name, acl, path, findings),
        [(first, _), (second, _), ..] => {
            let problem = format!("names {} and {}", first.name(), second.name());
            findings.error(path, problem, "write an entry for each");
        }
    }
}

fn check_resource(
    kind: ResourceType,
    name: &str,
    acl: &AclConfig,
    path: &[&str],
    findings: &mut Findings,
) {
    let at = [path, &[kind.name()]].concat();
    if name.is_empty() {
        findings.error(&at, "is empty", "write a name, prefix* or *");
    } else if kind == ResourceType::Cluster && name != CLUSTER && name != "*" {
        let problem = format!("\"{name}\" is not the cluster");
        findings.error(&at, problem, format!("write {CLUSTER}; it has no other name"));
    }
    let possible = kind.operations();
    for (index, operation) in acl.operations.iter().enumerate() {
        if *operation != Operation::All && !possible.contains(operation) {
            let entry = format!("[{index}]");
            let at = [path, &["operations", &entry]].concat();
            let problem = format!("{} cannot be done with a {}", operation.name(), kind.name());
            let names: Vec<_> = possible.iter().map(|one| one.name()).collect();
            findings.error(&at, problem, format!("use all, or some of {}", names.join(", ")));
        }
    }
}

fn check_principal(principal: &str, path: &[&str], findings: &mut Findings) {
    if principal.strip_prefix(USER_PREFIX).is_none_or(str::is_empty) {
        let problem = format!("\"{principal}\" is not a principal");
        findings.error(path, problem, "write User: and the name, such as User:alice");
    }
}
