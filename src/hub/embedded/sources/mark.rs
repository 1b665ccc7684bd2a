//! What the last record of a part carries for the hub, as a header: whose the records up to it are, how far their
//! source has read with them, and how many its emitter has handed on.
//!
//! | part of the header's value | content                                                       |
//! |----------------------------|---------------------------------------------------------------|
//! | source                     | length and bytes                                              |
//! | key of the position        | length and bytes; -1 when the records have no position         |
//! | the position               | length and bytes; -1 forgets the key                           |
//! | where the records are      | length and bytes ([`anabranch_record::origin`]); absent in batches of older versions, as is what follows |
//! | handed on                  | records, bytes                                                |
//! | not stored                 | records, bytes; what the source was handed back in all         |
//! | dropped                    | a count, and for each reason length and bytes, records in all  |
//!
//! All numbers are varints. The last two are there only when one of them is not zero. Parts without a position that
//! follow each other in a batch and are of one source share a mark.

use anabranch_connectors::contract::counters::Account;
use anabranch_record::{Amount, Batch, header, varint};

/// Name of the header.
pub(super) use anabranch_record::places::MARK as NAME;

/// More reasons than any source has.
const REASONS_MAX: i64 = 1000;

/// A mark, as it stands in a header.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark<'a> {
    pub(crate) source: &'a str,
    /// Key and value of the position.
    pub(super) position: Option<(&'a [u8], Option<&'a [u8]>)>,
    /// What was handed on; unknown in batches of older versions.
    pub(crate) claimed: Option<Amount>,
    /// What was handed back and left out in all, if there is any; nothing else in it counts.
    pub(super) rest: Account,
}

/// The header of a part with these records; `claimed` is what was handed on with it and the parts before that share it.
pub(crate) fn encode(
    source: &str,
    batch: &Batch,
    claimed: Amount,
    account: Option<&Account>,
) -> Vec<u8> {
    let position = batch.position();
    let mut value = Vec::new();
    varint::push_bytes(Some(source.as_bytes()), &mut value);
    varint::push_bytes(position.map(|position| position.key.as_slice()), &mut value);
    varint::push_bytes(position.and_then(|position| position.value.as_deref()), &mut value);
    varint::push_bytes(batch.places(source).as_deref(), &mut value);
    push_amount(claimed, &mut value);
    let has_rest =
        |account: &&Account| account.not_stored != Amount::NONE || !account.dropped.is_empty();
    if let Some(account) = account.filter(has_rest) {
        push_amount(account.not_stored, &mut value);
        varint::push(varint::length(account.dropped.len()), &mut value);
        for (reason, records) in &account.dropped {
            varint::push_bytes(Some(reason.as_bytes()), &mut value);
            push_number(*records, &mut value);
        }
    }
    let mut encoded = Vec::new();
    header::push(NAME, Some(&value), &mut encoded);
    encoded
}

/// Bytes of the whole header with such a value.
pub(super) fn size(value: &[u8]) -> u64 {
    let part = |length: usize| varint::size(varint::length(length)) + length;
    (part(NAME.len()) + part(value.len())) as u64
}

/// Reads a mark; `None` when it is damaged.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Mark<'_>> {
    let source = str::from_utf8(varint::take_bytes(&mut bytes)??).ok()?;
    let key = varint::take_bytes(&mut bytes)?;
    let value = varint::take_bytes(&mut bytes)?;
    let position = key.map(|key| (key, value));
    let mut mark = Mark { source, position, ..Mark::default() };
    if bytes.is_empty() {
        return Some(mark);
    }
    varint::take_bytes(&mut bytes)?;
    mark.claimed = Some(take_amount(&mut bytes)?);
    if !bytes.is_empty() {
        mark.rest.not_stored = take_amount(&mut bytes)?;
        let reasons = varint::take(&mut bytes)?;
        for _ in 0..reasons.min(REASONS_MAX) {
            let reason = str::from_utf8(varint::take_bytes(&mut bytes)??).ok()?;
            mark.rest.leave_out(reason, take_number(&mut bytes)?);
        }
    }
    Some(mark)
}

fn push_amount(Amount { records, bytes }: Amount, out: &mut Vec<u8>) {
    push_number(records, out);
    push_number(bytes, out);
}

fn push_number(number: u64, out: &mut Vec<u8>) {
    varint::push(i64::try_from(number).unwrap_or(i64::MAX), out);
}

fn take_amount(bytes: &mut &[u8]) -> Option<Amount> {
    Some(Amount::new(take_number(bytes)?, take_number(bytes)?))
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    u64::try_from(varint::take(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_record::Position;
    use proptest::prelude::*;

    fn value(header: &[u8]) -> &[u8] {
        let headers = header::HeadersRef { common: header, own: &[] };
        headers.get(NAME).unwrap()
    }

    proptest! {
        #[test]
        fn a_mark_comes_back(
            source in "[a-z:]{0,20}", key: Option<Vec<u8>>, position: Option<Vec<u8>>,
            numbers in proptest::array::uniform4(0u64..1 << 60), dropped in 0u64..1 << 60,
        ) {
            let whole = key.map(|key| Position { key, value: position });
            let (claimed, not_stored) =
                (Amount::new(numbers[0], numbers[1]), Amount::new(numbers[2], numbers[3]));
            let mut account = Account { not_stored, ..Account::default() };
            if dropped > 0 {
                account.leave_out("nul", dropped);
            }
            let mut batch = Batch::default();
            if let Some(position) = whole.clone() {
                batch.set_position(position);
            }
            let header = encode(&source, &batch, claimed, Some(&account));
            let mark = decode(value(&header)).unwrap();
            prop_assert_eq!(size(value(&header)), header.len() as u64);
            let expected = whole.as_ref().map(|at| (at.key.as_slice(), at.value.as_deref()));
            prop_assert_eq!((mark.source, mark.position), (source.as_str(), expected));
            prop_assert_eq!((mark.claimed, mark.rest), (Some(claimed), account));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let _any = decode(&bytes);
        }
    }

    #[test]
    fn a_position_of_an_older_version_claims_nothing() {
        let mut old = Vec::new();
        for part in [&b"app"[..], b"key", b"9"] {
            varint::push_bytes(Some(part), &mut old);
        }
        let mark = decode(&old).unwrap();
        assert_eq!((mark.position, mark.claimed), (Some((&b"key"[..], Some(&b"9"[..]))), None));
    }
}
