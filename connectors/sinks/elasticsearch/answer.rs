//! Reads what `_bulk` answers: one item for each record, in order.
//!
//! `{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":…,"reason":…}}}]}`

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::shared::http::answer::AS_CONFIGURED;
use crate::shared::http::responses::{Response, Responses};

/// What the sink asks to be left in an answer. The status keeps each item in its place.
pub(super) const FILTER_PATH: &str = "errors,items.*.status,items.*.error";

/// Longest reason that is passed on, bytes.
const REASON_MAX: usize = 1000;

/// The answer to one request.
#[derive(Debug, Deserialize)]
pub(super) struct BulkAnswer<'a> {
    #[serde(borrow)]
    pub(super) items: Vec<Item<'a>>,
}

/// The answer for one record.
#[derive(Debug)]
pub(super) struct Item<'a> {
    status: u16,
    error: Option<&'a RawValue>,
}

/// What becomes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    Again(String),
    /// The index or the cluster takes nothing of the kind now.
    NotNow(String),
    Dead {
        reason: String,
        /// The document itself is named as the cause.
        own: bool,
    },
    /// Refused for something that a person has to set right, not for what the record is.
    Blocked(String, &'static str),
}

impl Item<'_> {
    pub(super) fn fate(&self, responses: &Responses) -> Fate {
        if matches!(self.status, 200..=299) {
            return Fate::Done;
        }
        let problem = self.error.map(Problem::read).unwrap_or_default();
        let named = responses.of(self.status, &problem.kinds());
        if self.status == 409 && named.is_none() {
            return Fate::Done;
        }
        let reason = problem.sentence(self.status);
        match named {
            None => self.own_fate(&problem, reason),
            Some(Response::Done) => Fate::Done,
            Some(Response::Again) => Fate::Again(reason),
            Some(Response::NotNow) => Fate::NotNow(reason),
            Some(Response::Dead) => Fate::Dead { reason, own: true },
            Some(Response::Fatal) => Fate::Blocked(reason, AS_CONFIGURED),
        }
    }

    /// What the answer means by itself.
    fn own_fate(&self, problem: &Problem, reason: String) -> Fate {
        match (self.status, problem.kind.as_str()) {
            _ if problem.is_a_state() => Fate::NotNow(reason),
            (408 | 429 | 500..=599, _)
            | (_, "es_rejected_execution_exception" | "rejected_execution_exception") => {
                Fate::Again(reason)
            }
            (401 | 403, "security_exception") => {
                Fate::Blocked(reason, "check `auth` and what this user may do with the index")
            }
            (404, _) => Fate::Blocked(reason, "make the index or a template for it"),
            (400, "illegal_argument_exception") if problem.is_about_pipeline() => {
                Fate::Blocked(reason, "make the pipeline, or leave `pipeline` out")
            }
            (400, "illegal_argument_exception") if problem.is_about_data_stream() => {
                Fate::Blocked(reason, "the index is a data stream: use `action: create`")
            }
            _ => Fate::Dead { reason, own: problem.is_of_document() },
        }
    }
}

/// The `error` of an item or of a whole answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    reason: Option<String>,
    caused_by: Option<Box<Self>>,
}

impl Problem {
    /// Old versions answer a sentence in place of an object.
    fn read(error: &RawValue) -> Self {
        serde_json::from_str(error.get()).unwrap_or_else(|_other| {
            let words =
                serde_json::from_str(error.get()).unwrap_or_else(|_| error.get().to_owned());
            Self { reason: Some(words), ..Self::default() }
        })
    }

    /// The types of the error and of its causes.
    fn kinds(&self) -> Vec<&str> {
        let causes = std::iter::successors(Some(self), |one| one.caused_by.as_deref());
        causes.map(|one| one.kind.as_str()).collect()
    }

