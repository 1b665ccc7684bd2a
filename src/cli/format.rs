//! How `consume` prints a record.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::place::show_time;
use crate::admin::Encoding;
use crate::client::ConsumedRecord;

/// A format of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// The value alone, a line each.
    Value,
    /// The same, on a terminal, too, byte for byte.
    Raw,
    /// One JSON object a line.
    Json,
    /// Several lines for people.
    Pretty,
    /// Key and value, a tab between them.
    Keys,
    /// As a template says.
    Template(Vec<Piece>),
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Field(char),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "value" => Ok(Self::Value),
            "raw" => Ok(Self::Raw),
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            "keys" => Ok(Self::Keys),
            template if template.contains('%') => template_of(template).map(Self::Template),
            _ => Err(
                "expected `value`, `json`, `pretty`, `keys`, `raw`, or a template such as \"%k=%v\\n\""
                    .to_owned(),
            ),
        }
    }
}

fn template_of(template: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut letters = template.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('0') => text.push('\0'),
                Some('\\') => text.push('\\'),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!("`\\{other}` is not \\n, \\t, \\0 or \\\\"));
                }
            },
            '%' => match letters.next() {
                Some('%') => text.push('%'),
                Some(field) if "tpoTkvh".contains(field) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Field(field));
                }
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(format!("`%{other}` is not one of %t %p %o %T %k %v %h %%"));
                }
            },
            letter => text.push(letter),
        }
    }
    pieces.push(Piece::Text(text));
    Ok(pieces)
}

impl Format {
    /// Appends a record to `out`; `headers` adds them where the format does not show them anyway.
    pub(super) fn print(&self, record: &ConsumedRecord, headers: bool, out: &mut Vec<u8>) {
        let value = record.value.as_deref().unwrap_or_default();
        match self {
            Self::Value | Self::Raw => {
                push_headers(record, headers, out);
                out.extend_from_slice(value);
                out.push(b'\n');
            }
            Self::Keys => {
                push_headers(record, headers, out);
                out.extend_from_slice(record.key.as_deref().unwrap_or_default());
                out.push(b'\t');
                out.extend_from_slice(value);
                out.push(b'\n');
            }
            Self::Json => {
                out.extend_from_slice(as_json(record).to_string().as_bytes());
                out.push(b'\n');
            }
            Self::Pretty => push_pretty(record, out),
            Self::Template(pieces) => {
                for piece in pieces {
                    push_piece(piece, record, out);
                }
            }
        }
    }
}

fn push_headers(record: &ConsumedRecord, wanted: bool, out: &mut Vec<u8>) {
    if wanted {
        out.extend_from_slice(headers_text(record).as_bytes());
        out.push(b'\t');
    }
}

fn push_piece(piece: &Piece, record: &ConsumedRecord, out: &mut Vec<u8>) {
    let text = match piece {
        Piece::Text(text) => text.clone(),
        Piece::Field('t') => record.topic().to_owned(),
        Piece::Field('p') => record.partition.to_string(),
        Piece::Field('o') => record.offset.to_string(),
        Piece::Field('T') => show_time(record.timestamp_ms),
        Piece::Field('h') => headers_text(record),
        Piece::Field('k') => {
            return out.extend_from_slice(record.key.as_deref().unwrap_or_default());
        }
        Piece::Field(_) => {
            return out.extend_from_slice(record.value.as_deref().unwrap_or_default());
        }
    };
    out.extend_from_slice(text.as_bytes());
}

fn headers_text(record: &ConsumedRecord) -> String {
    let one = |(name, value): &(String, Option<Vec<u8>>)| {
        let value = String::from_utf8_lossy(value.as_deref().unwrap_or_default());
        format!("{name}={value}")
    };
    record.headers.iter().map(one).collect::<Vec<_>>().join(",")
}

