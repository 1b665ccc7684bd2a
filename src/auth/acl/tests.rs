//! Rules against Kafka's semantics.

use proptest::prelude::*;

use super::*;

/// A rule in short: `allow User:alice read topic a*`.
fn rule(text: &str) -> Rule {
    let words: Vec<&str> = text.split(' ').collect();
    let operation = Operation::ALL.into_iter().find(|one| one.name() == words[2]).unwrap();
    let kind = ResourceType::ALL.into_iter().find(|one| one.name() == words[3]).unwrap();
    let (principal, deny) = (words[1].to_owned(), words[0] == "deny");
    Rule { principal, deny, operation, kind, pattern: Pattern::parse(words[4]) }
}

fn acls(rules: &[&str]) -> Acls {
    Acls::new(rules.iter().map(|text| rule(text)).collect(), vec!["User:root".to_owned()])
}

#[track_caller]
fn assert_allowed(acls: &Acls, principal: &str, allowed: &[Operation], resource: Resource<'_>) {
    for operation in Operation::ALL {
        let expected = allowed.contains(&operation);
        let found = acls.allows(principal, operation, resource);
        assert_eq!(found, expected, "{principal} {operation:?} {resource:?}");
    }
}

#[test]
fn without_rules_everything_is_allowed_and_with_one_only_what_it_says() {
    use Operation::{Describe, Read};
    let none = Acls::default();
    assert_allowed(&none, "User:alice", &Operation::ALL, Resource::topic("a"));
    let acls = acls(&["allow User:alice read topic a"]);
    assert_allowed(&acls, "User:alice", &[Read, Describe], Resource::topic("a"));
    assert_allowed(&acls, "User:alice", &[], Resource::topic("ab"));
    assert_allowed(&acls, "User:alice", &[], Resource::group("a"));
    assert_allowed(&acls, "User:bob", &[], Resource::topic("a"));
    assert_allowed(&acls, "User:root", &Operation::ALL, Resource::CLUSTER);
    let only_super = Acls::new(Vec::new(), vec!["User:root".to_owned()]);
    assert_allowed(&only_super, "User:alice", &[], Resource::topic("a"));
}

#[test]
fn describing_follows_from_what_needs_it_and_from_nothing_else() {
    use Operation::{AlterConfigs, Create, Describe, DescribeConfigs};
    for operation in Operation::ALL {
        let acls = acls(&[&format!("allow User:alice {} topic a", operation.name())]);
        let allowed = |wanted| acls.allows("User:alice", wanted, Resource::topic("a"));
        let implies = ["all", "read", "write", "delete", "alter", "describe"];
        assert_eq!(allowed(Describe), implies.contains(&operation.name()), "{operation:?}");
        let implies = ["all", "alter_configs", "describe_configs"];
        assert_eq!(allowed(DescribeConfigs), implies.contains(&operation.name()), "{operation:?}");
        assert_eq!(allowed(AlterConfigs), matches!(operation, Operation::All | AlterConfigs));
        assert_eq!(allowed(Create), matches!(operation, Operation::All | Create));
    }
}

#[test]
fn denying_wins_in_any_order_and_denies_only_what_it_says() {
    use Operation::{Describe, Read, Write};
    for rules in [
        ["deny User:alice read topic a*", "allow User:* all topic *"],
        ["allow User:* all topic *", "deny User:alice read topic a*"],
    ] {
        let acls = acls(&rules);
        let alice = |operation, name| acls.allows("User:alice", operation, Resource::topic(name));
        assert!(!alice(Read, "abc") && alice(Read, "b"));
        assert!(alice(Write, "abc") && alice(Describe, "abc"));
        assert!(acls.allows("User:bob", Read, Resource::topic("abc")));
        assert!(acls.allows("User:root", Read, Resource::topic("abc")));
    }
    let acls = acls(&["allow User:alice all topic a", "deny User:* all topic a"]);
    assert_allowed(&acls, "User:alice", &[], Resource::topic("a"));
}