    fn words(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    /// Whether the cluster or the index takes nothing of the kind now, whatever the documents are.
    fn is_a_state(&self) -> bool {
        match self.kind.as_str() {
            "circuit_breaking_exception"
            | "unavailable_shards_exception"
            | "cluster_block_exception"
            | "index_closed_exception"
            | "no_shard_available_action_exception"
            | "process_cluster_event_timeout_exception"
            | "master_not_discovered_exception" => true,
            // The cluster's limit of shards.
            "validation_exception" | "illegal_argument_exception" => {
                self.words().contains("this action would add")
            }
            _ => false,
        }
    }

    /// Whether what is in the document is the cause. An index with as many fields as it may have is none.
    fn is_of_document(&self) -> bool {
        let mut causes = std::iter::successors(Some(self), |one| one.caused_by.as_deref());
        if causes.any(|one| one.words().contains("Limit of total fields")) {
            return false;
        }
        matches!(
            self.kind.as_str(),
            "document_parsing_exception"
                | "mapper_parsing_exception"
                | "strict_dynamic_mapping_exception"
                | "mapper_exception"
                | "routing_missing_exception"
                | "version_conflict_engine_exception"
        )
    }

    fn is_about_pipeline(&self) -> bool {
        self.words().starts_with("pipeline with id") && self.words().contains("does not exist")
    }

    fn is_about_data_stream(&self) -> bool {
        self.words().starts_with("only write ops with an op_type of create")
    }

    /// `HTTP 400 mapper_parsing_exception: … (caused by number_format_exception: …)`
    fn sentence(&self, status: u16) -> String {
        let mut text = format!("HTTP {status}");
        self.push(" ", &mut text);
        let mut next = self.caused_by.as_deref();
        while let Some(cause) = next {
            if !text.contains(cause.words()) {
                cause.push(" (caused by ", &mut text);
                text.push(')');
            }
            next = cause.caused_by.as_deref();
        }
        if text.contains(char::is_control) {
            text = text.replace(char::is_control, " ");
        }
        if text.len() > REASON_MAX {
            text.truncate(text.floor_char_boundary(REASON_MAX));
            text.push('…');
        }
        text
    }

    fn push(&self, before: &str, text: &mut String) {
        if !self.kind.is_empty() || self.reason.is_some() {
            text.push_str(before);
        }
        text.push_str(&self.kind);
        if let Some(reason) = &self.reason {
            text.push_str(if self.kind.is_empty() { "" } else { ": " });
            text.push_str(reason);
        }
    }
}

/// The types of the error in an answer for a whole request.
pub(super) fn whole_kinds(body: &[u8]) -> Vec<String> {
    let problem = whole(body).unwrap_or_default();
    problem.kinds().into_iter().map(str::to_owned).collect()
}

fn whole(body: &[u8]) -> Option<Problem> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        error: &'a RawValue,
    }
    let whole: Whole<'_> = serde_json::from_slice(body).ok()?;
    Some(Problem::read(whole.error))
}

/// The reason in an answer for a whole request, if it is one of the server's own.
pub(super) fn whole_reason(status: u16, body: &[u8]) -> Option<String> {
    whole(body).map(|problem| problem.sentence(status))
}

