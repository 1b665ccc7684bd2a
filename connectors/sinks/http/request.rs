//! One request of the sink: records of one partition under one address.

use anabranch_record::StoredRecord;
use serde::Deserialize;

use crate::shared::document::{Codec, Encoder};
use crate::shared::shown;

/// How the records of one request stand in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A JSON document on each line (`application/x-ndjson`).
    #[default]
    Ndjson,
    /// One JSON array of documents (`application/json`).
    JsonArray,
    /// Each value as it came, with a line end behind it (`text/plain`); a value of several lines stays so.
    Lines,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::JsonArray => "application/json",
            Self::Lines => "text/plain; charset=utf-8",
        }
    }

    /// What is used when the configuration does not say.
    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Ndjson | Self::JsonArray => Codec::Json,
            Self::Lines => Codec::Raw,
        }
    }
}

/// A request that is being filled.
#[derive(Debug, Default)]
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) url: String,
    /// Number of its first record in the write.
    pub(super) first: usize,
    /// How many records it has.
    pub(super) count: usize,
    /// Topic id, partition and epoch, as they stand in the key.
    place: String,
    first_offset: i64,
    last_offset: i64,
}

/// How a request is filled.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) format: Format,
    pub(super) encoder: Encoder,
    /// Largest body, bytes, unless a single record is larger.
    pub(super) max_bytes: usize,
}

impl Request {
    /// A request with one record, of number `first`, in `body`, which is emptied.
    pub(super) fn begin(
        stored: &StoredRecord<'_>,
        form: &mut Form,
        first: usize,
        url: &str,
        mut body: Vec<u8>,
    ) -> Self {
        let batch = stored.batch;
        body.clear();
        let mut request = Self {
            body,
            url: url.to_owned(),
            first,
            count: 0,
            place: format!("{}-{}-{}", batch.topic.id, batch.partition, batch.epoch),
            first_offset: stored.offset,
            last_offset: stored.offset,
        };
        request.append(stored, form);
        request
    }

    /// Appends one record; when it makes the body too large, it begins the next request and this one is returned.
    pub(super) fn push(&mut self, stored: &StoredRecord<'_>, form: &mut Form) -> Option<Self> {
        let end = self.body.len();
        self.append(stored, form);
        let bracket = usize::from(form.format == Format::JsonArray);
        if self.body.len() + bracket <= form.max_bytes || self.count == 1 {
            self.last_offset = stored.offset;
            return None;
        }
        let mut body = self.body.split_off(end);
        if let Some(mark) = body.first_mut().filter(|_| form.format == Format::JsonArray) {
            *mark = b'[';
        }
        self.count -= 1;
        let next = Self {
            body,
            url: self.url.clone(),
            first: self.first + self.count,
            count: 1,
            place: self.place.clone(),
            first_offset: stored.offset,
            last_offset: stored.offset,
        };
        Some(std::mem::replace(self, next))
    }

    fn append(&mut self, stored: &StoredRecord<'_>, form: &mut Form) {
        let is_array = form.format == Format::JsonArray;
        if is_array {
            self.body.push(if self.count == 0 { b'[' } else { b',' });
        }
        form.encoder.push(stored, &mut self.body);
        if !is_array {
            self.body.push(b'\n');
        }
        self.count += 1;
    }

    /// The body, complete.
    pub(super) fn finish(&mut self, format: Format) -> Vec<u8> {
        if format == Format::JsonArray {
            self.body.push(b']');
        }
        std::mem::take(&mut self.body)
    }

    /// The address for messages.
    pub(super) fn target(&self) -> String {
        shown::address(&self.url)
    }

    /// Names these records for ever: a far side that has seen the key has them all.
    ///
    /// `TOPIC_ID-PARTITION-EPOCH-FIRST-LAST`, and the number of records behind it where some between are left out.
    pub(super) fn key(&self) -> String {
        let Self { place, first_offset, last_offset, count, .. } = self;
        let is_whole = usize::try_from(last_offset - first_offset + 1) == Ok(*count);
        if is_whole {
            format!("{place}-{first_offset}-{last_offset}")
        } else {
            format!("{place}-{first_offset}-{last_offset}-{count}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::testing::stored;

    fn form(format: Format, max_bytes: usize) -> Form {
        Form { format, encoder: Encoder::new(format.codec()), max_bytes }
    }

    /// The bodies and keys of the requests that these values make.
    fn requests(form: &mut Form, values: &[&[u8]]) -> Vec<(String, String)> {
        let batch = stored(values);
        let mut records = batch.iter();
        let mut last = Request::begin(&records.next().unwrap(), form, 0, "u", vec![1]);
        let mut requests: Vec<Request> =
            records.filter_map(|stored| last.push(&stored, form)).collect();
        requests.push(last);
        let whole = |request: &mut Request| {
            (String::from_utf8(request.finish(form.format)).unwrap(), request.key())
        };
        requests.iter_mut().map(whole).collect()
    }

    fn body(format: Format, values: &[&[u8]]) -> (String, String) {
        requests(&mut form(format, 1 << 20), values).remove(0)
    }

    #[test]
    fn a_request_is_never_larger_than_allowed_unless_one_record_is() {
        let lines = requests(&mut form(Format::Lines, 5), &[b"a", b"b", b"c", b"ddddddd", b"e"]);
        let bodies: Vec<&str> = lines.iter().map(|(body, _)| body.as_str()).collect();
        assert_eq!(bodies, ["a\nb\n", "c\n", "ddddddd\n", "e\n"]);
        let keys: Vec<&str> = lines.iter().map(|(_, key)| key.as_str()).collect();
        assert_eq!(keys[..2], ["hub.t-2-1-10-11", "hub.t-2-1-12-12"]);
        for (body, _) in requests(&mut form(Format::JsonArray, 300), &[b"a", b"b", b"c", b"d"]) {
            assert!(body.len() <= 300, "{body}");
            let documents: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
            assert_eq!(documents.len(), 2);
        }
    }

    #[test]
    fn a_body_has_the_form_that_was_asked_for() {
        assert_eq!(body(Format::Lines, &[b"a", b"b"]).0, "a\nb\n");
        let (array, key) = body(Format::JsonArray, &[b"a", b"b"]);
        let array: Vec<serde_json::Value> = serde_json::from_str(&array).unwrap();
        assert_eq!((array.len(), array[1]["message"].as_str()), (2, Some("b")));
        assert_eq!(key, "hub.t-2-1-10-11");
        let (lines, _) = body(Format::Ndjson, &[b"a\n", b"{\"b\":\n1}"]);
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn a_key_tells_a_selection_from_the_whole() {
        let batch = stored(&[b"a", b"b", b"c"]);
        let form = &mut form(Format::Lines, 100);
        let mut records = batch.iter().step_by(2);
        let mut request = Request::begin(&records.next().unwrap(), form, 0, "u", Vec::new());
        assert!(request.push(&records.next().unwrap(), form).is_none());
        assert_eq!(request.key(), "hub.t-2-1-10-12-2");
    }
}
