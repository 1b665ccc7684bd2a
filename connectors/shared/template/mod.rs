//! Names with places to fill in: `logs-{topic}-{date}`.
//!
//! | field                | is                                                              |
//! |----------------------|-----------------------------------------------------------------|
//! | `{topic}`            | the topic's name                                                |
//! | `{partition}`        | the partition's number                                          |
//! | `{date}`             | the day of the record's timestamp in UTC, `2026-01-31`          |
//! | `{date:%Y.%m.%d}`    | the same in another form; `%Y` `%m` `%d` `%H` and `%%`          |
//! | `{host}`             | the header `host`                                               |
//! | `{header.NAME}`      | the header of that name                                         |
//! | `{key}`              | the record's key                                                |
//!
//! `{header.app|none}` gives `none` where the record has no such header (or an empty one); without a default that is
//! `unknown`. `{{` and `}}` stand for braces.
//!
//! A template is not rendered for each record: a [`Cursor`] compares what the template needs with the record before
//! and renders only when that has changed.

mod clean;
mod cursor;
mod doubts;
mod parse;
mod part;

pub use clean::{clean_index, clean_path_segment, clean_url_segment};
pub use cursor::{Clean, Cursor};
pub(crate) use doubts::doubt;

use std::borrow::Cow;

use anabranch_record::StoredRecord;
use anabranch_record::digits::push_decimal;

use part::{DatePart, Field, Part};

use super::document::{Civil, push_digits};

/// A name with places to fill in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

/// What a template's text depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The topic.
    pub topic: bool,
    /// The partition.
    pub partition: bool,
    /// The day of the timestamp.
    pub day: bool,
    /// The hour of the timestamp.
    pub hour: bool,
    /// Headers.
    pub headers: bool,
    /// The key.
    pub key: bool,
}

impl Needs {
    /// Whether the text is the same for all records of a batch.
    #[must_use]
    pub const fn only_the_batch(self) -> bool {
        !(self.day || self.hour || self.headers || self.key)
    }
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A sentence for a person: a field that is not known (with those that are), a brace without its other one.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::parse(text).map(|parts| Self { parts })
    }

    /// Appends the text for one record, values as they are.
    pub fn render(&self, stored: &StoredRecord<'_>, out: &mut String) {
        self.render_with(stored, |value, out| out.push_str(value), out);
    }

    /// As [`Template::render`]; each value that comes from the record goes through `clean`.
    pub fn render_with(
        &self,
        stored: &StoredRecord<'_>,
        clean: impl Fn(&str, &mut String),
        out: &mut String,
    ) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field { field: Field::Date(parts), .. } => {
                    push_date(parts, stored.record.timestamp_ms, out);
                }
                Part::Field { field, default } => {
                    let value = field.value(stored);
                    clean(
                        value.as_deref().filter(|value| !value.is_empty()).unwrap_or(default),
                        out,
                    );
                }
            }
        }
    }

    /// The text with made-up values, as an example for a person: day 2000-01-01, host `host`, key `key`.
    #[must_use]
    pub fn render_example(&self, topic: &str) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Field { field, .. } => match field {
                    Field::Topic => out.push_str(topic),
                    Field::Partition => out.push('0'),
                    Field::Date(parts) => push_date(parts, 946_684_800_000, &mut out),
                    Field::Header(name) => out.push_str(name),
                    Field::Key => out.push_str("key"),
                },
            }
        }
        out
    }

    /// Whether its own text begins with `letter`, whatever the record.
    #[must_use]
    pub fn begins_with(&self, letter: char) -> bool {
        matches!(self.parts.first(), Some(Part::Text(text)) if text.starts_with(letter))
    }

    /// Whether it has no field, so that its text is always the same.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.needs() == Needs::default()
    }

    /// What its text depends on.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for part in &self.parts {
            let Part::Field { field, .. } = part else {
                continue;
            };
            match field {
                Field::Topic => needs.topic = true,
                Field::Partition => needs.partition = true,
                Field::Date(parts) => {
                    needs.day = true;
                    needs.hour |= parts.contains(&DatePart::Hour);
                }
                Field::Header(_) => needs.headers = true,
                Field::Key => needs.key = true,
            }
        }
        needs
    }

    /// The names of the headers that it needs.
    fn header_names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field { field: Field::Header(name), .. } => Some(name.as_str()),
            Part::Text(_) | Part::Field { .. } => None,
        })
    }
}

