//! How far a file has been read, and the hashes that prove it.
//!
//! The stored value, integers little-endian:
//!
//! | bytes | field                                                            |
//! |-------|------------------------------------------------------------------|
//! |   1   | version, 3; version 1 has no earlier offsets, 2 no text          |
//! |   8   | offset: everything before it is read                             |
//! |   4   | length of the head, at most 4096 bytes and at most the offset    |
//! |   8   | XXH3 of the head                                                 |
//! |   4   | length of the tail, the bytes just before the offset, at most 4096 |
//! |   8   | XXH3 of the tail                                                 |
//! |   1   | before the offset is: 0 a line's end, 1 a part of a line, 2 NUL at a line's start |
//! |   8   | when its path was last seen to lead to it, ms since the Unix epoch |
//! |   1   | number of earlier offsets                                        |
//! | 16 each | an offset that was passed, XXH3 of at most 4096 bytes before it |
//! |   8   | names its text: another one after each truncation, a copy's is its original's |
//! |   2   | length of the path                                               |
//! |   …   | path that its records are known by                               |
//! |   …   | path where it was last seen, links resolved                      |
//!
//! Invariant: an offset is used only after the bytes of the file have proved both hashes.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::shared::framing::byte_order_mark;
use crate::shared::framing::lines::Before;

/// Longest head and longest tail that are hashed, bytes.
pub(super) const PROOF_MAX: usize = 4096;

/// Most earlier offsets that are stored.
pub(super) const PASSED_MAX: usize = 3;

const VERSION: u8 = 3;

/// An offset with its proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// Everything before it is read.
    pub(super) offset: u64,
    head_length: u32,
    head_hash: u64,
    /// Bytes before the offset that are hashed.
    pub(super) tail_length: u32,
    tail_hash: u64,
    /// What stands before the offset.
    pub(super) before: Before,
}

impl Mark {
    /// The mark `used` bytes behind this one; `bytes` are those of the file from this one's tail on.
    pub(super) fn advance(&self, bytes: &[u8], used: usize) -> Self {
        let end = (self.tail_length as usize + used).min(bytes.len());
        let read = bytes.get(..end).unwrap_or_default();
        let tail = read.get(end.saturating_sub(PROOF_MAX)..).unwrap_or_default();
        let mut next = Self {
            offset: self.offset + used as u64,
            tail_length: length(tail),
            tail_hash: xxh3_64(tail),
            before: before(self.offset + used as u64, tail),
            ..*self
        };
        if self.offset == u64::from(self.tail_length) && (self.head_length as usize) < PROOF_MAX {
            let head = read.get(..end.min(PROOF_MAX)).unwrap_or_default();
            next.head_length = length(head);
            next.head_hash = xxh3_64(head);
        }
        next
    }

    /// A mark that was passed on the way to this one, by its offset and the hash of what is before that.
    fn passed(&self, offset: u64, tail_hash: u64) -> Self {
        let most = u32::try_from(PROOF_MAX).unwrap_or(u32::MAX);
        let tail_length = u32::try_from(offset).map_or(most, |offset| offset.min(most));
        let (head_length, head_hash) = match tail_length < self.head_length {
            // All that is before it.
            true => (tail_length, tail_hash),
            false => (self.head_length, self.head_hash),
        };
        Self { offset, head_length, head_hash, tail_length, tail_hash, before: Before::Part }
    }

    /// Whether `tail` is what was before the offset.
    pub(super) fn fits(&self, tail: &[u8]) -> bool {
        tail.len() == self.tail_length as usize
            && (tail.is_empty() || xxh3_64(tail) == self.tail_hash)
    }

    /// Whether the bytes of `file` prove this mark: its head and what is before the offset.
    pub(super) fn proved_by(&self, file: &File) -> bool {
        let head = read_at(file, 0, self.head_length as usize);
        if head.len() != self.head_length as usize || xxh3_64(&head) != self.head_hash {
            return self.offset == 0;
        }
        let length = self.tail_length as usize;
        self.fits(&read_at(file, self.offset - u64::from(self.tail_length), length))
    }