fn push_pretty(record: &ConsumedRecord, out: &mut Vec<u8>) {
    let place = format!("{} [{}] @{}", record.topic(), record.partition, record.offset);
    let time = show_time(record.timestamp_ms);
    let mut text = format!("{place}  {time}\n");
    if let Some(key) = &record.key {
        text.push_str(&format!("  key: {}\n", String::from_utf8_lossy(key)));
    }
    for (name, value) in &record.headers {
        let value = String::from_utf8_lossy(value.as_deref().unwrap_or_default());
        text.push_str(&format!("  {name}: {value}\n"));
    }
    let value = record.value.as_deref().map(String::from_utf8_lossy);
    let shown = match value {
        None => "(null)".to_owned(),
        Some(value) => match serde_json::from_str::<Value>(&value) {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => format!("{json:#}"),
            _ => value.into_owned(),
        },
    };
    for line in shown.lines() {
        text.push_str(&format!("  {line}\n"));
    }
    out.extend_from_slice(text.as_bytes());
}

/// A record as one JSON object.
pub(super) fn as_json(record: &ConsumedRecord) -> Value {
    let mut object = json!({
        "topic": record.topic(),
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": show_time(record.timestamp_ms),
    });
    let headers = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    let headers: Vec<_> = headers.collect();
    put_content(&mut object, (record.key.as_deref(), record.value.as_deref()), &headers);
    object
}

/// Puts what a record holds into a JSON object, in the API's words: as text, or with `"encoding": "base64"` when any of
/// it is no UTF-8. Headers are an object, or pairs when a name is repeated.
pub(super) fn put_content(
    object: &mut Value,
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    headers: &[(&str, Option<&[u8]>)],
) {
    let values = headers.iter().map(|(_, value)| *value);
    let mut all = values.chain([key, value]).flatten();
    let is_text = all.all(|bytes| std::str::from_utf8(bytes).is_ok());
    let written = |bytes: Option<&[u8]>| {
        bytes.map(|bytes| {
            if is_text {
                String::from_utf8_lossy(bytes).into_owned()
            } else {
                STANDARD.encode(bytes)
            }
        })
    };
    let shown: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), written(*value).into())).collect();
    let pair = |(name, value): &(&str, Option<&[u8]>)| json!([name, written(*value)]);
    let is_each_once = shown.len() == headers.len();
    let headers: Value = if is_each_once {
        shown.into()
    } else {
        headers.iter().map(pair).collect::<Vec<_>>().into()
    };
    object["key"] = written(key).into();
    object["value"] = written(value).into();
    object["headers"] = headers;
    if !is_text {
        object["encoding"] = json!(Encoding::Base64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_to_be_base64() {
        let content = |key: &[u8], value: Option<&[u8]>, header: &[u8]| {
            let mut object = json!({});
            put_content(&mut object, (Some(key), value), &[("h", Some(header)), ("n", None)]);
            object.to_string()
        };
        assert_eq!(
            content(b"k", Some("é".as_bytes()), b"1"),
            r#"{"headers":{"h":"1","n":null},"key":"k","value":"é"}"#
        );
        for (key, value, header) in
            [(&b"\xff"[..], &b"v"[..], &b"1"[..]), (b"k", b"\xfe", b"1"), (b"k", b"v", b"\xfd")]
        {
            let expected = format!(
                r#"{{"encoding":"base64","headers":{{"h":"{}","n":null}},"key":"{}","value":"{}"}}"#,
                STANDARD.encode(header),
                STANDARD.encode(key),
                STANDARD.encode(value)
            );
            assert_eq!(content(key, Some(value), header), expected);
        }
        assert_eq!(
            content(b"", None, b""),
            r#"{"headers":{"h":"","n":null},"key":"","value":null}"#
        );
    }

    #[test]
    fn a_template_knows_its_fields_and_escapes() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let expected =
            vec![text(""), Piece::Field('t'), text("/%\t"), Piece::Field('v'), text("\n")];
        assert_eq!("%t/%%\\t%v\\n".parse(), Ok(Format::Template(expected)));
        assert_eq!(
            "%x".parse::<Format>(),
            Err("`%x` is not one of %t %p %o %T %k %v %h %%".to_owned())
        );
        assert_eq!("%v\\q".parse::<Format>(), Err("`\\q` is not \\n, \\t, \\0 or \\\\".to_owned()));
        assert!("yaml".parse::<Format>().is_err());
    }
}
