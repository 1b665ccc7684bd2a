//! What devices put on the wire, from `devices.txt`, and what no message may lose.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::calendar::Received;
use super::parse::parse;
use super::parsed::Parsed;

fn received() -> Received {
    Received::at("2026-11-20T18:30:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// From whom it is, the message, where its text begins, and the fields.
fn devices() -> Vec<(&'static str, String, usize, &'static str)> {
    let blocks = include_str!("devices.txt").split("\n\n").skip(1);
    let device = |block: &'static str| {
        let mut lines = block.lines();
        let name = lines.next().unwrap().strip_prefix("# ").unwrap();
        let message = lines.next().unwrap();
        let message = message.replace("\\t", "\t").replace("\\n", "\n").replace("\\b", "\u{feff}");
        let text_at = message.find('¦').unwrap();
        (name, message.replacen('¦', "", 1), text_at, lines.next().unwrap())
    };
    blocks.map(device).collect()
}

/// Time, host, program, process and message id.
fn show(parsed: &Parsed<'_>) -> String {
    let text = |field: Option<&[u8]>| {
        field.map_or("-".to_owned(), |field| String::from_utf8_lossy(field).into_owned())
    };
    let time = parsed
        .timestamp_ms
        .map_or("-".to_owned(), |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string());
    let fields = [parsed.hostname, parsed.appname, parsed.procid, parsed.msgid].map(text);
    format!("{time} {}", fields.join(" "))
}

#[test]
fn what_devices_send_has_the_fields_that_their_vendors_document() {
    let devices = devices();
    let mut wrong = Vec::new();
    for (name, message, text_at, expected) in &devices {
        let parsed = parse(message.as_bytes(), received());
        let text = message.get(parsed.message_at..).unwrap_or("(no text)");
        if show(&parsed) != *expected || parsed.message_at != *text_at {
            let expected_text = message.get(*text_at..).unwrap();
            wrong.push(format!(
                "{name}:\n  {}\n  {expected}\n  {text:?}\n  {expected_text:?}",
                show(&parsed)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), devices.len(), wrong.join("\n"));
    assert!(devices.len() > 150, "{}", devices.len());
}

#[test]
fn the_numbers_of_cisco_are_kept_as_they_stand() {
    for (message, expected) in [
        ("<189>42: *Mar  1 18:46:11: %SYS-5-CONFIG_I: x", "42"),
        ("<189>87: 000084: Nov 20 18:17:27: %SYS-5-CONFIG_I: x", "87: 000084"),
        ("<189>42: %SYS-5-CONFIG_I: x", "42"),
    ] {
        let parsed = parse(message.as_bytes(), received());
        assert_eq!(parsed.sequence, Some(expected.as_bytes()), "{message}");
    }
    assert_eq!(parse(b"<13>Nov 20 18:17:27 vm app: 1: x", received()).sequence, None);
}

/// What is neither in the text nor in a field, of what stands before the text.
fn lost(message: &[u8], parsed: &Parsed<'_>) -> String {
    let mut head = String::from_utf8_lossy(&message[..parsed.message_at]).into_owned();
    let mut fields = [
        parsed.structured_data,
        parsed.hostname,
        parsed.procid,
        parsed.msgid,
        parsed.appname,
        parsed.sequence,
    ]
    .map(|field| String::from_utf8_lossy(field.unwrap_or_default()).into_owned());
    // A short one may stand in a long one: a host `-` in `%SYS-5-X`.
    fields.sort_by_key(|field| std::cmp::Reverse(field.len()));
    for field in fields {
        let at = head.rfind(&field).unwrap_or_else(|| panic!("{field:?} stands before the text"));
        head.replace_range(at..at + field.len(), "");
    }
    head
}

/// Whether all of it is priority, time and what stands between fields.
fn is_frame(lost: &str) -> bool {
    let words = ["Message forwarded from", "Forwarded from"];
    let lost = words.iter().fold(lost.to_owned(), |lost, word| lost.replace(word, ""));
    let letters =
        lost.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty());
    lost.len() < 60 && letters.clone().count() <= 4 && letters.clone().all(|word| word.len() <= 8)
}

fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "<13>",
        "<34> ",
        "Nov 20 18:17:27",
        "2026-11-20T18:17:27",
        "2026 ",
        "Z",
        "+0000",
        " UTC",
        " ",
        "  ",
        ":",
        ": ",
        "*",
        "42: ",
        "web01",
        "app",
        "[12]",
        "CEF:0|a|b",
        "a=b",
        "1,2",
        "\t",
        "\n",
        "%SYS-5-X: ",
        "text",
        "\"",
        "{",
        "é",
        "1 ",
        "- ",
        "[a b=\"c\"]",
    ];
    select(pieces.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn no_byte_behind_the_header_is_missing(pieces in vec(piece(), 0..14)) {
        let message = pieces.concat();
        let parsed = parse(message.as_bytes(), received());
        prop_assert!(message.is_char_boundary(parsed.message_at));
        if !parsed.is_5424 {
            let lost = lost(message.as_bytes(), &parsed);
            prop_assert!(is_frame(&lost), "{:?} of {:?}", lost, message);
        }
    }

    #[test]
    fn a_word_without_colon_or_bracket_stays_in_the_text(word in "[a-zA-Z0-9|=,.{}\"-]{1,20}", text in ".{0,40}") {
        let message = format!("<13>Nov 20 18:17:27 host {word} {text}");
        let parsed = parse(message.as_bytes(), received());
        prop_assert_eq!(parsed.appname, None);
        prop_assert_eq!(message.get(parsed.message_at..).unwrap(), format!("{word} {text}"));
        let lone = format!("<13>{word} {text}");
        prop_assume!(!text.trim_start().starts_with('%') && word != "1");
        prop_assert_eq!(parse(lone.as_bytes(), received()).message_at, 4);
    }
}
