//! Where reading goes on behind damage.
//!
//! What a batch holds comes from senders, who may put well-formed batches into it; so content never poses as structure.
//! Three things are believed, in this order:
//!
//! 1. *The damaged batch's own head*, as far as it fits: it begins at the offset that is expected, and where it says
//!    that it ends a batch begins. Batches whose damage leaves their heads in order are passed over one by one in this
//!    way.
//! 2. *The index*, which the writer made: a batch begins at each of its entries.
//! 3. *A chain*: good batches whose offsets follow each other, up to the end of the segment or to an entry of the
//!    index, beginning at an offset that the bytes passed over could hold. A batch within another one's content is no
//!    such chain: behind it comes the rest of that content.

use crate::log::LogError;
use crate::log::segment::Segment;
use crate::log::segment::index::Index;
use crate::wire::{BatchHeader, HEADER_BYTES};

/// Offsets that a damaged byte can stand for at most: records of one byte, compressed as well as can be.
const OFFSETS_A_BYTE: i64 = 4096;

/// Where damage is.
#[derive(Clone, Copy)]
pub(crate) struct Damaged<'a> {
    /// In which segment.
    pub(crate) segment: &'a Segment,
    /// Where in it the damaged batch begins.
    pub(crate) place: u64,
    /// The offset at which the damaged batch begins, where that is known.
    pub(crate) base: Option<i64>,
    /// The first offset that is not read yet: the damaged batch's own, or a later one.
    pub(crate) offset: i64,
    /// What is known of the segment's borders beside its own index.
    pub(crate) hint: Option<&'a Index>,
}

/// The place of the next good batch behind damage and its base offset; `None` when the segment has none. It may begin
/// before the offset that is not read yet only where the damaged batch does.
///
/// # Errors
/// [`LogError`] when the file cannot be read.
pub(crate) fn resync(damaged: Damaged<'_>) -> Result<Option<(u64, i64)>, LogError> {
    if let Some(found) = by_heads(damaged)? {
        return Ok(Some(found));
    }
    let Damaged { segment, place, offset, hint, .. } = damaged;
    let border = segment
        .look_up(|index| index.border_behind(place, offset))
        .or_else(|| hint.and_then(|index| index.border_behind(place, offset)))
        .filter(|border| border.place < segment.size_bytes());
    let end = border.map_or(segment.size_bytes(), |border| border.place);
    let mut rest = Vec::new();
    let left = end.saturating_sub(place);
    segment.read_at(place, usize::try_from(left).unwrap_or(usize::MAX), &mut rest)?;
    let chain = by_chain(&rest, offset, border.map(|border| border.offset));
    let found = chain.map(|(at, base)| (place + at as u64, base));
    Ok(found.or_else(|| border.map(|border| (border.place, border.offset))))
}

/// Follows the heads of damaged batches to the first whole one.
fn by_heads(damaged: Damaged<'_>) -> Result<Option<(u64, i64)>, LogError> {
    let Damaged { segment, mut place, base, offset, .. } = damaged;
    let mut head = Vec::new();
    segment.read_at(place, HEADER_BYTES, &mut head)?;
    let Ok(header) = BatchHeader::parse(&head) else { return Ok(None) };
    // No sum covers the base offset; where it alone is wrong, the length is right.
    let is_first = match base {
        Some(base) => header.base_offset == base,
        None => header.base_offset <= offset,
    };
    if !is_first && !whole(segment, place, &header)? {
        return Ok(None);
    }
    let first = base.unwrap_or(header.base_offset);
    place += header.size_bytes as u64;
    // The length led here, so the first batch behind it may begin at any later offset, the others only at the next.
    let mut expected = None;
    loop {
        head.clear();
        segment.read_at(place, HEADER_BYTES, &mut head)?;
        let Ok(header) = BatchHeader::parse(&head) else { return Ok(None) };
        let follows = match expected {
            Some(expected) => header.base_offset == expected,
            None => header.base_offset > first,
        };
        if !follows || header.next_offset() <= header.base_offset {
            return Ok(None);
        }
        if whole(segment, place, &header)? {
            return Ok(Some((place, header.base_offset)));
        }
        expected = Some(header.next_offset());
        place += header.size_bytes as u64;
    }
}

/// Whether the batch at `place`, which has this head, is there with its sum right.
fn whole(segment: &Segment, place: u64, header: &BatchHeader) -> Result<bool, LogError> {
    if header.size_bytes as u64 > segment.size_bytes().saturating_sub(place) {
        return Ok(false);
    }
    let mut batch = Vec::new();
    segment.read_at(place, header.size_bytes, &mut batch)?;
    Ok(BatchHeader::verify(&batch).is_ok())
}

/// The first batch in `rest` with which a chain begins that ends where `rest` does, at the offset `end` if that is
/// known; its place, and its base offset.
fn by_chain(rest: &[u8], offset: i64, end: Option<i64>) -> Option<(usize, i64)> {
    (1..rest.len()).find_map(|at| {
        let candidate = rest.get(at..)?;
        if candidate.get(16) != Some(&2) {
            return None;
        }
        let header = BatchHeader::parse(candidate).ok()?;
        let bytes = i64::try_from(at).unwrap_or(i64::MAX);
        let most = offset.saturating_add(bytes.saturating_mul(OFFSETS_A_BYTE));
        let fits = header.base_offset >= offset && header.base_offset <= most;
        (fits && is_chain(candidate, end)).then_some((at, header.base_offset))
    })
}