#[test]
fn a_pattern_is_a_name_a_beginning_or_everything() {
    for (pattern, name, matches) in [
        ("app", "app", true),
        ("app", "apple", false),
        ("app*", "app", true),
        ("app*", "apple", true),
        ("app*", "ap", false),
        ("*", "", true),
        ("*", "anything", true),
        ("a*b", "a*b", true),
        ("a*b", "acb", false),
    ] {
        assert_eq!(Pattern::parse(pattern).matches(name), matches, "{pattern} {name}");
    }
    assert_eq!(Pattern::parse("*").code_and_name(), (3, "*"));
    assert_eq!(Pattern::parse("a").code_and_name(), (3, "a"));
    assert_eq!(Pattern::parse("a*").code_and_name(), (4, "a"));
}

#[test]
fn some_topic_may_be_written_unless_every_allowed_one_is_denied() {
    let some = |rules: &[&str]| {
        acls(rules).allows_some("User:alice", Operation::Write, ResourceType::Topic)
    };
    assert!(some(&["allow User:alice write topic a"]));
    assert!(some(&["allow User:* all topic a*"]));
    assert!(!some(&["allow User:alice read topic a"]));
    assert!(!some(&["allow User:alice write group a"]));
    assert!(!some(&["allow User:alice write topic a", "deny User:* write topic a*"]));
    assert!(!some(&["allow User:alice write topic *", "deny User:alice all topic *"]));
    assert!(some(&["allow User:alice write topic a*", "deny User:alice write topic ab*"]));
    assert!(some(&["allow User:alice write topic a", "deny User:bob write topic a"]));
}

#[test]
fn operations_are_told_as_bits() {
    let acls = acls(&["allow User:alice read topic a"]);
    let bits = |principal| acls.authorized_operations(principal, Resource::topic("a"));
    assert_eq!(bits("User:alice"), 1 << 3 | 1 << 8);
    assert_eq!(bits("User:bob"), 0);
    assert_eq!(bits("User:root"), 0b1101_1111_1000);
}

#[test]
fn codes_are_kafkas_and_lead_back() {
    let codes: Vec<i8> = Operation::ALL.into_iter().map(Operation::code).collect();
    assert_eq!(codes, (2..=12).collect::<Vec<i8>>());
    for operation in Operation::ALL {
        assert_eq!(Operation::from_code(operation.code()), Some(operation));
    }
    for kind in ResourceType::ALL {
        assert_eq!(ResourceType::from_code(kind.code()), Some(kind));
    }
    assert_eq!((Operation::from_code(1), ResourceType::from_code(1)), (None, None));
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let words = (
        prop::sample::select(vec!["allow", "deny"]),
        prop::sample::select(vec!["User:alice", "User:bob", "User:*"]),
        prop::sample::select(Operation::ALL.map(Operation::name).to_vec()),
        prop::sample::select(vec!["topic", "group"]),
        "[ab]{0,2}[*]?",
    );
    words.prop_map(|(effect, who, operation, kind, name)| {
        rule(&format!("{effect} {who} {operation} {kind} {name}"))
    })
}

proptest! {
    /// One more rule that allows never takes away, one that denies never gives.
    #[test]
    fn a_further_rule_changes_only_in_its_own_direction(
        rules in prop::collection::vec(any_rule(), 1..8),
        further in any_rule(),
        name in "[ab]{0,3}",
    ) {
        let before = Acls::new(rules.clone(), Vec::new());
        let deny = further.deny;
        let after = Acls::new([rules, vec![further]].concat(), Vec::new());
        for operation in Operation::ALL {
            for resource in [Resource::topic(&name), Resource::group(&name)] {
                let was = before.allows("User:alice", operation, resource);
                let is = after.allows("User:alice", operation, resource);
                prop_assert!(was == is || is != deny, "{:?}", operation);
                if is {
                    prop_assert!(after.allows_some("User:alice", operation, resource.kind));
                }
            }
        }
    }
}
