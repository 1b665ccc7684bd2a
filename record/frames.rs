//! The records of a batch, taken apart as far as one must know them who keeps some of them.
//!
//! | field            | note                                  |
//! |------------------|---------------------------------------|
//! | length           | varint, bytes after this field        |
//! | attributes       | one byte, unused                      |
//! | timestamp delta  | varint, to the batch's base timestamp |
//! | offset delta     | varint, to the batch's base offset    |
//! | key              | varint length and bytes, -1 for null  |
//! | value            | varint length and bytes, -1 for null  |
//! | headers          | not looked at here                    |
//!
//! Source: Kafka documentation, "Record Format".

use crate::varint;

/// One record where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// All of it, with its length.
    pub bytes: &'a [u8],
    /// Its offset, less the batch's base offset.
    pub offset_delta: i64,
    /// Its time, less the batch's base timestamp, ms.
    pub time_delta_ms: i64,
    /// Its key; `None` when it has none.
    pub key: Option<&'a [u8]>,
    /// Whether it has a value: one without deletes its key.
    pub has_value: bool,
    attributes: u8,
    /// From the offset delta on.
    behind_time: &'a [u8],
}

impl Frame<'_> {
    /// Appends it to a section with another time delta, ms.
    pub fn push_at(&self, time_delta_ms: i64, out: &mut Vec<u8>) {
        let mut time = Vec::with_capacity(varint::LONGEST);
        varint::push(time_delta_ms, &mut time);
        let bytes = 1 + time.len() + self.behind_time.len();
        varint::push(varint::length(bytes), out);
        out.push(self.attributes);
        out.extend_from_slice(&time);
        out.extend_from_slice(self.behind_time);
    }
}

/// The records of a section; `None` when it is not `count` whole records and nothing else.
#[must_use]
pub fn frames(mut section: &[u8], count: i32) -> Option<Vec<Frame<'_>>> {
    let mut frames = Vec::new();
    for _ in 0..count {
        frames.push(take_frame(&mut section)?);
    }
    section.is_empty().then_some(frames)
}

/// Takes the first record of a section.
pub fn take_frame<'a>(section: &mut &'a [u8]) -> Option<Frame<'a>> {
    let whole = *section;
    let body = varint::take_bytes(section)??;
    let bytes = whole.get(..whole.len() - section.len())?;
    let (&attributes, mut rest) = body.split_first()?;
    let time_delta_ms = varint::take(&mut rest)?;
    let behind_time = rest;
    let offset_delta = varint::take(&mut rest)?;
    let key = varint::take_bytes(&mut rest)?;
    let has_value = varint::take_bytes(&mut rest)?.is_some();
    Some(Frame { bytes, offset_delta, time_delta_ms, key, has_value, attributes, behind_time })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Record;
    use crate::stored::push_record;

    proptest! {
        #[test]
        fn what_was_encoded_is_taken_apart_and_moved_in_time(
            pairs: Vec<(Option<Vec<u8>>, Option<Vec<u8>>, i64)>, moved: i64,
        ) {
            let mut section = Vec::new();
            for (number, (key, value, time)) in pairs.iter().enumerate() {
                let record = Record { key: key.as_deref(), value: value.as_deref(), ..Record::default() };
                push_record(&record, (*time, i64::try_from(number).unwrap()), &[], &mut section);
            }
            let count = i32::try_from(pairs.len()).unwrap();
            let found = frames(&section, count).unwrap();
            let whole: Vec<u8> = found.iter().flat_map(|frame| frame.bytes.iter().copied()).collect();
            prop_assert_eq!(&whole, &section);
            let mut later = Vec::new();
            for (frame, (key, value, time)) in found.iter().zip(&pairs) {
                prop_assert_eq!((frame.key, frame.has_value), (key.as_deref(), value.is_some()));
                prop_assert_eq!(frame.time_delta_ms, *time);
                frame.push_at(time.wrapping_add(moved), &mut later);
            }
            let mut back = Vec::new();
            for frame in frames(&later, count).unwrap() {
                frame.push_at(frame.time_delta_ms.wrapping_sub(moved), &mut back);
            }
            prop_assert_eq!(back, section);
        }

        #[test]
        fn any_bytes_are_taken_apart_without_a_panic(section: Vec<u8>, count in 0..50) {
            if let Some(found) = frames(&section, count) {
                prop_assert_eq!(found.iter().map(|frame| frame.bytes.len()).sum::<usize>(), section.len());
            }
        }
    }
}
