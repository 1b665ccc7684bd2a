//! How `consume` prints a record.

use std::str::FromStr;

use serde_json::{Map, Value, json};

use super::place::show_time;
use crate::client::ConsumedRecord;

/// A format of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// The value alone, a line each.
    Value,
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
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            "keys" => Ok(Self::Keys),
            template if template.contains('%') => template_of(template).map(Self::Template),
            _ => Err(
                "expected `value`, `json`, `pretty`, `keys`, or a template such as \"%k=%v\\n\""
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
            Self::Value => {
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

/// A record as one JSON object, as `produce --json` and the API take it.
pub(super) fn as_json(record: &ConsumedRecord) -> Value {
    let mut headers = Map::new();
    for (name, value) in &record.headers {
        headers.insert(name.clone(), text_or_null(value.as_deref()));
    }
    json!({
        "topic": record.topic(),
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": show_time(record.timestamp_ms),
        "key": text_or_null(record.key.as_deref()),
        "value": text_or_null(record.value.as_deref()),
        "headers": headers,
    })
}

fn text_or_null(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| String::from_utf8_lossy(bytes).into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
