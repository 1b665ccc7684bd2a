//! Records of a batch as they were pushed.

use crate::{Amount, Batch, Buffer, Headers, Record};

#[test]
fn records_are_borrowed_with_common_and_own_headers() {
    let headers = Headers::new().with("host", b"web-1");
    let mut batch = Batch::new(Buffer::from(b"one\ntwo\n".to_vec()), headers, 5, 1);
    batch.push(0..3);
    batch.push(4..7);
    batch.set_header("severity", b"err");
    batch.set_header("facility", b"kern");
    batch.set_key(b"k");
    batch.set_timestamp_ms(9);
    batch.push_copy(b"three");
    batch.set_null_value();
    let seen: Vec<_> = batch.iter().collect();
    assert_eq!(seen[0].value, Some(&b"one"[..]));
    assert_eq!((seen[0].header_count, seen[0].timestamp_ms, seen[0].key), (1, 5, None));
    assert_eq!(seen[1].value, Some(&b"two"[..]));
    assert_eq!((seen[1].header_count, seen[1].timestamp_ms), (3, 9));
    assert_eq!(seen[1].key, Some(&b"k"[..]));
    assert_eq!(seen[1].headers.get("severity"), Some(&b"err"[..]));
    assert_eq!(seen[1].headers.get("facility"), Some(&b"kern"[..]));
    assert_eq!(seen[1].headers.get("host"), Some(&b"web-1"[..]));
    assert_eq!(seen[2].value, None);
    assert!(batch.has_keys());
    let bytes = seen.iter().map(Record::payload_bytes).sum();
    assert_eq!(batch.amount(), Amount::new(3, bytes));
}

#[test]
fn encoded_headers_stand_beside_those_that_are_set_by_name() {
    let mut batch = Batch::new(Buffer::from(b"ab".to_vec()), Headers::new(), 0, 0);
    batch.push(0..1);
    let encoded = Headers::new().with("one", b"1").with("two", b"2");
    batch.set_encoded_headers(encoded.bytes(), encoded.count());
    batch.set_header("three", b"3");
    batch.push(1..2);
    batch.set_header("four", b"4");
    let seen: Vec<_> = batch
        .iter()
        .map(|record| record.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
        .collect();
    assert_eq!(seen, [vec!["one", "two", "three"], vec!["four"]]);
    assert_eq!(batch.iter().map(|record| record.header_count).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn a_span_outside_the_buffer_is_cut_to_it() {
    let mut batch = Batch::new(Buffer::from(b"abc".to_vec()), Headers::new(), 0, 0);
    batch.push(1..99);
    batch.push(50..99);
    let values: Vec<_> = batch.iter().map(|record| record.value.unwrap().to_vec()).collect();
    assert_eq!(values, [b"bc".to_vec(), b"".to_vec()]);
}
