//! Bytes → lines: finds where lines end, strips CRLF, cuts what is too long, leaves out what is no text.
//!
//! There is no state between calls but what stands before the next byte ([`Before`]): what is not consumed is handed in
//! again, with more behind it. A line is cut only when its bytes prove that it is too long, so the pieces are the same
//! however the bytes arrive.
//!
//! Runs of NUL at a line's start are left out: nobody writes them, they are what a hole in a file reads as (a file that
//! was truncated under its writer, space that was set aside, a power cut). A line of nothing else is none. A run is
//! passed only when something follows it. So is a whole piece of NUL inside of a line that is too long. All other NUL,
//! and bytes that are not UTF-8, are kept; only the line feed, and one carriage return before it, are taken off.

use std::ops::Range;

/// What stands before a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Before {
    /// The end of a line, or nothing.
    #[default]
    LineEnd,
    /// NUL at the start of a line.
    Nuls,
    /// A part of the line.
    Part,
}

impl Before {
    /// What stands before the byte that follows `bytes`, as far as these tell.
    #[must_use]
    pub fn after(bytes: &[u8]) -> Self {
        let line = bytes.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        match line.len() {
            0 => Self::LineEnd,
            length if nuls(line) == length => Self::Nuls,
            _ => Self::Part,
        }
    }
}

/// How lines are made.
#[derive(Debug, Clone, Copy)]
pub struct Lines {
    /// Longest record, bytes; below 1 counts as 1.
    pub length_max: usize,
    /// Whether NUL at a line's start is kept, for text in which it is a part of letters.
    pub keeps_nuls: bool,
}

/// What became of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// So many are used up; the rest is a line without an end, or NUL that nothing follows yet.
    pub bytes: usize,
    /// What stands before the rest.
    pub before: Before,
    /// Runs and pieces of NUL that were left out.
    pub left_out: u64,
    /// Whether the rest is NUL that nothing follows yet.
    pub is_blank: bool,
}

impl Lines {
    /// Hands each line of `data` to `line`: where it is, and whether the next piece continues it.
    ///
    /// A line longer than `length_max` bytes (its end not counted) is cut: every piece but its last has `length_max`
    /// bytes and is said to be continued.
    #[inline]
    pub fn split(
        self,
        data: &[u8],
        before: Before,
        mut line: impl FnMut(Range<usize>, bool),
    ) -> Used {
        let length_max = self.length_max.max(1);
        let mut used = Used { before, ..Used::default() };
        let mut ends = memchr::memchr_iter(b'\n', data);
        while self.skip_nuls(data, &mut used) {
            let start = used.bytes;
            let Some(end) = ends.next() else {
                // One byte more may be the carriage return of a line that just fits.
                while data.len() - used.bytes > length_max + 1 {
                    let piece = used.bytes..used.bytes + length_max;
                    hand_on(data, (piece, true), &mut used, &mut line);
                }
                break;
            };
            let content = end - usize::from(end > start && data.get(end - 1) == Some(&b'\r'));
            if content - start > length_max {
                cut(start..content, length_max, &mut |piece, more| {
                    hand_on(data, (piece, more), &mut used, &mut line);
                });
            } else if used.before == Before::Part {
                hand_on(data, (start..content, false), &mut used, &mut line);
            } else if content > start || used.before == Before::LineEnd {
                line(start..content, false);
            }
            (used.bytes, used.before) = (end + 1, Before::LineEnd);
        }
        used
    }

    /// Hands on what [`Lines::split`] left as if it were a line, but for a carriage return that may belong to its end.
    pub fn flush(
        self,
        data: &[u8],
        mut used: Used,
        mut line: impl FnMut(Range<usize>, bool),
    ) -> Used {
        let rest = data.get(used.bytes..).unwrap_or_default();
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        if !rest.is_empty() && self.skip_nuls(data, &mut used) {
            cut(used.bytes..used.bytes + rest.len(), self.length_max.max(1), &mut |piece, more| {
                hand_on(data, (piece, more), &mut used, &mut line);
            });
        }
        used
    }

