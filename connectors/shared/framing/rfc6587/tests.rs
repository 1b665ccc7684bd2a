//! Tests of the framing of syslog streams.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn drain(framer: &mut Framer, data: &mut Vec<u8>, seen: &mut Vec<(Vec<u8>, bool)>) {
    while let Some(frame) = framer.next(data) {
        seen.push((data[frame.range].to_vec(), frame.continued));
    }
    data.drain(..framer.consume());
}

pub(super) fn read(parts: &[&[u8]], message_max: usize) -> Vec<(Vec<u8>, bool)> {
    let mut framer = Framer::new(message_max);
    let (mut data, mut seen) = (Vec::new(), Vec::new());
    for part in parts {
        data.extend_from_slice(part);
        drain(&mut framer, &mut data, &mut seen);
    }
    while let Some(frame) = framer.finish(&data) {
        seen.push((data[frame.range].to_vec(), frame.continued));
    }
    seen
}

fn check(stream: &str, expected: &[&str]) {
    let seen = read(&[stream.as_bytes()], 1000);
    let seen: Vec<_> = seen.iter().map(|(bytes, _)| String::from_utf8_lossy(bytes)).collect();
    assert_eq!(seen, expected, "{stream:?}");
}

#[test]
fn a_connection_shows_its_framing_with_its_first_bytes() {
    check("<13>one\n<14>two\n", &["<13>one", "<14>two"]);
    check("<13>one\r\n<14>two\r\n", &["<13>one", "<14>two"]);
    check("7 <13>one8 <14>two\n5 <15>x", &["<13>one", "<14>two", "<15>x"]);
    check("8 <13>a\nb\n7 <14>two", &["<13>a\nb", "<14>two"]);
    check("7 <13>one\n7 <14>two\n", &["<13>one", "<14>two"]);
    check("<12>py: multi\nline\0<12>two\nlines\0", &["<12>py: multi\nline", "<12>two\nlines"]);
    check("<12>one\0<12>two\0", &["<12>one", "<12>two"]);
    check("<13>a\0b\n<13>c\0d\n", &["<13>a\0b", "<13>c\0d"]);
    check("hello\nworld\n\n\nagain", &["hello", "world", "again"]);
    check("<13>trace:\n  at a\n  at b\n<13>x\n", &["<13>trace:", "  at a", "  at b", "<13>x"]);
    check("<13>lone\n", &["<13>lone"]);
    check("<13>lone", &["<13>lone"]);
    check("\n\n<13>a\n<13>b\n", &["<13>a", "<13>b"]);
}

#[test]
fn what_looks_like_a_count_and_is_none_keeps_its_bytes() {
    check("2026-11-20 hello\nworld\n", &["2026-11-20 hello", "world"]);
    check("7 <13>one99x <14>two\n<15>three\n", &["<13>one", "99x <14>two", "<15>three"]);
    check("100 <13>cut short", &["<13>cut short"]);
    check("12", &["12"]);
}

#[test]
fn a_lone_message_does_not_wait_for_the_next_one() {
    for (stream, expected) in
        [("<13>one\n", "<13>one"), ("<12>one\ntwo\0", "<12>one\ntwo"), ("x\ny\0", "x")]
    {
        let mut framer = Framer::new(100);
        let first = framer.next(stream.as_bytes());
        let settled = first.or_else(|| {
            assert!(framer.settle(stream.as_bytes()));
            framer.next(stream.as_bytes())
        });
        assert_eq!(&stream.as_bytes()[settled.unwrap().range], expected.as_bytes());
    }
    let mut framer = Framer::new(100);
    assert!(framer.settle(b"<13>half") && framer.next(b"<13>half").is_none());
    assert!(!framer.settle(b"<13>half"));
}

#[test]
fn lines_taken_for_nul_by_a_pause_find_their_framing_again() {
    let mut framer = Framer::new(100);
    let (mut data, mut seen) = (b"<12>multi\n".to_vec(), Vec::new());
    assert_eq!(framer.next(&data), None);
    assert!(framer.settle(&data));
    drain(&mut framer, &mut data, &mut seen);
    data.extend_from_slice(b"line\0<12>two\nlines\0<12>x\0");
    drain(&mut framer, &mut data, &mut seen);
    let seen: Vec<_> = seen.iter().map(|(bytes, _)| String::from_utf8_lossy(bytes)).collect();
    assert_eq!(seen, ["<12>multi", "line", "<12>two\nlines", "<12>x"]);
}

