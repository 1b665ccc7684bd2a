//! Places are written with a batch and read from the hub.

use std::sync::Arc;

use proptest::prelude::*;

use crate::origin::Origin;
use crate::places::{MARK, read};
use crate::stored::{Cut, Topic, push_record};
use crate::{Batch, Buffer, Headers, StoredBatch, header, varint};

/// Batches as one of the hub, each with its position on the last record.
fn store(batches: &[(Batch, Option<Vec<u8>>)]) -> StoredBatch {
    let (mut data, mut count) = (Vec::new(), 0);
    for (batch, position) in batches {
        for (index, record) in batch.iter().enumerate() {
            let is_last = index + 1 == batch.len();
            let mut extra = Vec::new();
            if let Some(position) = position.as_ref().filter(|_| is_last) {
                header::push(MARK, Some(position), &mut extra);
            }
            push_record(&record, (0, count), &extra, &mut data);
            count += 1;
        }
    }
    StoredBatch {
        topic: Arc::new(Topic { name: "t".into(), id: "hub.t".into() }),
        partition: 0,
        epoch: 0,
        base_offset: 100,
        next_offset: 100 + count,
        base_timestamp_ms: 0,
        append_timestamp_ms: None,
        count: u32::try_from(count).unwrap(),
        data: data.into(),
        places: std::sync::OnceLock::new(),
        cut: Cut::default(),
    }
}

fn position(batch: &Batch) -> Vec<u8> {
    let mut value = Vec::new();
    for field in ["s", "key", "value"] {
        varint::push_bytes(Some(field.as_bytes()), &mut value);
    }
    varint::push_bytes(batch.places("s").as_deref(), &mut value);
    value
}

fn lines(text: &[u8], base: u64) -> Batch {
    let mut batch = Batch::new(Buffer::from(text.to_vec()), Headers::new(), 0, 0);
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.trim_ascii_end().len();
        batch.push(at..end);
        at += line.len();
    }
    batch.set_origin(Origin { text: 7, base });
    batch
}

#[test]
fn a_line_that_is_read_again_elsewhere_is_the_same_line() {
    let text = b"one\ntwo\r\n\nfour\n";
    let first = lines(text, 0);
    let (other, same) = (lines(b"zero\n", 0), lines(&text[4..], 4));
    let placed = |batch: Batch| {
        let position = position(&batch);
        (batch, Some(position))
    };
    let one = store(&[placed(first)]);
    let mut plain = lines(b"syslog\n", 0);
    plain.set_position(crate::Position { key: Vec::new(), value: None });
    let two = store(&[(plain, None), placed(same), placed(other)]);
    let ids = |batch: &StoredBatch| batch.iter().map(|one| one.id()).collect::<Vec<_>>();
    let (one, two) = (ids(&one), ids(&two));
    assert_eq!(one[1..], two[1..4]);
    assert_eq!(two[0], "hub.t-0-0-100");
    assert_ne!(one[0], two[4], "other bytes at the same place are another line");
    assert!(one.iter().all(|id| id.len() <= 80), "{one:?}");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        records in prop::collection::vec((0usize..20, 0usize..3), 1..40),
        base in 0u64..1 << 40,
    ) {
        let mut batch = Batch::new(Buffer::from(vec![b'x'; 2000]), Headers::new(), 0, 0);
        let (mut at, mut expected) = (0, Vec::new());
        for (length, gap) in &records {
            batch.push(at..at + length);
            expected.push(base + at as u64);
            at += length + gap;
        }
        batch.set_origin(Origin { text: 9, base });
        let value = position(&batch);
        let stored = store(&[(batch, Some(value))]);
        let places = stored.known_places();
        let found: Vec<u64> =
            (0..records.len()).map(|index| places.get(index).unwrap().1).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_header_is_read_without_a_panic(bytes: Vec<u8>, lengths in prop::collection::vec(0usize..9, 0..9)) {
        let mut header = Vec::new();
        for _ in 0..3 {
            varint::push_bytes(Some(b"x"), &mut header);
        }
        varint::push_bytes(Some(&bytes), &mut header);
        let mut starts = Vec::new();
        let _read = read(&header, &lengths, &mut starts);
        prop_assert!(starts.len() <= lengths.len());
    }
}
