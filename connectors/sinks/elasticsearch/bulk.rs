//! The body of a `_bulk` request: for each record a line that says what to do and under which id, and the document.

use anabranch_record::StoredRecord;

use crate::shared::document::{self, Codec, Encoder};
use crate::shared::template::{Cursor, Template, clean_index};

/// Writes records into the bodies of requests.
#[derive(Debug)]
pub(super) struct Writer {
    index: Cursor,
    /// Whether the configuration begins the name with a dot; a value may not.
    is_hidden: bool,
    action: &'static str,
    /// `{"create":{"_index":"NAME","_id":"` for the index of the last record.
    head: Vec<u8>,
    encoder: Encoder,
}

impl Writer {
    pub(super) fn new(index: Template, action: &'static str) -> Self {
        let is_hidden = index.begins_with('.');
        let index = Cursor::new(index, |value, out| out.push_str(value));
        let encoder = Encoder::new(Codec::Json);
        Self { index, is_hidden, action, head: Vec::new(), encoder }
    }

    /// Appends both lines of one record.
    pub(super) fn push(&mut self, stored: &StoredRecord<'_>, body: &mut Vec<u8>) {
        if self.index.advance(stored) {
            self.head.clear();
            self.head.extend_from_slice(b"{\"");
            self.head.extend_from_slice(self.action.as_bytes());
            self.head.extend_from_slice(b"\":{\"_index\":");
            let index = clean_index(self.index.text(), self.is_hidden);
            document::push_string(index.as_bytes(), &mut self.head);
            self.head.extend_from_slice(b",\"_id\":\"");
        }
        body.extend_from_slice(&self.head);
        let start = body.len();
        document::push_id(stored, body);
        let id = start..body.len();
        body.extend_from_slice(b"\"}}\n");
        self.encoder.push_document(stored, Some(id), body);
        body.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::testing::{store, stored};
    use anabranch_record::{Batch, Headers};

    #[test]
    fn each_record_is_two_lines_under_its_own_id() {
        let template = Template::parse("Logs-{topic}-{date}").unwrap();
        let mut writer = Writer::new(template, "create");
        let mut body = Vec::new();
        for stored in stored(&[b"a", b"{\"b\":\n1}"]).iter() {
            writer.push(&stored, &mut body);
        }
        let text = String::from_utf8(body).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        let head = r#"{"create":{"_index":"logs-t-1970-01-01","_id":"hub.t-2-1-"#;
        assert_eq!(lines[0], format!("{head}10\"}}}}"));
        assert_eq!(lines[2], format!("{head}11\"}}}}"));
        assert!(lines[1].contains("\"message\":\"a\"") && lines[3].contains("\"b\": 1"), "{text}");
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn a_record_of_another_day_goes_to_another_index() {
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
        for day in [0, 0, 1, 0] {
            batch.push_copy(b"x");
            batch.set_timestamp_ms(day * 86_400_000);
        }
        let mut writer = Writer::new(Template::parse("{date}").unwrap(), "index");
        let mut body = Vec::new();
        for stored in store(&batch).iter() {
            writer.push(&stored, &mut body);
        }
        let text = String::from_utf8(body).unwrap();
        let days: Vec<bool> = text.lines().step_by(2).map(|line| line.contains("-01-02")).collect();
        assert_eq!(days, [false, false, true, false]);
    }
}