    /// The mark at `offset` of `file`, from its bytes.
    pub(super) fn at(file: &File, offset: u64) -> Self {
        let most = usize::try_from(offset).unwrap_or(usize::MAX).min(PROOF_MAX);
        let head = read_at(file, 0, most);
        let tail = read_at(file, offset - most as u64, most);
        Self {
            offset,
            head_length: length(&head),
            head_hash: xxh3_64(&head),
            tail_length: length(&tail),
            tail_hash: xxh3_64(&tail),
            before: before(offset, &tail),
        }
    }
}

/// How far `copy`, of `size` bytes, is read, when its original was read to `mark` by way of those in `passed`.
///
/// That is as far as the original was, or to the copy's end, if the original has grown and was read on after that.
pub(super) fn read_in(
    copy: &File,
    size: u64,
    mark: &Mark,
    passed: impl Iterator<Item = Mark>,
) -> Option<Mark> {
    if mark.offset == 0 {
        return None;
    }
    if size >= mark.offset {
        return mark.proved_by(copy).then_some(*mark);
    }
    let below = passed.filter(|one| one.offset <= size).max_by_key(|one| one.offset)?;
    below.proved_by(copy).then(|| Mark::at(copy, size))
}

/// What is stored of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// How far it is read.
    pub(super) mark: Mark,
    /// Some marks that it has passed.
    pub(super) passed: Vec<Mark>,
    /// When its path was last seen to lead to it, ms since the Unix epoch.
    pub(super) seen_ms: i64,
    /// Names its text; `None` where an earlier version has stored it.
    pub(super) text: Option<u64>,
    /// Path that its records are known by.
    pub(super) path: PathBuf,
    /// Where it was last seen, links resolved.
    pub(super) place: PathBuf,
}

impl Value {
    /// The stored form.
    pub(super) fn encode(
        mark: &Mark,
        passed: &[Mark],
        (seen_ms, text): (i64, u64),
        path: &Path,
        place: &Path,
    ) -> Vec<u8> {
        let (path, place) = (path.as_os_str().as_bytes(), place.as_os_str().as_bytes());
        let mut out = Vec::with_capacity(53 + 16 * PASSED_MAX + path.len() + place.len());
        out.push(VERSION);
        out.extend(mark.offset.to_le_bytes());
        out.extend(mark.head_length.to_le_bytes());
        out.extend(mark.head_hash.to_le_bytes());
        out.extend(mark.tail_length.to_le_bytes());
        out.extend(mark.tail_hash.to_le_bytes());
        out.push(match mark.before {
            Before::LineEnd => 0,
            Before::Part => 1,
            Before::Nuls => 2,
        });
        out.extend(seen_ms.to_le_bytes());
        let passed = passed.get(..PASSED_MAX).unwrap_or(passed);
        out.push(u8::try_from(passed.len()).unwrap_or(0));
        for mark in passed {
            out.extend(mark.offset.to_le_bytes());
            out.extend(mark.tail_hash.to_le_bytes());
        }
        out.extend(text.to_le_bytes());
        out.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(path);
        out.extend(place);
        out
    }

    /// Reads the stored form; `None` when it is damaged or of another version.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (version, rest) = value.split_first()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (head_length, rest) = rest.split_first_chunk()?;
        let (head_hash, rest) = rest.split_first_chunk()?;
        let (tail_length, rest) = rest.split_first_chunk()?;
        let (tail_hash, rest) = rest.split_first_chunk()?;
        let (before, rest) = rest.split_first()?;
        let (seen_ms, rest) = rest.split_first_chunk()?;
        let (count, mut rest) = if *version == 1 { (&0, rest) } else { rest.split_first()? };
        let mut earlier = Vec::new();
        for _ in 0..*count {
            let (offset, more) = rest.split_first_chunk()?;
            let (hash, more) = more.split_first_chunk()?;
            earlier.push((u64::from_le_bytes(*offset), u64::from_le_bytes(*hash)));
            rest = more;
        }
        let (text, rest) = match *version {
            1 | 2 => (None, rest),
            _ => rest
                .split_first_chunk()
                .map(|(text, rest)| (Some(u64::from_le_bytes(*text)), rest))?,
        };
        let (path_length, rest) = rest.split_first_chunk()?;
        let (path, place) = rest.split_at_checked(u16::from_le_bytes(*path_length).into())?;
        let mark = Mark {
            offset: u64::from_le_bytes(*offset),
            head_length: u32::from_le_bytes(*head_length),
            head_hash: u64::from_le_bytes(*head_hash),
            tail_length: u32::from_le_bytes(*tail_length),
            tail_hash: u64::from_le_bytes(*tail_hash),
            before: match before {
                1 => Before::Part,
                2 => Before::Nuls,
                _ => Before::LineEnd,
            },
        };
        let longest = mark.head_length.max(mark.tail_length);
        let passed = earlier.into_iter().map(|(offset, hash)| mark.passed(offset, hash)).collect();
        let sound = (1..=VERSION).contains(version)
            && longest as usize <= PROOF_MAX
            && u64::from(longest) <= mark.offset;
        let as_path = |bytes| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
        sound.then(|| Self {
            mark,
            passed,
            seen_ms: i64::from_le_bytes(*seen_ms),
            text,
            path: as_path(path),
            place: as_path(place),
        })
    }
}