    /// Passes NUL at a line's start; whether what follows may be looked at.
    fn skip_nuls(self, data: &[u8], used: &mut Used) -> bool {
        let rest = data.get(used.bytes..).unwrap_or_default();
        if used.before == Before::Part || rest.first() != Some(&0) || self.keeps_nuls {
            return true;
        }
        let run = nuls(rest);
        used.is_blank = run == rest.len();
        if used.is_blank {
            return false;
        }
        used.left_out += u64::from(used.before != Before::Nuls);
        used.bytes += run;
        used.before = Before::Nuls;
        true
    }
}

/// Hands a piece of a line on, unless there is nothing in it.
fn hand_on(
    data: &[u8],
    (piece, more): (Range<usize>, bool),
    used: &mut Used,
    line: &mut impl FnMut(Range<usize>, bool),
) {
    let bytes = data.get(piece.clone()).unwrap_or_default();
    (used.bytes, used.before) = (piece.end, Before::Part);
    match bytes.first() {
        None => {}
        Some(0) if nuls(bytes) == bytes.len() => used.left_out += 1,
        Some(_) => line(piece, more),
    }
}

/// Hands the pieces of one line to `line`, each `length_max` bytes but the last.
fn cut(range: Range<usize>, length_max: usize, line: &mut impl FnMut(Range<usize>, bool)) {
    let mut start = range.start;
    while range.end - start > length_max {
        line(start..start + length_max, true);
        start += length_max;
    }
    line(start..range.end, false);
}

/// How many NUL `data` begins with.
#[must_use]
pub fn nuls(data: &[u8]) -> usize {
    let whole: usize = data.chunks(64).take_while(|block| is_nul(block)).map(<[u8]>::len).sum();
    let rest = data.get(whole..).unwrap_or_default();
    whole + rest.iter().take_while(|byte| **byte == 0).count()
}

/// How many NUL `data` ends with.
#[must_use]
pub fn nuls_at_end(data: &[u8]) -> usize {
    let whole: usize = data.rchunks(64).take_while(|block| is_nul(block)).map(<[u8]>::len).sum();
    let rest = data.get(..data.len() - whole).unwrap_or_default();
    whole + rest.iter().rev().take_while(|byte| **byte == 0).count()
}

