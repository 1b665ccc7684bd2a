//! Tests of cutting bodies into records.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[test]
fn a_body_of_very_many_empty_records_is_refused() {
    let common = || Common {
        headers: Headers::new(),
        timestamp_ms: 0,
        stream: 0,
        key: None,
        pool: Pool::new(1, 1 << 20),
    };
    let most = |count: usize| Buffer::from(b"a\n".repeat(count));
    assert!(batches(most(RECORDS_MAX), Format::Lines, &common()).is_ok());
    assert!(batches(most(RECORDS_MAX + 1), Format::Lines, &common()).is_err());
}

fn common(key: Option<&str>) -> Common {
    Common {
        headers: Headers::new(),
        timestamp_ms: 0,
        stream: 0,
        key: key.map(|key| key.as_bytes().to_vec()),
        pool: Pool::new(2, 4 << 20),
    }
}

fn cut_up(body: &[u8], format: Format) -> Result<Vec<(String, bool)>, String> {
    let batches = batches(Buffer::from(body.to_vec()), format, &common(Some("k")));
    let batches = batches.map_err(|refusal| refusal.message)?;
    let mut seen = Vec::new();
    for batch in &batches {
        for record in batch.iter() {
            assert_eq!(record.key, Some(&b"k"[..]));
            let marked = record.headers.get("parse_error").is_some();
            seen.push((String::from_utf8_lossy(record.value.unwrap()).into_owned(), marked));
        }
    }
    Ok(seen)
}

fn check(body: &str, format: Format, expected: &[(&str, bool)]) {
    let expected = expected.iter().map(|(text, marked)| ((*text).to_owned(), *marked)).collect();
    assert_eq!(cut_up(body.as_bytes(), format), Ok(expected), "{body}");
}

#[test]
fn every_format_gives_its_records() {
    check(
        "{\"a\":1}\n\r\n{\"b\":2}\r\n [1] \n7\n{\"c\"\nno\n",
        Format::Ndjson,
        &[
            ("{\"a\":1}", false),
            ("{\"b\":2}", false),
            (" [1] ", false),
            ("7", false),
            ("{\"c\"", true),
            ("no", true),
        ],
    );
    check(
        " [ {\"a\": 1.50} , [2,3],\"x\", null ] \n",
        Format::Json,
        &[("{\"a\": 1.50}", false), ("[2,3]", false), ("\"x\"", false), ("null", false)],
    );
    check("\n{\"a\":\n1}\n", Format::Json, &[("{\"a\":\n1}", false)]);
    check("[]", Format::Json, &[]);
    check("one\r\n\ntwo", Format::Lines, &[("one", false), ("", false), ("two", false)]);
    check("a\nb\0", Format::Bytes, &[("a\nb\0", false)]);
    check("", Format::Ndjson, &[]);
    check("", Format::Lines, &[]);
}

#[test]
fn a_byte_order_mark_at_the_start_of_a_body_is_no_part_of_its_first_record() {
    let text = "\u{feff}{\"a\":1}\n{\"b\":2}\n";
    let both = [("{\"a\":1}", false), ("{\"b\":2}", false)];
    check(text, Format::Ndjson, &both);
    check(text, Format::Lines, &both);
    check("\u{feff}[{\"a\":1},{\"b\":2}]", Format::Json, &both);
    check("\u{feff}{}", Format::Bytes, &[("\u{feff}{}", false)]);
    assert_eq!(format(None, text.as_bytes()), Format::Ndjson);
}

#[test]
fn malformed_json_is_refused_with_its_place() {
    for (body, place) in [
        ("[{\"a\":1},\n {\"b\":}]", "line 2 column 7"),
        ("[1,2", "line 1 column 4"),
        ("[1] [2]", "line 1 column 5"),
        ("{\"a\":1}{\"b\":2}", "line 1 column 8"),
        ("\"text\"", "neither a JSON array nor an object"),
        ("", "neither a JSON array nor an object"),
    ] {
        let problem = cut_up(body.as_bytes(), Format::Json).unwrap_err();
        assert!(problem.contains(place), "{problem}");
        assert!(problem.contains("nothing was stored"), "{problem}");
    }
    assert!(cut_up(b"[\"\xff\"]", Format::Json).is_err());
}

#[test]
fn deep_values_are_cut_without_overflow() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let deep = format!("{}0{}", open.repeat(200_000), close.repeat(200_000));
        for format in [Format::Json, Format::Ndjson, Format::Lines, sniff(deep.as_bytes())] {
            assert_eq!(cut_up(deep.as_bytes(), format).unwrap().len(), 1);
        }
    }
}

#[test]
fn the_content_type_or_the_looks_decide() {
    for (content_type, body, expected) in [
        ("application/x-ndjson", "[", Format::Ndjson),
        ("application/JSONL; charset=utf-8", "", Format::Ndjson),
        ("application/json; charset=utf-8", "", Format::Json),
        ("text/plain", "{}", Format::Lines),
        ("application/octet-stream", "{}", Format::Bytes),
        ("", " \n{\"a\":1}\n", Format::Json),
        ("", "{\"a\":1}\n{\"b\":2}\n", Format::Ndjson),
        ("", "{\"a\":\n{}\n}", Format::Json),
        ("application/x-www-form-urlencoded", "[1,\n2]", Format::Json),
        ("", "[1]\n[2]", Format::Ndjson),
        ("", "plain\n{}", Format::Lines),
        ("", "", Format::Lines),
    ] {
        let seen = format(Some(content_type.as_bytes()), body.as_bytes());
        assert_eq!(seen, expected, "{content_type} {body}");
    }
}

#[test]
fn a_large_body_is_cut_at_borders_of_records() {
    let line = format!("{{\"text\":\"{}\"}}", "x".repeat(1000));
    let ndjson = format!("{line}\n").repeat(4000);
    let array = format!("[{}]", vec![line.as_str(); 4000].join(","));
    for (body, format) in [(ndjson, Format::Ndjson), (array, Format::Json)] {
        let batches = batches(Buffer::from(body.into_bytes()), format, &common(None)).unwrap();
        assert!(batches.len() > 3);
        assert!(batches.iter().all(|batch| batch.data().len() <= BATCH_BYTES));
        assert_eq!(batches.iter().map(Batch::len).sum::<usize>(), 4000);
        let whole =
            |batch: &Batch| batch.iter().all(|record| record.value == Some(line.as_bytes()));
        assert!(batches.iter().all(whole));
    }
    let long = vec![b'x'; 3 * BATCH_BYTES];
    assert_eq!(cut_up(&long, Format::Lines).unwrap().len(), 1);
}

proptest! {
    #[test]
    fn arbitrary_bodies_are_cut_or_refused(body in vec(any::<u8>(), 0..300)) {
        for format in [Format::Ndjson, Format::Json, Format::Lines, Format::Bytes, sniff(&body)] {
            drop(cut_up(&body, format));
        }
    }

    #[test]
    fn lines_come_back_as_they_were(lines in vec("[a-z {}\"\\[\\]]{0,20}", 0..50)) {
        let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let seen = cut_up(body.as_bytes(), Format::Lines).unwrap();
        prop_assert_eq!(seen.into_iter().map(|(line, _)| line).collect::<Vec<_>>(), lines);
    }
}
