//! `_bulk` of Elasticsearch, so that outputs for it (Filebeat, Logstash, Vector, Fluent Bit) can point here.
//!
//! | action line                                   | is                                                              |
//! |-----------------------------------------------|-----------------------------------------------------------------|
//! | `{"index":{…}}`, `{"create":{…}}`             | the next line is a record                                       |
//! | `{"update":{…}}`, with a line behind it       | refused for itself: records are added, never changed            |
//! | `{"delete":{…}}`                              | the same                                                        |
//!
//! `_index` (or the path's) and `_id` become the headers `index` and `id`. A document that is no JSON object is refused
//! for itself, as the server does; an action line that is none refuses all, and nothing is stored. The answer has one
//! item for each action.

use std::ops::Range;

use anabranch_record::Batch;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use memchr::memchr;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::super::answer::{self, Answer, Refusal};
use super::super::records::Common;
use super::dialect::{Dialect, Parsed};

/// Elasticsearch's.
pub(super) const DIALECT: Dialect =
    Dialect { serves, parse, stored: answer, refused: Refusal::response, read };

/// Most actions of one request: each has its part of the answer.
const ACTIONS_MAX: usize = 100_000;
/// Records are handed on in batches of about so many bytes.
const BATCH_BYTES: usize = 1 << 20;
/// The version that clients are told; they ask for nothing beyond `_bulk`.
const VERSION: &str = "8.19.0";

/// Clients of Elasticsearch send nothing to what does not say this.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

fn serves(path: &str) -> bool {
    path.trim_end_matches('/').strip_suffix("/_bulk").is_some_and(|index| {
        index.strip_prefix('/').is_none_or(|index| !index.is_empty() && !index.contains('/'))
    })
}

fn read(path: &str) -> Option<Answer> {
    let answer = match path {
        "/" => json!({
            "name": "anabranch", "cluster_name": "anabranch", "cluster_uuid": "anabranch",
            "version": {
                "number": VERSION, "build_flavor": "default", "build_type": "docker", "build_hash": "unknown",
                "build_date": "2025-07-23T00:00:00.000000000Z", "build_snapshot": false, "lucene_version": "9.12.2",
                "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0",
            },
            "tagline": "You Know, for Search",
        }),
        "/_license" | "/_xpack/license" => json!({
            "license": { "uid": "anabranch", "type": "basic", "mode": "basic", "status": "active" },
        }),
        "/_cluster/health" => json!({ "cluster_name": "anabranch", "status": "green" }),
        _ => return None,
    };
    Some(self::answer(answer.to_string()))
}

/// An answer in the name of the server that is spoken to.
fn answer(body: String) -> Answer {
    let mut response = answer::json(StatusCode::OK, body);
    response.headers_mut().insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
    response
}

/// What is to be done with one document.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Index(Target),
    Create(Target),
    Update(Target),
    Delete(Target),
}

#[derive(Debug, Default, Deserialize)]
struct Target {
    #[serde(rename = "_index")]
    index: Option<String>,
    #[serde(rename = "_id")]
    id: Option<String>,
}

impl Action {
    fn parts(self) -> (&'static str, Target) {
        match self {
            Self::Index(target) => ("index", target),
            Self::Create(target) => ("create", target),
            Self::Update(target) => ("update", target),
            Self::Delete(target) => ("delete", target),
        }
    }
}

/// Records on their way into batches, and the answer's items.
struct Parts<'a> {
    body: &'a [u8],
    common: &'a Common,
    batches: Vec<Batch>,
    items: Vec<Value>,
    has_errors: bool,
}

fn parse(path: &str, body: &[u8], common: &Common) -> Result<Parsed, Refusal> {
    let index = path.trim_end_matches('/').strip_suffix("/_bulk").unwrap_or_default();
    let index = index.strip_prefix('/');
    let (batches, items, has_errors) = (Vec::new(), Vec::new(), false);
    let mut parts = Parts { body, common, batches, items, has_errors };
    let mut at = 0;
    while let Some(line) = next_line(body, &mut at) {
        let text = body.get(line).unwrap_or_default();
        if text.trim_ascii().is_empty() {
            continue;
        }
        let number = parts.items.len() + 1;
        if number > ACTIONS_MAX {
            let message =
                format!("more than {ACTIONS_MAX} actions in one request; send them in several");
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let action: Action = serde_json::from_slice(text).map_err(|problem| {
            bad(&format!("action {number} of the bulk request is malformed: {problem}"))
        })?;
        let (action, mut target) = action.parts();
        target.index = target.index.or_else(|| index.map(str::to_owned));
        let document = match action {
            "delete" => None,
            _ => Some(next_line(body, &mut at).ok_or_else(|| {
                bad(&format!("action {number} of the bulk request has no document behind it"))
            })?),
        };
        parts.take(action, &target, document);
    }
    if parts.items.is_empty() {
        return Err(bad("the bulk request has no actions"));
    }
    let answer = json!({ "took": 0, "errors": parts.has_errors, "items": parts.items });
    let batches = parts.batches.into_iter().map(Batch::fitted).collect();
    Ok((batches, answer.to_string()))
}

fn bad(problem: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, format!("{problem}; nothing was stored"))
}

/// The next line without its delimiter.
fn next_line(body: &[u8], at: &mut usize) -> Option<Range<usize>> {
    let start = *at;
    let rest = body.get(start..).filter(|rest| !rest.is_empty())?;
    let length = memchr(b'\n', rest).unwrap_or(rest.len());
    *at = start + length + 1;
    let text = rest.get(..length).unwrap_or_default();
    Some(start..start + text.strip_suffix(b"\r").unwrap_or(text).len())
}