impl Field {
    /// What the record has; dates are written elsewhere.
    fn value<'a>(&self, stored: &StoredRecord<'a>) -> Option<Cow<'a, str>> {
        let bytes = match self {
            Self::Topic => return Some(Cow::Borrowed(stored.topic())),
            Self::Partition => {
                let mut digits = Vec::new();
                push_decimal(i64::from(stored.batch.partition), &mut digits);
                return String::from_utf8(digits).ok().map(Cow::Owned);
            }
            Self::Header(name) => stored.record.headers.get(name)?,
            Self::Key => stored.record.key?,
            Self::Date(_) => return None,
        };
        Some(String::from_utf8_lossy(bytes))
    }
}

fn push_date(parts: &[DatePart], timestamp_ms: i64, out: &mut String) {
    let civil = Civil::at(timestamp_ms);
    for part in parts {
        match part {
            DatePart::Year => push_digits(civil.year, 4, out),
            DatePart::Month => push_digits(civil.month, 2, out),
            DatePart::Day => push_digits(civil.day, 2, out),
            DatePart::Hour => push_digits(civil.hour, 2, out),
            DatePart::Text(text) => out.push_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::testing::{store, stored};
    use anabranch_record::{Batch, Headers};

    fn rendered(template: &str) -> String {
        let headers = Headers::new().with("host", b"web").with("app", b"shop").with("empty", b"");
        // 2026-01-31 23:30 UTC
        let mut batch = Batch::new(Vec::new().into(), headers, 1_769_902_200_000, 0);
        batch.push_copy(b"x");
        batch.set_key(b"k");
        let batch = store(&batch);
        let mut out = String::new();
        Template::parse(template).unwrap().render(&batch.iter().next().unwrap(), &mut out);
        out
    }

    #[test]
    fn fields_are_filled_in_from_the_record() {
        assert_eq!(rendered("logs-{topic}-{date}"), "logs-t-2026-01-31");
        assert_eq!(rendered("{date:%Y/%m/%d/%H h %%}.{partition}"), "2026/01/31/23 h %.2");
        assert_eq!(rendered("{host}/{header.app}/{key}/{{x}}"), "web/shop/k/{x}");
        assert_eq!(
            rendered("{header.no|none}-{header.empty|none}-{header.no}"),
            "none-none-unknown"
        );
        assert_eq!(rendered(""), "");
    }

    #[test]
    fn a_wrong_template_says_what_is_wrong_and_what_is_right() {
        for (template, problem) in [
            ("{topik}", "unknown field `{topik}`"),
            ("{topik}", "`{topic}`"),
            ("a{topic", "has no `}`"),
            ("a}b", "`}` without `{`"),
            ("{date:%y}", "`%y`"),
            ("{date:%}", "`%`"),
            ("{date:}", "empty"),
            ("{header.}", "names no header"),
            ("{}", "unknown field `{}`"),
        ] {
            let message = Template::parse(template).unwrap_err();
            assert!(message.contains(problem), "{template}: {message}");
        }
    }

    #[test]
    fn a_template_knows_what_it_needs() {
        let needs = |template| Template::parse(template).unwrap().needs();
        assert!(Template::parse("a{{b}}").unwrap().is_constant());
        assert_eq!(needs("{topic}{date}"), Needs { topic: true, day: true, ..Needs::default() });
        assert!(needs("{date:%H}").hour);
        assert!(needs("{host}").headers && needs("{key}").key && needs("{partition}").partition);
    }

    #[test]
    fn an_example_needs_no_record() {
        let template =
            Template::parse("{topic}/{date}/{host}-{header.app}-{partition}-{key}").unwrap();
        assert_eq!(template.render_example("web"), "web/2000-01-01/host-app-0-key");
    }

    #[test]
    fn values_are_cleaned_and_the_text_between_is_not() {
        let batch = stored(&[b"x"]);
        let mut out = String::new();
        let template = Template::parse("/a/{header.no|../b}/{topic}").unwrap();
        template.render_with(&batch.iter().next().unwrap(), clean_path_segment, &mut out);
        assert_eq!(out, "/a/.._b/t");
    }
}