#[test]
fn a_message_longer_than_the_limit_comes_in_marked_pieces() {
    for stream in ["<13>4567890abc\n<13>x\n", "14 <13>4567890abc5 <13>x", "<13>4567890abc\0<13>x\0"]
    {
        let seen = read(&[stream.as_bytes()], 10);
        let expected = [("<13>456789", true), ("0abc", false), ("<13>x", false)];
        let seen: Vec<_> =
            seen.iter().map(|(bytes, more)| (str::from_utf8(bytes).unwrap(), *more)).collect();
        assert_eq!(seen, expected, "{stream:?}");
    }
    let exact = read(&[b"<13>456789\n<13>x\n"], 10);
    assert_eq!(exact[0], (b"<13>456789".to_vec(), false));
}

#[test]
fn a_delimiter_right_at_the_limit_is_found_however_the_stream_is_split() {
    for stream in
        ["x\n12345\0<13>z\n", "<2345\0<3>\0", "<2345\n<3>\n", "<13>\0<\0", "x\n12345\r\ny\n"]
    {
        let single: Vec<_> = stream.as_bytes().chunks(1).collect();
        assert_eq!(read(&single, 5), read(&[stream.as_bytes()], 5), "{stream:?}");
    }
    let seen = read(&[b"x\n12345\0<3>z\0"], 5);
    let seen: Vec<_> = seen.iter().map(|(bytes, more)| (bytes.as_slice(), *more)).collect();
    assert_eq!(seen, [(&b"x"[..], false), (b"12345", false), (b"<3>z", false)]);
}

/// Messages of a stream that pauses after each of `parts`.
fn read_with_pauses(parts: &[&[u8]]) -> Vec<String> {
    let mut framer = Framer::new(1000);
    let (mut data, mut seen) = (Vec::new(), Vec::new());
    for part in parts {
        data.extend_from_slice(part);
        drain(&mut framer, &mut data, &mut seen);
        if framer.settle(&data) {
            drain(&mut framer, &mut data, &mut seen);
        }
    }
    while let Some(frame) = framer.finish(&data) {
        seen.push((data[frame.range].to_vec(), frame.continued));
    }
    seen.into_iter().map(|(bytes, _)| String::from_utf8(bytes).unwrap()).collect()
}

#[test]
fn a_pause_within_a_counted_message_is_not_its_end_wherever_it_comes() {
    let message = |number: usize| {
        let filler = "7 <13>ab 12 <14>1 2026- ".repeat(number);
        format!("<13>1 2026-11-28T00:00:00Z host app - - - {filler}{number}")
    };
    let messages: Vec<_> = (0..12).map(message).collect();
    let framed = messages.iter().map(|message| format!("{} {message}", message.len()));
    let stream = framed.collect::<String>().into_bytes();
    for first in 0..stream.len() {
        for second in [first + 1, first + 2, first + 9, first + 30] {
            let second = second.min(stream.len());
            let parts = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(read_with_pauses(&parts), messages, "cut at {first} and {second}");
        }
    }
}

/// Streams made of what makes a difference.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let parts = ["<", "<13>", "\n", "\0", "\r\n", "7 <13>abc", "3 <1", "0", "12", " ", "word"];
    vec(proptest::sample::select(parts.to_vec()), 0..40).prop_map(|parts| parts.concat().into())
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_messages(
        stream in stream(),
        cuts in vec(any::<proptest::sample::Index>(), 0..8),
        message_max in 1usize..40,
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let whole = read(&[&stream], message_max);
        let text = String::from_utf8_lossy(&stream);
        prop_assert!(read(&parts, message_max) == whole, "{:?} by {:?}", text, parts);
        let single: Vec<_> = stream.chunks(1).collect();
        prop_assert!(read(&single, message_max) == whole, "{:?}", text);
    }

    #[test]
    fn no_byte_but_delimiters_and_counts_is_lost(stream in stream(), message_max in 1usize..40) {
        let text = |bytes: &[u8]| bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let seen = read(&[&stream], message_max);
        prop_assert_eq!(seen.iter().map(|(bytes, _)| text(bytes)).sum::<usize>(), text(&stream));
        prop_assert!(seen.iter().all(|(bytes, _)| bytes.len() <= message_max));
    }

    #[test]
    fn arbitrary_bytes_end(stream in vec(any::<u8>(), 0..500)) {
        read(&[&stream], 64);
    }
}
