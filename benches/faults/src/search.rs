//! A search server: what is asked of it.

use serde_json::{Value, json};

use crate::http::{self, Request};

fn ask(address: &str, method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = Request { method, path, content_type: "application/json", body: &body };
    let answer = http::send(address, request)?;
    if answer.status >= 300 {
        return Err(format!("{method} {address}{path}: {} {}", answer.status, answer.body));
    }
    serde_json::from_str(&answer.body).map_err(|error| format!("{address}{path}: {error}"))
}

/// Makes an index in which a document with text under `poison` is refused.
///
/// # Errors
/// What the server says.
pub fn make_index(address: &str, index: &str) -> Result<(), String> {
    let mappings = json!({ "dynamic": false, "properties": { "poison": { "type": "long" } } });
    let settings = json!({ "number_of_shards": 1, "number_of_replicas": 0 });
    let body = json!({ "mappings": mappings, "settings": settings });
    ask(address, "PUT", &format!("/{index}"), &body).map(drop)
}

/// Removes an index.
///
/// # Errors
/// What the server says.
pub fn remove_index(address: &str, index: &str) -> Result<(), String> {
    ask(address, "DELETE", &format!("/{index}"), &Value::Null).map(drop)
}

/// Calls `each` with the `message` of every document in `index`.
///
/// # Errors
/// What the server says.
pub fn messages(address: &str, index: &str, mut each: impl FnMut(&str)) -> Result<(), String> {
    ask(address, "POST", &format!("/{index}/_refresh"), &Value::Null)?;
    let query = json!({ "size": 1000, "sort": ["_doc"], "_source": ["message"] });
    let mut page = ask(address, "POST", &format!("/{index}/_search?scroll=1m"), &query)?;
    loop {
        let hits = page.pointer_mut("/hits/hits").map(Value::take);
        let hits = hits.as_ref().and_then(Value::as_array).filter(|hits| !hits.is_empty());
        let Some(hits) = hits else { return Ok(()) };
        for hit in hits {
            each(hit.pointer("/_source/message").and_then(Value::as_str).unwrap_or("no message"));
        }
        let id = page.get("_scroll_id").cloned().unwrap_or_default();
        page =
            ask(address, "POST", "/_search/scroll", &json!({ "scroll": "1m", "scroll_id": id }))?;
    }
}