/// Without a branch for each byte, so that the processor looks at many at once.
fn is_nul(block: &[u8]) -> bool {
    block.iter().fold(0, |any, byte| any | byte) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pieces = Vec<(Vec<u8>, bool)>;

    fn pieces(data: &[u8], before: Before, length_max: usize) -> (Pieces, Used) {
        let (mut pieces, lines) = (Vec::new(), Lines { length_max, keeps_nuls: false });
        let used =
            lines.split(data, before, |range, more| pieces.push((data[range].to_vec(), more)));
        (pieces, used)
    }

    fn whole(data: &[u8], length_max: usize) -> (Pieces, usize) {
        let (pieces, used) = pieces(data, Before::LineEnd, length_max);
        (pieces, used.bytes)
    }

    /// As a reader does: what is left is handed in again with the bytes of the next read.
    fn in_reads(data: &[u8], length_max: usize, cuts: &[usize]) -> (Pieces, Used) {
        let (mut all, mut used, mut end) = (Vec::new(), Used::default(), 0);
        for step in cuts.iter().copied().chain([data.len()]) {
            end = (end + step).min(data.len());
            let (found, more) = pieces(&data[used.bytes..end], used.before, length_max);
            all.extend(found);
            used.bytes += more.bytes;
            used.before = more.before;
            used.left_out += more.left_out;
            used.is_blank = more.is_blank;
        }
        (all, used)
    }

    #[test]
    fn nul_at_the_start_of_a_line_is_left_out_and_elsewhere_it_stays() {
        let data = b"\0\0one\n\0\r\ntwo\0\n\0\n\nx\0y\n\0\0\0";
        let (lines, used) = pieces(data, Before::LineEnd, 100);
        let values: Vec<&[u8]> = lines.iter().map(|(value, _)| value.as_slice()).collect();
        assert_eq!(values, [&b"one"[..], b"two\0", b"", b"x\0y"]);
        let bytes = data.len() - 3;
        let wanted = Used { bytes, before: Before::LineEnd, left_out: 3, is_blank: true };
        assert_eq!(used, wanted);
        let (lines, used) = pieces(b"\0\0ab", Before::Nuls, 100);
        let wanted = Used { bytes: 2, before: Before::Nuls, ..Used::default() };
        assert_eq!((lines, used), (vec![], wanted));
        let long = [&b"ab"[..], &[0; 10], b"c\n"].concat();
        let (lines, used) = pieces(&long, Before::LineEnd, 4);
        let wanted = [(b"ab\0\0".to_vec(), true), (b"c".to_vec(), false)];
        assert_eq!((lines, used.left_out), (wanted.to_vec(), 2));
        let (lengths, kept) = (&mut Vec::new(), Lines { length_max: 9, keeps_nuls: true });
        kept.split(b"\0a\0\n", Before::LineEnd, |range, _| lengths.push(range.len()));
        assert_eq!(*lengths, [3]);
    }

    #[test]
    fn line_ends_are_stripped_and_nothing_else() {
        let (pieces, used) = whole(b"one\r\n\ntwo\r\r\n\xff\0\nrest", 100);
        let values: Vec<&[u8]> = pieces.iter().map(|(value, _)| value.as_slice()).collect();
        assert_eq!(values, [&b"one"[..], b"", b"two\r", b"\xff\0"]);
        assert_eq!(used, 15);
    }

    #[test]
    fn a_line_of_just_the_limit_is_not_cut_even_with_a_carriage_return() {
        assert_eq!(whole(b"abcd\r\n", 4).0, [(b"abcd".to_vec(), false)]);
        assert_eq!(whole(b"abcd\r", 4), (vec![], 0));
        assert_eq!(whole(b"abcdef", 4), (vec![(b"abcd".to_vec(), true)], 4));
        let cut = vec![(b"abcd".to_vec(), true), (b"e".to_vec(), false)];
        assert_eq!(whole(b"abcde\r\n", 4).0, cut);
    }

    #[test]
    fn nul_is_counted_at_both_ends_whatever_its_length() {
        for length in [0, 1, 63, 64, 65, 200] {
            let zeros = vec![0; length];
            assert_eq!((nuls(&zeros), nuls_at_end(&zeros)), (length, length));
            let both = [&zeros[..], b"a\0b", &zeros].concat();
            assert_eq!((nuls(&both), nuls_at_end(&both)), (length, length));
        }
    }

    fn text(letters: &[u8]) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(letters.to_vec()), 0..300)
    }

    proptest! {
        #[test]
        fn any_split_into_reads_gives_the_same_lines(
            data in text(b"ab\r\n\0\0\0\xff"),
            length_max in 1usize..12,
            cuts in prop::collection::vec(0usize..20, 0..60),
        ) {
            let wanted = pieces(&data, Before::LineEnd, length_max);
            prop_assert_eq!(in_reads(&data, length_max, &cuts), wanted);
        }

        #[test]
        fn pieces_join_to_the_lines(data in text(b"ab\r\n\xff"), length_max in 1usize..12) {
            let (pieces, used) = whole(&data, length_max);
            let mut lines = vec![Vec::new()];
            for (piece, continued) in pieces {
                prop_assert!(piece.len() <= length_max);
                prop_assert!(!continued || piece.len() == length_max);
                lines.last_mut().unwrap().extend(piece);
                if !continued {
                    lines.push(Vec::new());
                }
            }
            let open = lines.pop().unwrap();
            let end = data.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let ended: Vec<_> = data[..end]
                .split_inclusive(|byte| *byte == b'\n')
                .map(|line| line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).unwrap())
                .map(<[u8]>::to_vec)
                .collect();
            prop_assert_eq!(lines, ended);
            prop_assert_eq!(open, data[end..used].to_vec());
        }

        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(any::<u8>(), 0..500), max in 0usize..9) {
            let (_, used) = whole(&data, max);
            prop_assert!(used <= data.len());
        }
    }
}
