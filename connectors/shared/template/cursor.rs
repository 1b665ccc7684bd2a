//! The text of a template along a run of records, rendered only when it may have changed.

use std::sync::Arc;

use anabranch_record::header::HeadersRef;
use anabranch_record::stored::Topic;
use anabranch_record::{StoredRecord, varint};

use super::{Needs, Template};

const MS_PER_HOUR: i64 = 3_600_000;

/// How a sink makes values from records fit for the names that they become part of.
pub type Clean = fn(&str, &mut String);

/// Walks records beside the sink and keeps the text for the last one.
#[derive(Debug, Clone)]
pub struct Cursor {
    template: Template,
    needs: Needs,
    clean: Clean,
    text: String,
    topic: Option<Arc<Topic>>,
    partition: i32,
    period: i64,
    /// The last record's headers as they stood; equal bytes need no closer look.
    headers: Vec<u8>,
    /// The needed headers and the key, each with its length.
    values: Vec<u8>,
    scratch: Vec<u8>,
}

impl Cursor {
    /// A cursor before the first record; each value from a record goes through `clean`.
    #[must_use]
    pub fn new(template: Template, clean: Clean) -> Self {
        Self {
            needs: template.needs(),
            template,
            clean,
            text: String::new(),
            topic: None,
            partition: 0,
            period: 0,
            headers: Vec::new(),
            values: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Moves to a record; whether its text is another than that of the record before (true for the first).
    #[inline]
    pub fn advance(&mut self, stored: &StoredRecord<'_>) -> bool {
        if self.topic.is_some() && self.is_same(stored) {
            return false;
        }
        self.render(stored)
    }

    /// The text for the last record.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all that the template needs is as it was; remembers what is not.
    #[inline]
    fn is_same(&mut self, stored: &StoredRecord<'_>) -> bool {
        let topic = &stored.batch.topic;
        let is_last = |last: &Arc<Topic>| Arc::ptr_eq(last, topic) || last == topic;
        let is_topic = !self.needs.topic
            || (self.topic.as_ref().is_some_and(is_last) && !stored.batch.is_mixed());
        let is_partition = !self.needs.partition || self.partition == stored.batch.partition;
        is_topic
            && is_partition
            && self.period == self.period_of(stored.record.timestamp_ms)
            && self.has_same_values(stored)
    }

    #[inline]
    fn has_same_values(&mut self, stored: &StoredRecord<'_>) -> bool {
        if self.needs.key {
            return self.collect(stored);
        }
        if !self.needs.headers {
            return true;
        }
        let HeadersRef { common, own } = stored.record.headers;
        if common.is_empty() && own == self.headers && !own.is_empty() {
            return true;
        }
        self.collect(stored)
    }

    /// Gathers the needed values; whether they are those of the record before.
    fn collect(&mut self, stored: &StoredRecord<'_>) -> bool {
        let HeadersRef { common, own } = stored.record.headers;
        self.headers.clear();
        if common.is_empty() {
            self.headers.extend_from_slice(own);
        }
        self.scratch.clear();
        for name in self.template.header_names() {
            varint::push_bytes(stored.record.headers.get(name), &mut self.scratch);
        }
        if self.needs.key {
            varint::push_bytes(stored.record.key, &mut self.scratch);
        }
        let is_same = self.scratch == self.values;
        std::mem::swap(&mut self.scratch, &mut self.values);
        is_same
    }

    /// The number of the day or hour; all one where the template does not ask.
    #[inline]
    const fn period_of(&self, timestamp_ms: i64) -> i64 {
        if self.needs.hour {
            timestamp_ms.div_euclid(MS_PER_HOUR)
        } else if self.needs.day {
            timestamp_ms.div_euclid(24 * MS_PER_HOUR)
        } else {
            0
        }
    }

    fn render(&mut self, stored: &StoredRecord<'_>) -> bool {
        let is_first = self.topic.is_none();
        self.topic = Some(Arc::clone(&stored.batch.topic));
        self.partition = stored.batch.partition;
        self.period = self.period_of(stored.record.timestamp_ms);
        if self.needs.headers || self.needs.key {
            self.collect(stored);
        }
        let before = std::mem::take(&mut self.text);
        self.template.render_with(stored, self.clean, &mut self.text);
        is_first || before != self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::clean_path_segment;
    use super::*;
    use anabranch_record::testing::store;
    use anabranch_record::{Batch, Headers, StoredBatch};
    use proptest::prelude::*;

    /// (host or none, hour, key) of each record.
    fn batch(records: &[(u8, i64, u8)]) -> Arc<StoredBatch> {
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
        for (host, hour, key) in records {
            batch.push_copy(b"x");
            if *host < 2 {
                batch.set_header("host", &[b'a' + host]);
            }
            batch.set_timestamp_ms(hour * MS_PER_HOUR);
            batch.set_key(&[b'a' + key]);
        }
        store(&batch)
    }

    #[test]
    fn the_text_changes_only_when_what_it_needs_has_changed() {
        let template = Template::parse("{topic}-{date}-{host}").unwrap();
        let mut cursor = Cursor::new(template, clean_path_segment);
        let batch = batch(&[(0, 0, 0), (0, 1, 1), (0, 24, 0), (1, 24, 0), (1, 25, 0)]);
        let changed: Vec<bool> = batch.iter().map(|stored| cursor.advance(&stored)).collect();
        assert_eq!(changed, [true, false, true, true, false]);
        assert_eq!(cursor.text(), "t-1970-01-02-b");
    }

    proptest! {
        #[test]
        fn a_cursor_says_what_rendering_each_record_says(
            records in proptest::collection::vec((0u8..3, 0i64..60, 0u8..3), 1..20),
            template in "(\\{topic\\}|\\{partition\\}|\\{date\\}|\\{date:%H\\}|\\{host\\}|\\{header\\.no\\}|\\{key\\}|x){0,3}",
        ) {
            let template = Template::parse(&template).unwrap();
            let mut cursor = Cursor::new(template.clone(), |value, out| out.push_str(value));
            let mut before = None;
            for stored in batch(&records).iter() {
                let mut expected = String::new();
                template.render(&stored, &mut expected);
                let changed = cursor.advance(&stored);
                prop_assert_eq!(cursor.text(), &expected);
                prop_assert_eq!(changed, before.as_ref() != Some(&expected));
                before = Some(expected);
            }
        }
    }
}
