//! A record of one batch, in another.

use crate::{Batch, Record};

/// Appends a copy of `record` to `batch`: key, value and time as they are, and `headers`, also those without a value.
///
/// Headers are given apart from the record because most who copy leave some out: those that are common to a batch stay
/// where they are, and the program's own are for nobody else.
pub fn copy_record<'a>(
    record: &Record<'_>,
    headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
    batch: &mut Batch,
) {
    batch.push_copy(record.value.unwrap_or_default());
    if record.value.is_none() {
        batch.set_null_value();
    }
    if let Some(key) = record.key {
        batch.set_key(key);
    }
    for (name, value) in headers {
        batch.copy_header(name, value);
    }
    batch.set_timestamp_ms(record.timestamp_ms);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, Headers};

    #[test]
    fn a_copy_is_the_record_with_its_nulls() {
        let mut batch = Batch::new(Buffer::default(), Headers::new(), 5, 0);
        batch.push_copy(b"");
        batch.set_null_value();
        batch.copy_header("none", None);
        batch.copy_header("empty", Some(b""));
        batch.push_copy(b"v");
        batch.set_key(b"");
        batch.set_timestamp_ms(-7);
        let mut copies = Batch::new(Buffer::default(), Headers::new(), 0, 0);
        for record in batch.iter() {
            copy_record(&record, record.headers.iter_all(), &mut copies);
        }
        let shown =
            |batch: &Batch| batch.iter().map(|record| format!("{record:?}")).collect::<Vec<_>>();
        assert_eq!(shown(&copies), shown(&batch));
        let first = copies.iter().next().unwrap();
        let headers: Vec<_> = first.headers.iter().collect();
        assert_eq!(headers, [("none", None), ("empty", Some(&b""[..]))]);
    }
}
