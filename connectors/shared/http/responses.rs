//! What a configuration makes of a far side's answers: the `responses` table of a sink.
//!
//! | key                             | means answers                                                    |
//! |---------------------------------|------------------------------------------------------------------|
//! | `404`, `5xx`                    | of that status, of that class                                    |
//! | `mapper_parsing_exception`      | with that type of error, or caused by it (Elasticsearch)         |
//!
//! A type counts before a status, a status before its class; what is not in the table has its default meaning.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::contract::build::BuildError;

/// What becomes of the records that were answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// They arrived.
    Done,
    /// They are sent again, up to `retry.attempts` times while others arrive.
    Again,
    /// They are sent again for as long as it takes.
    NotNow,
    /// They go to the dead letters.
    Dead,
    /// The sink stops until a person has done something, and tries now and then.
    Fatal,
}

/// Answers, by status or type of error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Responses(BTreeMap<String, Response>);

impl Responses {
    /// What the table says of an answer; `kinds` are its types of error, the nearest first.
    #[must_use]
    pub fn of(&self, status: u16, kinds: &[&str]) -> Option<Response> {
        if self.0.is_empty() {
            return None;
        }
        let of_kind = kinds.iter().find_map(|kind| self.0.get(*kind));
        let of_status = || self.0.get(&status.to_string());
        let of_class = || self.0.get(&format!("{}xx", status / 100));
        of_kind.or_else(of_status).or_else(of_class).copied()
    }

    /// Looks the keys over; types of errors are understood where `has_types`.
    pub(crate) fn check(&self, has_types: bool) -> Result<(), BuildError> {
        let is_type = |key: &str| {
            has_types
                && key.starts_with(|first: char| first.is_ascii_lowercase())
                && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        match self.0.keys().find(|key| !is_status(key) && !is_type(key)) {
            None => Ok(()),
            Some(key) => Err(BuildError {
                setting: "responses",
                problem: format!("has \"{key}\", which is no answer"),
                hint: if has_types {
                    "write a status such as 429, a class such as 5xx, or a type such as mapper_parsing_exception"
                } else {
                    "write a status such as 429, or a class such as 5xx"
                },
            }),
        }
    }
}

fn is_status(key: &str) -> bool {
    let Some((class, rest)) = key.split_at_checked(1) else { return false };
    let is_class = matches!(class, "1" | "2" | "3" | "4" | "5");
    is_class
        && (rest == "xx" || (rest.len() == 2 && rest.bytes().all(|byte| byte.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(json: &str) -> Responses {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_type_counts_before_a_status_and_a_status_before_its_class() {
        let table = table(r#"{"5xx":"not_now","503":"again","a_kind":"dead"}"#);
        assert_eq!(table.of(503, &["b_kind", "a_kind"]), Some(Response::Dead));
        assert_eq!(table.of(503, &[]), Some(Response::Again));
        assert_eq!(table.of(500, &["b_kind"]), Some(Response::NotNow));
        assert_eq!(table.of(400, &[]), None);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (key, is_good, is_good_with_types) in [
            ("429", true, true),
            ("4xx", true, true),
            ("mapper_parsing_exception", false, true),
            ("42", false, false),
            ("999", false, false),
            ("4x", false, false),
            ("", false, false),
            ("HTTP 400", false, false),
        ] {
            let table = table(&format!("{{\"{key}\":\"dead\"}}"));
            assert_eq!(table.check(false).is_ok(), is_good, "{key}");
            assert_eq!(table.check(true).is_ok(), is_good_with_types, "{key}");
        }
    }
}
