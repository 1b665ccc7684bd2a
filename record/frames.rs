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
//! Varints are zigzag, lowest seven bits first. Source: Kafka documentation, "Record Format".

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
        let mut time = Vec::with_capacity(10);
        push(time_delta_ms, &mut time);
        let bytes = 1 + time.len() + self.behind_time.len();
        push(i64::try_from(bytes).unwrap_or(i64::MAX), out);
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

/// Appends a record without headers; `deltas` are those of time (ms) and offset.
#[cfg(test)]
pub fn push_record(
    (time_delta_ms, offset_delta): (i64, i64),
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    out: &mut Vec<u8>,
) {
    let mut body = vec![0];
    push(time_delta_ms, &mut body);
    push(offset_delta, &mut body);
    for bytes in [key, value] {
        push(bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap()), &mut body);
        body.extend_from_slice(bytes.unwrap_or_default());
    }
    push(0, &mut body);
    push(i64::try_from(body.len()).unwrap(), out);
    out.extend_from_slice(&body);
}

/// Takes the first record of a section.
pub fn take_frame<'a>(section: &mut &'a [u8]) -> Option<Frame<'a>> {
    let whole = *section;
    let body = take_bytes(section)??;
    let bytes = whole.get(..whole.len() - section.len())?;
    let (&attributes, mut rest) = body.split_first()?;
    let time_delta_ms = take(&mut rest)?;
    let behind_time = rest;
    let offset_delta = take(&mut rest)?;
    let key = take_bytes(&mut rest)?;
    let has_value = take_bytes(&mut rest)?.is_some();
    Some(Frame { bytes, offset_delta, time_delta_ms, key, has_value, attributes, behind_time })
}

fn push(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

fn take(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    None
}

#[expect(clippy::option_option, reason = "damage and null are two answers")]
fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = take(bytes)?;
    let Ok(length) = usize::try_from(length) else {
        return (length == -1).then_some(None);
    };
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(Some(head))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_encoded_is_taken_apart_and_moved_in_time(
            pairs: Vec<(Option<Vec<u8>>, Option<Vec<u8>>, i64)>, moved: i64,
        ) {
            let mut section = Vec::new();
            for (number, (key, value, time)) in pairs.iter().enumerate() {
                let deltas = (*time, i64::try_from(number).unwrap());
                push_record(deltas, key.as_deref(), value.as_deref(), &mut section);
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