/// Whether `bytes` are whole good batches whose offsets follow each other, up to `end` if that is known.
fn is_chain(mut bytes: &[u8], end: Option<i64>) -> bool {
    let mut expected = None;
    while !bytes.is_empty() {
        match BatchHeader::verify(bytes) {
            Ok(header) if expected.is_none_or(|expected| header.base_offset == expected) => {
                expected = Some(header.next_offset());
                bytes = bytes.get(header.size_bytes..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    end.is_none_or(|end| expected == Some(end))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;
    use std::sync::Arc;

    use crate::log::{Partition, Read, Reader, Settings};
    use crate::wire::{Builder, Codec, HEADER_BYTES, Stamp, batch_header};
    use anabranch_record::TopicPartition;

    /// A batch of `count` records whose bytes are `content`, as they lie.
    fn batch(content: &[u8], count: i32) -> Vec<u8> {
        let (mut builder, mut out) = (Builder::new(Codec::None, None), Vec::new());
        builder.begin(&mut out);
        builder.records().extend_from_slice(content);
        let producer = (-1, -1, -1);
        let stamp = Stamp { base_timestamp_ms: 1, max_timestamp_ms: 2, count, producer };
        builder.finish(stamp, &mut out).unwrap();
        out
    }

    /// What a sender makes who wants `content` to be taken for batches at `offset`.
    fn posing(offset: i64, count: i32) -> Vec<u8> {
        let mut inner = batch(b"invented", count);
        batch_header::place(inner.first_chunk_mut::<HEADER_BYTES>().unwrap(), offset, 0);
        inner
    }

    fn opened(folder: &std::path::Path, point: i64) -> (Arc<Partition>, crate::log::Recovered) {
        let name = TopicPartition { topic: "t".into(), partition: 0 };
        let settings = Settings { segment_bytes: 1 << 20 };
        let (partition, found) = Partition::open(folder, name, settings, point).unwrap();
        (Arc::new(partition), found)
    }

    /// The base offsets that are read, and the ranges that are lost.
    fn read(partition: &Arc<Partition>, from: i64) -> (Vec<i64>, Vec<(i64, i64)>) {
        let mut reader = Reader::new(Arc::clone(partition), from);
        let (mut bases, mut lost) = (Vec::new(), Vec::new());
        loop {
            match reader.read().unwrap() {
                Read::Batch(header, _) => bases.push(header.base_offset),
                Read::Damage(damage) => lost.push((damage.from, damage.to)),
                Read::End => return (bases, lost),
            }
        }
    }

    fn damage(folder: &std::path::Path, at: u64, bytes: &[u8]) {
        let path = folder.join("00000000000000000000.log");
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(bytes, at).unwrap();
    }

    #[test]
    fn a_batch_within_a_damaged_one_is_not_invented_and_what_follows_is_there() {
        let plain = batch(b"plain", 1).len() as u64;
        let poses = [
            posing(1_000_000_000, 2),
            posing(10, 2),
            [posing(10, 1), posing(11, 1)].concat(),
            [b"some text ".to_vec(), posing(9, 1), b" and more".to_vec()].concat(),
            // It ends where the batch around it ends, at the offset that comes next.
            [b"text ".to_vec(), posing(4, 1), posing(5, 1)].concat(),
        ];
        // In its sum, its content, its base offset, its latest time, its last offset.
        for at in [17, 70, 7, 40, 26] {
            for pose in &poses {
                let folder = tempfile::tempdir().unwrap();
                let (partition, _) = opened(folder.path(), 0);
                for _ in 0..4 {
                    partition.append(&batch(b"plain", 1), 0).unwrap();
                }
                partition.append(&batch(pose, 2), 0).unwrap();
                for _ in 0..47 {
                    partition.append(&batch(b"plain", 1), 0).unwrap();
                }
                partition.flush().unwrap();
                drop(partition);
                damage(folder.path(), plain * 4 + at, &[0xA5]);
                let (again, found) = opened(folder.path(), 53);
                assert_eq!((again.end(), found.torn, found.lost), (53, None, None));
                let (bases, lost) = read(&again, 0);
                assert_eq!(lost, [(4, 6)], "at {at}");
                assert_eq!(bases, (0..4).chain(6..53).collect::<Vec<_>>());
                assert_eq!(found.gaps.len(), 1);
                assert_eq!((found.gaps[0].from, found.gaps[0].to), (4, 6));
            }
        }
    }

    #[test]
    fn behind_a_head_that_is_gone_reading_goes_on_with_the_next_batch() {
        let folder = tempfile::tempdir().unwrap();
        let (partition, _) = opened(folder.path(), 0);
        let large = batch(&[7; 2000], 3);
        for _ in 0..200 {
            partition.append(&large, 0).unwrap();
        }
        partition.flush().unwrap();
        let size = large.len() as u64;
        // Two heads are gone, and one batch between them is damaged in its content.
        damage(folder.path(), size * 5, &[0; 512]);
        damage(folder.path(), size * 150, &[0; 512]);
        damage(folder.path(), size * 152 + 100, &[1; 4]);
        // The writer of this life knows the borders; the next one by the hint that it has left.
        partition.store_hints();
        for partition in [&partition, &opened(folder.path(), 600).0] {
            // Between a head that is gone and the next border one more damaged batch takes its neighbours.
            assert_eq!(read(partition, 0).1, [(15, 18), (450, 459)]);
        }
    }

    #[test]
    fn damage_before_what_is_asked_for_costs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (partition, _) = opened(folder.path(), 0);
        for _ in 0..10 {
            partition.append(&batch(b"plain", 2), 0).unwrap();
        }
        damage(folder.path(), batch(b"plain", 2).len() as u64 * 3 + 65, b"X");
        assert_eq!(read(&partition, 13), (vec![12, 14, 16, 18], vec![]));
        assert_eq!(read(&partition, 7), (vec![8, 10, 12, 14, 16, 18], vec![(7, 8)]));
    }
}