/// Up to `most` bytes of `file` from `offset`; fewer at its end or when it cannot be read.
pub(super) fn read_at(file: &File, offset: u64, most: usize) -> Vec<u8> {
    let mut data = Vec::new();
    if most > 0 {
        let _ended = fill_at(file, offset, most, &mut data).unwrap_or(true);
    }
    data
}

/// Appends up to `most` bytes of `file` from `offset` to `data`, and says whether the file ended there.
///
/// # Errors
/// What the system said; what was read before it is in `data`.
pub(super) fn fill_at(
    file: &File,
    offset: u64,
    most: usize,
    data: &mut Vec<u8>,
) -> Result<bool, rustix::io::Errno> {
    let begin = data.len();
    let end = begin + most;
    data.reserve_exact(most);
    while data.len() < end {
        let at = offset + (data.len() - begin) as u64;
        let asked = data.capacity() - data.len();
        match rustix::io::pread(file, rustix::buffer::spare_capacity(data), at) {
            // A regular file gives less than was asked for only at its end.
            Ok(got) if got < asked => {
                let ended = data.len() <= end;
                data.truncate(end);
                return Ok(ended);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause),
        }
    }
    data.truncate(end);
    Ok(false)
}

/// What stands before an offset, by the bytes before it: nothing, if they are just the mark that the file begins with.
fn before(offset: u64, tail: &[u8]) -> Before {
    let is_mark = tail == byte_order_mark::UTF8 && offset == tail.len() as u64;
    if is_mark { Before::LineEnd } else { Before::after(tail) }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file
    }

    /// The mark after reading `bytes` in steps.
    fn in_steps(bytes: &[u8], steps: &[usize]) -> Mark {
        let mut mark = Mark::default();
        for step in steps {
            let at = usize::try_from(mark.offset).unwrap();
            let from = at - mark.tail_length as usize;
            mark = mark.advance(&bytes[from..], (*step).min(bytes.len() - at));
        }
        mark
    }

    proptest! {
        #[test]
        fn a_mark_is_the_same_however_it_was_reached_and_is_proved_by_its_file(
            bytes in prop::collection::vec(any::<u8>(), 0..10_000),
            steps in prop::collection::vec(0usize..6_000, 0..5),
        ) {
            let mark = in_steps(&bytes, &steps);
            let file = file_of(&bytes);
            prop_assert!(mark.proved_by(&file));
            if mark.offset > 0 {
                prop_assert_eq!(Mark::at(&file, mark.offset), mark);
                let mut other = bytes.clone();
                other[usize::try_from(mark.offset).unwrap() - 1] ^= 1;
                prop_assert!(!mark.proved_by(&file_of(&other)));
                other.truncate(usize::try_from(mark.offset).unwrap() - 1);
                prop_assert!(!mark.proved_by(&file_of(&other)));
            }
            let passed = [in_steps(&bytes, &steps[..steps.len() / 2])];
            let value = Value::encode(&mark, &passed, (7, 8), Path::new("/a/b"), Path::new("/c"));
            let back = Value::decode(&value).unwrap();
            prop_assert_eq!((back.mark, back.seen_ms, back.text), (mark, 7, Some(8)));
            prop_assert!(back.passed[0].proved_by(&file));
            prop_assert_eq!(back.passed[0].offset, passed[0].offset);
            prop_assert_eq!((back.path, back.place), (PathBuf::from("/a/b"), PathBuf::from("/c")));
        }

        #[test]
        fn any_bytes_are_a_value_or_are_not(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _value = Value::decode(&bytes);
        }
    }
}