impl<'de: 'a, 'a> Deserialize<'de> for Item<'a> {
    /// `{"create":{"status":…,"error":…}}`, whatever the action's name.
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Inner<'a> {
            status: u16,
            #[serde(borrow, default)]
            error: Option<&'a RawValue>,
        }

        struct One;

        impl<'de> Visitor<'de> for One {
            type Value = Item<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an action and its answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item<'de>, A::Error> {
                let Some((IgnoredAny, Inner { status, error })) = map.next_entry()? else {
                    return Err(serde::de::Error::missing_field("status"));
                };
                while let Some((IgnoredAny, IgnoredAny)) = map.next_entry()? {}
                Ok(Item { status, error })
            }
        }

        input.deserialize_map(One)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fates(body: &str) -> Vec<Fate> {
        let answer: BulkAnswer<'_> = serde_json::from_slice(body.as_bytes()).unwrap();
        answer.items.iter().map(|item| item.fate(&Responses::default())).collect()
    }

    fn fate(status: u16, error: &str) -> Fate {
        let body = format!(
            r#"{{"errors":true,"items":[{{"create":{{"error":{error},"status":{status}}}}}]}}"#
        );
        fates(&body).remove(0)
    }

    #[test]
    fn what_is_there_is_done() {
        let body =
            r#"{"errors":false,"items":[{"create":{"status":201}},{"index":{"status":200}}]}"#;
        assert_eq!(fates(body), [Fate::Done, Fate::Done]);
        assert_eq!(fate(409, r#"{"type":"version_conflict_engine_exception"}"#), Fate::Done);
    }

    #[test]
    fn what_is_busy_is_sent_again_and_what_is_a_state_of_the_far_side_for_ever() {
        for (status, kind, words, is_state) in [
            (429, "es_rejected_execution_exception", "full", false),
            (500, "null_pointer_exception", "", false),
            (429, "cluster_block_exception", "full", true),
            (403, "cluster_block_exception", "full", true),
            (400, "index_closed_exception", "closed", true),
            (503, "unavailable_shards_exception", "full", true),
            (500, "circuit_breaking_exception", "full", true),
            (
                400,
                "validation_exception",
                "Validation Failed: 1: this action would add [2] shards",
                true,
            ),
            (400, "illegal_argument_exception", "this action would add [2] total shards", true),
        ] {
            let fate = fate(status, &format!(r#"{{"type":"{kind}","reason":"{words}"}}"#));
            let reason = format!("HTTP {status} {kind}: {words}");
            let expected = if is_state { Fate::NotNow(reason) } else { Fate::Again(reason) };
            assert_eq!(fate, expected);
        }
    }

    #[test]
    fn an_item_means_what_the_configuration_says() {
        let table = r#"{"404":"done","429":"not_now","mapper_parsing_exception":"fatal","number_format_exception":"dead","409":"dead"}"#;
        let table: Responses = serde_json::from_str(table).unwrap();
        let fate = |status: u16, error: &str| {
            let error = serde_json::from_str(error).unwrap();
            Item { status, error: Some(error) }.fate(&table)
        };
        assert_eq!(fate(404, r#"{"type":"index_not_found_exception"}"#), Fate::Done);
        assert!(matches!(fate(429, "{}"), Fate::NotNow(_)));
        assert!(matches!(fate(409, "{}"), Fate::Dead { own: true, .. }));
        assert!(matches!(fate(400, r#"{"type":"mapper_parsing_exception"}"#), Fate::Blocked(..)));
        let caused = r#"{"type":"x","caused_by":{"type":"number_format_exception"}}"#;
        assert!(matches!(fate(400, caused), Fate::Dead { .. }));
    }

    #[test]
    fn only_a_fault_that_is_in_the_document_is_its_own() {
        for (kind, words, is_own) in [
            ("mapper_parsing_exception", "failed to parse field [n]", true),
            ("document_parsing_exception", "[1:5] failed to parse", true),
            ("document_parsing_exception", "Limit of total fields [9] has been exceeded", false),
            ("illegal_argument_exception", "Limit of total fields [9] has been exceeded", false),
            ("some_exception", "words", false),
        ] {
            let fate = fate(400, &format!(r#"{{"type":"{kind}","reason":"{words}"}}"#));
            assert!(matches!(fate, Fate::Dead { own, .. } if own == is_own), "{fate:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_dead_with_its_cause() {
        let error = r#"{"type":"mapper_parsing_exception","reason":"failed to parse field [n]",
            "caused_by":{"type":"number_format_exception","reason":"For input string: \"x\""}}"#;
        let Fate::Dead { reason, .. } = fate(400, error) else { panic!("not dead") };
        assert_eq!(
            reason,
            "HTTP 400 mapper_parsing_exception: failed to parse field [n] \
             (caused by number_format_exception: For input string: \"x\")"
        );
        let dead = |reason: &str| Fate::Dead { reason: reason.to_owned(), own: false };
        assert_eq!(fate(400, r#""a sentence""#), dead("HTTP 400 a sentence"));
        assert_eq!(fate(400, "null"), dead("HTTP 400"));
        let twice =
            r#"{"type":"a","reason":"bad\nline","caused_by":{"type":"b","reason":"bad\nline"}}"#;
        assert_eq!(fate(400, twice), dead("HTTP 400 a: bad line"));
        let long = format!(r#"{{"type":"x","reason":"{}"}}"#, "é".repeat(2000));
        let Fate::Dead { reason, .. } = fate(400, &long) else { panic!("not dead") };
        assert!(reason.len() < 1010 && reason.ends_with('…'));
    }

    #[test]
    fn what_only_a_person_can_set_right_is_blocked() {
        for (status, kind, words) in [
            (403, "security_exception", "action [indices:data/write] is unauthorized"),
            (404, "index_not_found_exception", "no such index [x]"),
            (400, "illegal_argument_exception", "pipeline with id [p] does not exist"),
            (
                400,
                "illegal_argument_exception",
                "only write ops with an op_type of create are allowed in data streams",
            ),
        ] {
            let fate = fate(status, &format!(r#"{{"type":"{kind}","reason":"{words}"}}"#));
            assert!(matches!(fate, Fate::Blocked(..)), "{fate:?}");
        }
        let other =
            fate(400, r#"{"type":"illegal_argument_exception","reason":"limit of fields"}"#);
        assert!(matches!(other, Fate::Dead { .. }), "{other:?}");
    }

    #[test]
    fn the_reason_for_a_whole_request_is_read() {
        let body = br#"{"error":{"root_cause":[],"type":"security_exception","reason":"no"},"status":401}"#;
        assert_eq!(whole_reason(401, body).unwrap(), "HTTP 401 security_exception: no");
        assert_eq!(whole_reason(405, br#"{"error":"no","status":405}"#).unwrap(), "HTTP 405 no");
        assert_eq!(whole_reason(502, b"<html>"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body: Vec<u8>, cut in 0usize..100) {
            let good = br#"{"errors":true,"items":[{"create":{"status":400,"error":{"type":"x","caused_by":{}}}}]}"#;
            for bytes in [&body[..], &good[..cut.min(good.len())]] {
                if let Ok(answer) = serde_json::from_slice::<BulkAnswer<'_>>(bytes) {
                    let fate = |item: &Item<'_>| item.fate(&Responses::default());
                    let _fates: Vec<Fate> = answer.items.iter().map(fate).collect();
                }
                whole_reason(400, bytes);
            }
        }
    }
}
