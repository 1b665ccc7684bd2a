//! Bytes → lines: finds where lines end, strips CRLF, and cuts what is too long.
//!
//! There is no state between calls: what is not consumed is handed in again, with more behind it. A line is cut only
//! when its bytes prove that it is too long, so the pieces are the same however the bytes arrive.
//!
//! NUL and bytes that are not UTF-8 are kept; only the line feed, and one carriage return before it, are taken off.

use std::ops::Range;

/// Hands each line of `data` to `line`: where it is, and whether the next piece continues it.
///
/// Returns how many bytes are used up; the rest is a line without an end. A line longer than `length_max` bytes (the
/// line end not counted) is cut: every piece but its last has `length_max` bytes and is said to be continued.
/// `length_max` below 1 counts as 1.
#[inline]
pub fn split(data: &[u8], length_max: usize, mut line: impl FnMut(Range<usize>, bool)) -> usize {
    let length_max = length_max.max(1);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', data) {
        let content = end - usize::from(end > start && data.get(end - 1) == Some(&b'\r'));
        if content - start > length_max {
            cut(start..content, length_max, &mut line);
        } else {
            line(start..content, false);
        }
        start = end + 1;
    }
    // One byte more may be the carriage return of a line that just fits.
    while data.len() - start > length_max + 1 {
        line(start..start + length_max, true);
        start += length_max;
    }
    start
}

/// Hands the pieces of one line to `line`, each `length_max` bytes but the last.
pub fn cut(range: Range<usize>, length_max: usize, line: &mut impl FnMut(Range<usize>, bool)) {
    let mut start = range.start;
    while range.end - start > length_max {
        line(start..start + length_max, true);
        start += length_max;
    }
    line(start..range.end, false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pieces = Vec<(Vec<u8>, bool)>;

    fn whole(data: &[u8], length_max: usize) -> (Pieces, usize) {
        let mut pieces = Vec::new();
        let used = split(data, length_max, |range, more| pieces.push((data[range].to_vec(), more)));
        (pieces, used)
    }

    /// As a reader does: what is left is handed in again with the bytes of the next read.
    fn in_reads(data: &[u8], length_max: usize, cuts: &[usize]) -> (Pieces, usize) {
        let (mut pieces, mut used, mut end) = (Vec::new(), 0, 0);
        for step in cuts.iter().copied().chain([data.len()]) {
            end = (end + step).min(data.len());
            let (found, more) = whole(&data[used..end], length_max);
            pieces.extend(found);
            used += more;
        }
        (pieces, used)
    }

    #[test]
    fn line_ends_are_stripped_and_nothing_else() {
        let (pieces, used) = whole(b"one\r\n\ntwo\r\r\n\0\xff\nrest", 100);
        let values: Vec<&[u8]> = pieces.iter().map(|(value, _)| value.as_slice()).collect();
        assert_eq!(values, [&b"one"[..], b"", b"two\r", b"\0\xff"]);
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

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(b"ab\r\n\0\xff".to_vec()), 0..300)
    }

    proptest! {
        #[test]
        fn any_split_into_reads_gives_the_same_lines(
            data in text(),
            length_max in 1usize..12,
            cuts in prop::collection::vec(0usize..20, 0..60),
        ) {
            prop_assert_eq!(in_reads(&data, length_max, &cuts), whole(&data, length_max));
        }

        #[test]
        fn pieces_join_to_the_lines(data in text(), length_max in 1usize..12) {
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
