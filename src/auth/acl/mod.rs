//! What a principal may do, with Kafka's rules (KIP-11, KIP-290, KIP-679).
//!
//! 1. Without any rule and without super users everything is allowed to everyone who is let in.
//! 2. A super user may do everything.
//! 3. A rule that denies wins over all that allow.
//! 4. What no rule allows is denied.
//!
//! A rule is for one principal or for `User:*`, and for names that are exactly its own, that begin with it, or for all.
//! Whoever is allowed to read, write, delete or alter may describe, too; whoever may alter configs may describe them.
//! Denying follows no such chain.

mod kept;
mod operation;
mod resource;
#[cfg(test)]
mod tests;

pub use operation::Operation;
pub(crate) use resource::{CLUSTER, Pattern, Resource, ResourceType};

/// Stands for every principal in a rule.
pub(crate) const EVERYONE: &str = "User:*";

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// For whom: `User:alice`, or `User:*` for everyone.
    pub principal: String,
    /// Whether it denies.
    pub deny: bool,
    /// What.
    pub operation: Operation,
    /// With what.
    pub kind: ResourceType,
    /// Which of them.
    pub pattern: Pattern,
}

impl Rule {
    fn is_for(&self, principal: &str) -> bool {
        self.principal == EVERYONE || self.principal == principal
    }
}

/// All rules of a hub; a new configuration gives a new one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Acls {
    rules: Vec<Rule>,
    super_users: Vec<String>,
    /// Rules that clients have set; they hold only where the configuration asks for access control.
    kept: Vec<Rule>,
}

impl Acls {
    /// Rules, and principals that may do everything.
    pub(crate) const fn new(rules: Vec<Rule>, super_users: Vec<String>) -> Self {
        Self { rules, super_users, kept: Vec::new() }
    }

    /// Replaces the rules that clients have set.
    pub(crate) fn set_kept(&mut self, kept: Vec<Rule>) {
        self.kept = kept;
    }

    /// Whether there is anything to ask: false when everything is allowed to everyone.
    pub(crate) const fn are_set(&self) -> bool {
        !self.rules.is_empty() || !self.super_users.is_empty()
    }

    /// The rules of the configuration.
    pub(crate) fn configured(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that clients have set.
    pub(crate) fn kept(&self) -> &[Rule] {
        &self.kept
    }

    /// All rules.
    pub(crate) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain(&self.kept)
    }

    /// Whether `principal` may do `operation` with `resource`.
    pub(crate) fn allows(
        &self,
        principal: &str,
        operation: Operation,
        resource: Resource<'_>,
    ) -> bool {
        if self.is_free(principal) {
            return true;
        }
        let about = |rule: &&Rule| {
            rule.is_for(principal)
                && rule.kind == resource.kind
                && rule.pattern.matches(resource.name)
        };
        let mut allowed = false;
        for rule in self.rules().filter(about) {
            if rule.deny && rule.operation.covers(operation) {
                return false;
            }
            allowed |= !rule.deny && rule.operation.allows(operation);
        }
        allowed
    }

    /// Whether `principal` may do `operation` with anything at all of this type, whatever its name.
    pub(crate) fn allows_some(
        &self,
        principal: &str,
        operation: Operation,
        kind: ResourceType,
    ) -> bool {
        if self.is_free(principal) {
            return true;
        }
        let about = |rule: &&Rule| rule.is_for(principal) && rule.kind == kind;
        let rules = || self.rules().filter(about);
        rules().filter(|rule| !rule.deny && rule.operation.allows(operation)).any(|allowed| {
            let mut denying = rules().filter(|rule| rule.deny && rule.operation.covers(operation));
            !denying.any(|denied| denied.pattern.encloses(&allowed.pattern))
        })
    }

    /// What `principal` may do with `resource`, as the bits of Kafka's `authorized_operations`.
    pub(crate) fn authorized_operations(&self, principal: &str, resource: Resource<'_>) -> i32 {
        let operations = resource.kind.operations().iter();
        let allowed = operations.filter(|wanted| self.allows(principal, **wanted, resource));
        allowed.fold(0, |bits, operation| bits | 1 << operation.code())
    }

    fn is_free(&self, principal: &str) -> bool {
        !self.are_set() || self.super_users.iter().any(|name| name == principal)
    }
}
