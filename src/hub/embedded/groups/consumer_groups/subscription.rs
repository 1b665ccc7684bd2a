//! Regular expressions of topics, and the topics that an epoch is of.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use xxhash_rust::xxh3::Xxh3;

use super::partitions::Topics;
use crate::hub::embedded::groups::coordinator::GroupError;

/// Most bytes that a compiled expression may take.
const COMPILED_MAX: usize = 1 << 20;

/// A regular expression with the topics that it has matched.
#[derive(Debug, Clone)]
pub(super) struct Resolved {
    pattern: Regex,
    pub(super) topics: BTreeSet<String>,
}

impl Resolved {
    /// An expression that has matched nothing yet.
    ///
    /// # Errors
    /// [`GroupError::InvalidRegularExpression`].
    pub(super) fn new(regex: &str) -> Result<Self, GroupError> {
        let pattern = compile(regex).ok_or(GroupError::InvalidRegularExpression)?;
        Ok(Self { pattern, topics: BTreeSet::new() })
    }

    /// Matches all topics that the asking member may see.
    pub(super) fn resolve(&mut self, topics: &Topics, visible: &dyn Fn(&str) -> bool) {
        let matching = topics.names().filter(|name| self.pattern.is_match(name) && visible(name));
        self.topics = matching.map(str::to_owned).collect();
    }
}

/// An expression of RE2 that matches whole names.
fn compile(regex: &str) -> Option<Regex> {
    let text = unquoted(regex);
    let build = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_MAX).build().ok();
    // By itself as well: `a)(b` would be well formed between the brackets.
    build(&text)?;
    build(&format!(r"\A(?:{text})\z"))
}

/// `\Q…\E` of RE2, which means the text in between, in a way that this crate's expressions know.
fn unquoted(regex: &str) -> String {
    let mut text = String::with_capacity(regex.len());
    let mut rest = regex;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        if let Some(quoted) = from.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            text.push_str(&regex::escape(literal));
            rest = after;
        } else {
            // An escape is two characters: what it escapes does not begin another one.
            let end = from.chars().take(2).map(char::len_utf8).sum();
            let (escape, after) = from.split_at(end);
            text.push_str(escape);
            rest = after;
        }
    }
    text + rest
}

/// Topics with their ids and partitions, as a hash; those that do not exist do not count.
pub(super) fn fingerprint(names: &BTreeSet<&str>, topics: &Topics) -> u64 {
    let mut hash = Xxh3::new();
    for name in names {
        if let Some((id, count)) = topics.get(name) {
            hash.update(id.as_bytes());
            hash.update(&count.to_be_bytes());
        }
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_expression_matches_whole_names_as_in_re2() {
        let matches = |regex: &str, name: &str| compile(regex).unwrap().is_match(name);
        for (regex, name, expected) in [
            ("logs", "logs", true),
            ("logs", "logs-2", false),
            ("a|ab", "ab", true),
            ("logs.*", "my-logs", false),
            ("^logs-[0-9]+$", "logs-17", true),
            (r"\Qa.b\E.*", "a.b.c", true),
            (r"\Qa.b\E.*", "axb.c", false),
            (r"\Qa.b", "a.b", true),
            (r"a\\Qb", r"a\Qb", true),
            ("(?i)LOGS", "logs", true),
        ] {
            assert_eq!(matches(regex, name), expected, "{regex} {name}");
        }
        for regex in ["(", "a)(b", "[", "*", r"\", "(a{1000}){1000}", "(?x) a #"] {
            assert!(compile(regex).is_none(), "{regex}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_compiled_without_a_panic(text: String, name: String) {
            let _any = compile(&text).map(|regex| regex.is_match(&name));
        }

        #[test]
        fn quoted_text_matches_itself(name in "[a-z.*+?()\\[\\]-]{1,20}") {
            let quoted = format!(r"\Q{name}\E");
            prop_assert!(compile(&quoted).unwrap().is_match(&name));
        }
    }
}