impl Parts<'_> {
    fn take(&mut self, action: &'static str, target: &Target, document: Option<Range<usize>>) {
        let document = document.and_then(|range| self.body.get(range)).unwrap_or_default();
        let refused = match action {
            "index" | "create" => {
                let text = document.trim_ascii();
                let is_object = text.first() == Some(&b'{')
                    && serde_json::from_slice::<IgnoredAny>(text).is_ok();
                (!is_object)
                    .then_some(("document_parsing_exception", "the document is no JSON object"))
            }
            _ => {
                Some(("illegal_argument_exception", "records are only added: use index or create"))
            }
        };
        let Target { index, id } = target;
        let item = match refused {
            None => {
                self.push(document, target);
                json!({ "_index": index, "_id": id, "_version": 1, "result": "created", "status": 201 })
            }
            Some((kind, reason)) => {
                self.has_errors = true;
                let error = json!({ "type": kind, "reason": reason });
                json!({ "_index": index, "_id": id, "error": error, "status": 400 })
            }
        };
        self.items.push(json!({ action: item }));
    }

    fn push(&mut self, document: &[u8], target: &Target) {
        let Common { headers, timestamp_ms, stream, key, pool } = self.common;
        let is_full = self
            .batches
            .last()
            .is_none_or(|batch| batch.data().len() + document.len() > BATCH_BYTES);
        if is_full {
            self.batches.push(Batch::new(pool.take(), headers.clone(), *timestamp_ms, *stream));
        }
        let Some(batch) = self.batches.last_mut() else {
            return;
        };
        batch.push_copy(document);
        if let Some(key) = key {
            batch.set_key(key);
        }
        for (name, value) in [("index", &target.index), ("id", &target.id)] {
            if let Some(value) = value {
                batch.set_header(name, value.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::{Headers, Pool};

    fn common() -> Common {
        let (headers, pool) = (Headers::new(), Pool::new(2, 1 << 20));
        Common { headers, timestamp_ms: 0, stream: 0, key: None, pool }
    }

    /// Values with their headers, and the answer.
    fn cut(path: &str, body: &str) -> Result<(Vec<String>, Value), Refusal> {
        let (batches, answer) = parse(path, body.as_bytes(), &common())?;
        let show = |record: anabranch_record::Record<'_>| {
            let headers = record.headers.iter().map(|(name, value)| {
                format!(" {name}={}", String::from_utf8_lossy(value.unwrap_or_default()))
            });
            let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
            value + &headers.collect::<String>()
        };
        let values = batches.iter().flat_map(|batch| batch.iter().map(show).collect::<Vec<_>>());
        Ok((values.collect(), serde_json::from_str(&answer).unwrap()))
    }

    #[test]
    fn only_the_paths_of_bulk_are_served() {
        for path in ["/_bulk", "/_bulk/", "/logs-x/_bulk"] {
            assert!(serves(path), "{path}");
        }
        for path in ["/", "", "/bulk", "/a/b/_bulk", "//_bulk", "/_bulk/x", "_bulk2"] {
            assert!(!serves(path), "{path}");
        }
    }

    #[test]
    fn documents_become_records_and_every_action_has_its_item() {
        let body = "{\"index\":{\"_index\":\"i\",\"_id\":\"1\"}}\n{\"a\":1}\n\n{\"create\":{}}\r\n {\"b\":2} \r\n\
                    {\"delete\":{\"_id\":\"2\"}}\n{\"update\":{\"_id\":\"3\"}}\n{\"doc\":{}}\n{\"create\":{}}\n7\n";
        let (values, answer) = cut("/logs/_bulk", body).unwrap();
        assert_eq!(values, ["{\"a\":1} index=i id=1", " {\"b\":2}  index=logs"]);
        assert_eq!(answer["errors"], true);
        let items = answer["items"].as_array().unwrap();
        let seen: Vec<_> = items
            .iter()
            .flat_map(|item| item.as_object().unwrap())
            .map(|(action, item)| (action.as_str(), item["status"].as_u64().unwrap()))
            .collect();
        let expected =
            [("index", 201), ("create", 201), ("delete", 400), ("update", 400), ("create", 400)];
        assert_eq!(seen, expected);
        assert_eq!(items[0]["index"]["_id"], "1");
        assert_eq!(items[4]["create"]["error"]["type"], "document_parsing_exception");
        let (_, answer) = cut("/_bulk", "{\"index\":{}}\n{}").unwrap();
        assert_eq!(answer["errors"], false);
    }

    #[test]
    fn what_is_no_bulk_request_is_refused_whole() {
        for (body, words) in [
            ("", "no actions"),
            ("\n", "no actions"),
            ("hello\n", "action 1 of the bulk request is malformed"),
            ("{\"index\":{}}\n{}\n{\"a\":1}\n", "action 2 of the bulk request is malformed"),
            ("{\"index\":{}}\n", "has no document behind it"),
        ] {
            let refusal = cut("/_bulk", body).unwrap_err();
            assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
            assert!(refusal.message.contains(words), "{}", refusal.message);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_cut_or_refused(body in "([{}\":a\n]|\\{\"index\":\\{\\}\\}\n){0,30}") {
            drop(cut("/_bulk", &body));
        }
    }
}
