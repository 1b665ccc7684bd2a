//! One record of a request to the API: a JSON object in a line.

use std::collections::BTreeMap;

use anabranch_connectors::contract::clock::now_ms;
use anabranch_record::{Batch, Headers, Record, copy_record, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One record of a request. With `"encoding": "base64"` key, value and the values of headers are base64. A value that
/// is not text is stored as JSON; `null` is a tombstone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The value.
    pub value: Value,
    /// Names and values.
    #[serde(default)]
    pub headers: LineHeaders,
    /// Milliseconds since the Unix epoch; now when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// How bytes are written.
    #[serde(default)]
    pub encoding: Encoding,
}

/// Headers of a [`Line`]: an object, or pairs where names are repeated or the order counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LineHeaders {
    /// Each name once.
    Object(BTreeMap<String, Option<String>>),
    /// As they come.
    Pairs(Vec<(String, Option<String>)>),
}

impl Default for LineHeaders {
    fn default() -> Self {
        Self::Pairs(Vec::new())
    }
}

impl LineHeaders {
    /// The names and values, in order.
    fn pairs(&self) -> Vec<(&str, Option<&str>)> {
        match self {
            Self::Object(headers) => {
                headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
            }
            Self::Pairs(headers) => {
                headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
            }
        }
    }
}

/// How bytes are written in a [`Line`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As text.
    #[default]
    Text,
    /// As base64 (RFC 4648, with padding).
    Base64,
}

/// One batch of all lines.
///
/// # Errors
/// Which line is wrong, and why.
pub(super) fn parse(body: &[u8]) -> Result<Batch, String> {
    let wrong = |number: usize, problem: &str| format!("line {}: {problem}", number + 1);
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), now_ms(), 0);
    for (number, text) in body.split(|byte| *byte == b'\n').enumerate() {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let line: Line =
            serde_json::from_slice(text).map_err(|error| wrong(number, &error.to_string()))?;
        push(&line, &mut batch).map_err(|problem| wrong(number, &problem))?;
    }
    Ok(batch)
}

/// Adds the record of a line.
///
/// # Errors
/// What is wrong with it.
pub(super) fn push(line: &Line, batch: &mut Batch) -> Result<(), String> {
    let bytes = |text: &str| match line.encoding {
        Encoding::Text => Ok(text.as_bytes().to_vec()),
        Encoding::Base64 => STANDARD.decode(text).map_err(|error| error.to_string()),
    };
    let value = match &line.value {
        Value::String(text) => Some(bytes(text)?),
        Value::Null => None,
        json @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Some(json.to_string().into_bytes())
        }
    };
    let key = line.key.as_deref().map(bytes).transpose()?;
    let mut headers = Vec::new();
    for (name, value) in line.headers.pairs() {
        if name.starts_with(header::INTERNAL) {
            return Err(format!("header \"{name}\" is reserved"));
        }
        headers.push((name, value.map(bytes).transpose()?));
    }
    let (key, value) = (key.as_deref(), value.as_deref());
    let timestamp_ms = line.timestamp.unwrap_or(batch.timestamp_ms());
    let headers = headers.iter().map(|(name, value)| (*name, value.as_deref()));
    copy_record(&Record { key, value, timestamp_ms, ..Record::default() }, headers, batch);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_records_and_the_wrong_one_is_named() {
        let body = b"{\"value\":\"a\",\"key\":\"k\",\"headers\":{\"h\":\"1\"},\"timestamp\":5}\n\n\
            {\"value\":{\"b\":1}}\n{\"value\":null}\n{\"value\":\"/w==\",\"encoding\":\"base64\"}\n";
        let batch = parse(body).unwrap();
        let seen: Vec<_> = batch.iter().map(|record| record.value).collect();
        assert_eq!(seen, [Some(&b"a"[..]), Some(b"{\"b\":1}"), None, Some(b"\xff")]);
        let first = batch.iter().next().unwrap();
        assert_eq!((first.key, first.timestamp_ms), (Some(&b"k"[..]), 5));
        assert_eq!(first.headers.get("h"), Some(&b"1"[..]));
        let problem = |body: &[u8]| parse(body).err().unwrap();
        let wrong = problem(b"{\"value\":1}\n{\"valu\":1}\n");
        assert!(wrong.starts_with("line 2: unknown field `valu`"), "{wrong}");
        let reserved = problem(b"{\"value\":1,\"headers\":{\"__anabranch.position\":\"\"}}");
        assert_eq!(reserved, "line 1: header \"__anabranch.position\" is reserved");
    }
}
