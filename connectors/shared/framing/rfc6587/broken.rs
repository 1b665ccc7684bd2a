//! Tests of streams in which one frame is broken.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::tests::read;

/// What is wrong with the one frame.
const FAULTS: [&str; 9] = [
    "in characters",
    "one too small",
    "much too small",
    "one too large",
    "much too large",
    "larger than all",
    "zero",
    "with a zero in front",
    "missing",
];

fn frame(message: &str, fault: &str) -> String {
    let bytes = message.len();
    let count = match fault {
        "in characters" => message.chars().count(),
        "one too small" => bytes - 1,
        "much too small" => bytes / 2,
        "one too large" => bytes + 1,
        "much too large" => bytes + 1000,
        "larger than all" => 900_000_000,
        "zero" => 0,
        "missing" => return message.to_owned(),
        "with a zero in front" => return format!("0{bytes} {message}"),
        _ => bytes,
    };
    format!("{count} {message}")
}

/// The stream in which the frame of number `broken` is so.
fn stream(messages: &[String], broken: usize, fault: &str, between: &str) -> Vec<u8> {
    let frames = messages.iter().enumerate().map(|(number, message)| {
        frame(message, if number == broken { fault } else { "none" }) + between
    });
    frames.collect::<String>().into_bytes()
}

fn values(seen: Vec<(Vec<u8>, bool)>) -> Vec<String> {
    seen.into_iter().map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

#[test]
fn one_wrong_count_of_two_hundred_costs_no_message() {
    let messages: Vec<String> = (0..200)
        .map(|number| format!("<14>1 - host app - - - grüße numéro {number}\nin two lines é"))
        .collect();
    for between in ["", "\n", "\r\n", "\0"] {
        for fault in FAULTS {
            for broken in [0, 1, 3, 198, 199] {
                let stream = stream(&messages, broken, fault, between);
                let seen = values(read(&[&stream], 65_536));
                let place = format!("{fault}, frame {broken}, {between:?} between");
                let whole = messages.iter().filter(|message| seen.contains(message)).count();
                assert!(whole >= 199, "{place}: {whole} of 200 whole");
                assert!(seen.len() <= 204, "{place}: {} frames", seen.len());
                let single: Vec<_> = stream.chunks(1).collect();
                assert!(values(read(&single, 65_536)) == seen, "{place}: cut");
            }
        }
    }
}

#[test]
fn a_wrong_count_is_put_right_by_the_next() {
    for (stream, expected) in [
        ("10 <13>né one8 <14>twoé5 <15>x", &["<13>né one", "<14>twoé", "<15>x"][..]),
        ("7 <13>one=77 <14>two5 <15>x", &["<13>one=7", "<14>two", "<15>x"]),
        ("20 <13>one7 <14>two5 <15>x", &["<13>one", "<14>two", "<15>x"]),
        ("7 <13>one0 <14>two5 <15>x", &["<13>one", "0 <14>two", "<15>x"]),
        ("7 <13>onejunk7 <14>two5 <15>x", &["<13>onejunk", "<14>two", "<15>x"]),
        ("x7 <13>one7 <14>two5 <15>x", &["x", "<13>one", "<14>two", "<15>x"]),
        ("<13>a 13 <13>b\n<13>c\n", &["<13>a 13 <13>b", "<13>c"]),
    ] {
        let seen = values(read(&[stream.as_bytes()], 1000));
        assert_eq!(seen, expected, "{stream:?}");
    }
}

#[test]
fn a_sender_that_always_counts_wrong_costs_no_byte_and_no_border() {
    let messages: Vec<String> =
        (0..200).map(|number| format!("<14>1 - host app - - - größe={number} müde")).collect();
    for fault in ["in characters", "one too small", "one too large", "much too small"] {
        let stream: String = messages.iter().map(|message| frame(message, fault)).collect();
        let seen = values(read(&[stream.as_bytes()], 65_536));
        let whole = messages.iter().filter(|message| seen.contains(message)).count();
        assert!(whole >= 199, "{fault}: {whole} of 200 whole");
        let single: Vec<_> = stream.as_bytes().chunks(1).collect();
        assert!(values(read(&single, 65_536)) == seen, "{fault}: cut");
    }
}

#[test]
fn a_right_count_is_believed_whatever_its_message_looks_like() {
    let relayed = "<13>relayed: 7 <13>one7 <14>two\n<15>x";
    let messages = vec![relayed.to_owned(); 3];
    assert_eq!(values(read(&[&stream(&messages, 9, "none", "")], 1000)), messages);
}

#[test]
fn no_kind_of_stream_becomes_another_for_good() {
    for (stream, expected) in [
        ("<13>a\0<b>\n<13>c\n<13>d\n", &["<13>a", "<b>", "<13>c", "<13>d"][..]),
        ("<13>a\nb\0<13>c\n<13>d\n", &["<13>a\nb", "<13>c", "<13>d"]),
        ("7 <13>one<14>two\n<15>x\n<16>y\n", &["<13>one", "<14>two", "<15>x", "<16>y"]),
        ("<13>one\n7 <14>two5 <15>x", &["<13>one", "<14>two", "<15>x"]),
        ("text\n7 <14>two5 <15>x", &["text", "<14>two", "<15>x"]),
        ("<13>a\0<13>b\x007 <14>two5 <15>x", &["<13>a", "<13>b", "<14>two", "<15>x"]),
    ] {
        let seen = values(read(&[stream.as_bytes()], 1000));
        assert_eq!(seen, expected, "{stream:?}");
        let single: Vec<_> = stream.as_bytes().chunks(1).collect();
        assert_eq!(values(read(&single, 1000)), expected, "{stream:?}");
    }
}

proptest! {
    #[test]
    fn all_frames_but_the_broken_ones_neighbours_are_whole(
        texts in vec("[a-z0-9 <>é\n]{0,40}", 2..12),
        broken in any::<Index>(),
        fault in select(FAULTS.to_vec()),
        between in select(vec!["", "\n"]),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let messages: Vec<String> = texts.iter().map(|text| format!("<14>{text}.")).collect();
        let broken = broken.index(messages.len());
        let stream = stream(&messages, broken, fault, between);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let seen = values(read(&parts, 65_536));
        prop_assert_eq!(&seen, &values(read(&[&stream], 65_536)));
        for (number, message) in messages.iter().enumerate() {
            let is_near = number.abs_diff(broken) < 2;
            prop_assert!(is_near || seen.contains(message), "{:?} in {:?}", message, seen);
        }
        let letters = |bytes: &[u8]| bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
        let kept: usize = read(&parts, 65_536).iter().map(|(bytes, _)| letters(bytes)).sum();
        prop_assert_eq!(kept, letters(messages.concat().as_bytes()));
    }
}
