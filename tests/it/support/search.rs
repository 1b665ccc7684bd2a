//! What is in an index of Elasticsearch or OpenSearch.

use serde_json::{Value, json};

use super::http::{self, Answer};

/// Documents that are in `index` now; an index that is not there has none.
pub(crate) fn search_count(base: &str, index: &str) -> u64 {
    match ask(&format!("{base}/{index}/_refresh"), &json!(null)) {
        None => 0,
        Some(_refreshed) => {
            let found = ask(&format!("{base}/{index}/_count"), &json!(null)).unwrap();
            found["count"].as_u64().unwrap()
        }
    }
}

/// The `_id` of every document in `index`, sorted.
pub(crate) fn search_ids(base: &str, index: &str) -> Vec<String> {
    let hits = search_hits(base, index);
    let mut ids: Vec<_> = hits.iter().map(|hit| hit["_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

/// Every document in `index` with its `_index`, `_id` and `_source`, in no order.
pub(crate) fn search_hits(base: &str, index: &str) -> Vec<Value> {
    if search_count(base, index) == 0 {
        return Vec::new();
    }
    let query = json!({ "size": 10_000, "sort": ["_doc"] });
    let mut page = ask(&format!("{base}/{index}/_search?scroll=1m"), &query).unwrap();
    let mut all = Vec::new();
    while let Value::Array(hits) = page["hits"]["hits"].take()
        && !hits.is_empty()
    {
        all.extend(hits);
        let next = json!({ "scroll": "1m", "scroll_id": page["_scroll_id"] });
        page = ask(&format!("{base}/_search/scroll"), &next).unwrap();
    }
    all
}

/// The answer as JSON, or `None` for 404; anything else fails the test.
fn ask(url: &str, body: &Value) -> Option<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let Answer { status, body } = http::post(url, "application/json", body).unwrap();
    match status {
        200 => Some(serde_json::from_str(&body).unwrap()),
        404 => None,
        _ => panic!("{url}: {status} {body}"),
    }
}
