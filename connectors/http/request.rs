//! One request of the sink: records of one partition under one address.

use serde::Deserialize;

use crate::StoredRecord;
use crate::document::Codec;

/// How the records of one request stand in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A JSON document on each line (`application/x-ndjson`).
    #[default]
    Ndjson,
    /// One JSON array of documents (`application/json`).
    JsonArray,
    /// Each value as it came, on a line of its own (`text/plain`).
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

impl Request {
    /// A request that begins with the record of number `first`, in `body`, which is emptied.
    pub(super) fn begin(
        stored: &StoredRecord<'_>,
        first: usize,
        url: &str,
        mut body: Vec<u8>,
    ) -> Self {
        let batch = stored.batch;
        body.clear();
        Self {
            body,
            url: url.to_owned(),
            first,
            count: 0,
            place: format!("{}-{}-{}", batch.topic.id, batch.partition, batch.epoch),
            first_offset: stored.offset,
            last_offset: stored.offset,
        }
    }

    /// Appends one record.
    pub(super) fn push(&mut self, stored: &StoredRecord<'_>, format: Format, codec: Codec) {
        if format == Format::JsonArray {
            self.body.push(if self.count == 0 { b'[' } else { b',' });
        }
        codec.push(stored, &mut self.body);
        if format != Format::JsonArray {
            self.body.push(b'\n');
        }
        self.last_offset = stored.offset;
        self.count += 1;
    }

    /// The body, complete.
    pub(super) fn finish(&mut self, format: Format) -> Vec<u8> {
        if format == Format::JsonArray {
            self.body.push(b']');
        }
        std::mem::take(&mut self.body)
    }

    /// The address for messages: without its query, in which there may be a secret.
    pub(super) fn target(&self) -> &str {
        self.url.split_once('?').map_or(&self.url, |(address, _)| address)
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
    use crate::records::testing::stored;

    fn body(format: Format, values: &[&[u8]]) -> (String, String) {
        let batch = stored(values);
        let mut request = Request::begin(&batch.iter().next().unwrap(), 0, "u", vec![1]);
        for stored in batch.iter() {
            request.push(&stored, format, format.codec());
        }
        (String::from_utf8(request.finish(format)).unwrap(), request.key())
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
        let mut request = Request::begin(&batch.iter().next().unwrap(), 0, "u", Vec::new());
        for stored in batch.iter().step_by(2) {
            request.push(&stored, Format::Lines, Codec::Raw);
        }
        assert_eq!(request.key(), "hub.t-2-1-10-12-2");
    }
}
