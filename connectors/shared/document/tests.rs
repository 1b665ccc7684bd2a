//! Records in, documents out.

use std::sync::Arc;

use anabranch_record::testing::{store, stored};
use anabranch_record::{Batch, Headers, StoredBatch};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Codec, Encoder, push_id};

fn record(value: &[u8], headers: &[(&str, &str)]) -> Arc<StoredBatch> {
    let common = headers
        .iter()
        .fold(Headers::new(), |headers, (name, value)| headers.with(name, value.as_bytes()));
    let mut batch = Batch::new(Vec::new().into(), common, 1000, 0);
    batch.push_copy(value);
    store(&batch)
}

fn text(batch: &StoredBatch) -> String {
    let mut out = Vec::new();
    Encoder::new(Codec::Json).push(&batch.iter().next().unwrap(), &mut out);
    String::from_utf8(out).unwrap()
}

fn document(value: &[u8], headers: &[(&str, &str)]) -> Value {
    let text = text(&record(value, headers));
    serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text}"))
}

#[test]
fn a_line_becomes_a_message_with_its_time_and_its_place() {
    assert_eq!(
        text(&record(b"a \"b\"\n", &[("host", "h"), ("path", "/var/log/x")])),
        concat!(
            r#"{"@timestamp":"1970-01-01T00:00:01.000Z","message":"a \"b\"\n","host":{"name":"h"},"#,
            r#""log":{"file":{"path":"/var/log/x"}},"event":{"id":"hub.t-2-1-10","dataset":"t"}}"#,
        )
    );
}

#[test]
fn headers_of_syslog_have_their_names_in_the_schema() {
    let whole = b"<34>1 - web su 12 ID47 - it failed";
    let headers = [
        ("peer", "10.0.0.1:514"),
        ("syslog.facility", "auth"),
        ("syslog.severity", "2"),
        ("syslog.hostname", "web"),
        ("syslog.appname", "su"),
        ("syslog.procid", "12"),
        ("syslog.msgid", "ID47"),
        ("syslog.structured_data", "[a b=\"c\"]"),
        ("syslog.version", "1"),
        ("syslog.message_at", "25"),
    ];
    let document = document(whole, &headers);
    assert_eq!(document["message"], "it failed");
    assert_eq!(document["event"]["original"], str::from_utf8(whole).unwrap());
    assert_eq!(
        document["log"]["syslog"],
        json!({"facility": {"name": "auth"}, "severity": {"code": 2}, "hostname": "web", "appname": "su",
            "procid": "12", "msgid": "ID47", "structured_data": "[a b=\"c\"]", "version": "1"})
    );
    assert_eq!(document["source"], json!({"address": "10.0.0.1", "ip": "10.0.0.1", "port": 514}));
}

#[test]
fn a_peer_without_a_port_or_an_address_keeps_its_words() {
    let source = |peer| document(b"x", &[("peer", peer)])["source"].clone();
    assert_eq!(source("[::1]:6514"), json!({"address": "::1", "ip": "::1", "port": 6514}));
    assert_eq!(source("::1"), json!({"address": "::1", "ip": "::1"}));
    assert_eq!(source("/run/log"), json!({"address": "/run/log"}));
}

#[test]
fn a_message_that_begins_behind_the_end_is_the_whole_value() {
    let document = document(b"abc", &[("syslog.message_at", "4")]);
    assert_eq!(
        (&document["message"], &document["event"]["original"]),
        (&json!("abc"), &Value::Null)
    );
}

#[test]
fn other_headers_are_labels_and_the_last_of_a_name_counts() {
    let headers = [("a.b", "1"), ("env", "x"), ("a_b", "2"), ("__anabranch.p", "z"), ("env", "y")];
    assert_eq!(document(b"x", &headers)["labels"], json!({"a_b": "2", "env": "y"}));
    assert_eq!(document(b"x", &[("", "1"), (" ", "2")])["labels"], json!({"_": "2"}));
    let many: Vec<(String, String)> =
        (0..100).map(|number| (format!("n{}", number % 50), number.to_string())).collect();
    let many: Vec<(&str, &str)> =
        many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let text = text(&record(b"x", &many));
    assert_eq!(text.matches("\"n7\":").count(), 1, "{text}");
    assert!(text.contains("\"n7\":\"57\""), "{text}");
}

#[test]
fn marks_of_bad_input_are_kept() {
    let document = document(b"x", &[("continued", ""), ("parse_error", "no priority")]);
    assert_eq!(document["log"]["flags"], json!(["continued"]));
    assert_eq!(document["error"]["message"], "no priority");
}

#[test]
fn an_object_is_merged_in_one_line_and_its_own_names_win() {
    let value = b" {\"a\":\n {\"b\": 1},\r\n\"host\":{\"name\":\"mine\"}, \"event.id\":\"7\"} ";
    let batch = record(value, &[("host", "h"), ("path", "/p")]);
    let text = text(&batch);
    assert!(!text.contains(['\n', '\r']), "{text}");
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({"a": {"b": 1}, "host": {"name": "mine"}, "event.id": "7", "@timestamp": "1970-01-01T00:00:01.000Z",
            "log": {"file": {"path": "/p"}}, "event": {"dataset": "t"}})
    );
    assert_eq!(document(b"{}", &[])["event"]["id"], "hub.t-2-1-10");
    let escaped = document(br#"{"h\u006fst":{"name":"x"}}"#, &[("host", "h")]);
    assert_eq!(escaped["host"], json!({"name": "x"}));
}

#[test]
fn what_is_of_another_kind_than_ours_has_a_name_of_its_own() {
    let headers = [("host", "h"), ("path", "/p"), ("env", "x")];
    for (value, misfits) in [
        (r#"{"log":"text","stream":"stdout"}"#, json!({"log": "text"})),
        (r#"{"host":"web-1"}"#, json!({"host": "web-1"})),
        (r#"{"h\u006fst":"web-1"}"#, json!({"host": "web-1"})),
        (r#"{"host":{"name":5}}"#, json!({"host": "{\"name\":5}"})),
        (r#"{"host":null,"host.name":7}"#, json!({"host": "null", "host_name": "7"})),
        (
            r#"{"event":[1],"labels":"a","source":true}"#,
            json!({"event": "[1]", "labels": "a", "source": "true"}),
        ),
        (
            r#"{"@timestamp":"yesterday","message":{"a":1}}"#,
            json!({"@timestamp": "yesterday", "message": "{\"a\":1}"}),
        ),
        (r#"{"@timestamp":12}"#, json!({"@timestamp": "12"})),
        (r#"{"":1," ":2,"a..b":3}"#, json!({"_": "1", "__": "2", "a__b": "3"})),
        (r#"{"anabranch":{"host":1}}"#, json!({"anabranch": "{\"host\":1}"})),
    ] {
        let document = document(value.as_bytes(), &headers);
        assert_eq!(document["anabranch"], misfits, "{value}");
        assert_eq!(document["host"], json!({"name": "h"}), "{value}");
        assert_eq!(document["log"], json!({"file": {"path": "/p"}}), "{value}");
        assert_eq!(document["labels"], json!({"env": "x"}), "{value}");
        assert_eq!(document["event"]["dataset"], "t", "{value}");
        assert_eq!(document["@timestamp"], "1970-01-01T00:00:01.000Z", "{value}");
    }
    let time = document(br#"{"@timestamp":1763662647912,"a":1}"#, &headers);
    assert_eq!(time["@timestamp"], "2025-11-20T18:17:27.912Z");
    assert_eq!((&time["a"], time.get("anabranch")), (&json!(1), None));
}

#[test]
fn an_object_with_a_name_twice_is_text() {
    let many: String = (0..100).map(|number| format!("\"n{number}\":1,")).collect();
    for value in [
        r#"{"a":1,"a":2}"#.to_owned(),
        format!("{{{many}\"n0\":2}}"),
        format!("{{{many}\"n99\":2}}"),
    ] {
        assert_eq!(document(value.as_bytes(), &[])["message"], value);
    }
    assert_eq!(document(format!("{{{many}\"x\":2}}").as_bytes(), &[])["x"], 2);
}

#[test]
fn a_deep_value_is_written_without_overflow() {
    for (open, close) in [("{\"a\":", "}"), ("{\"host\":[", "]}"), ("{\"event\":{\"x\":", "}}")] {
        let deep = format!("{}0{}", open.repeat(20_000), close.repeat(20_000));
        let batch = record(deep.as_bytes(), &[("host", "h")]);
        let mut out = Vec::new();
        for codec in [Codec::Json, Codec::JsonPretty] {
            out.clear();
            Encoder::new(codec).push(&batch.iter().next().unwrap(), &mut out);
            assert!(out.len() < 3 * deep.len(), "{}", out.len());
            assert!(serde_json::from_slice::<&serde_json::value::RawValue>(&out).is_ok());
        }
    }
}

#[test]
fn what_is_not_one_whole_object_is_text() {
    for value in ["{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1} {\"b\":2}", "{a:1}", "[1]", "7", ""] {
        assert_eq!(document(value.as_bytes(), &[])["message"], value);
    }
}

#[test]
fn an_object_with_bytes_that_are_not_text_is_merged_with_replacements() {
    assert_eq!(document(b"{\"a\":\"\xff\"}", &[])["a"], "\u{fffd}");
}

#[test]
fn a_key_is_kept_and_a_tombstone_has_no_message() {
    let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
    batch.push_copy(b"");
    batch.set_null_value();
    batch.set_key(b"k1");
    let document: Value = serde_json::from_str(&text(&store(&batch))).unwrap();
    assert_eq!((&document["kafka"]["key"], document.get("message")), (&json!("k1"), None));
}

#[test]
fn raw_is_the_value_and_pretty_is_the_same_document() {
    let batch = stored(&[b"\xffa\n"]);
    let stored = batch.iter().next().unwrap();
    let (mut raw, mut pretty) = (b"before ".to_vec(), Vec::new());
    Encoder::new(Codec::Raw).push(&stored, &mut raw);
    Encoder::new(Codec::JsonPretty).push(&stored, &mut pretty);
    assert_eq!(raw, b"before \xffa\n");
    assert!(pretty.contains(&b'\n'));
    let compact: Value = serde_json::from_str(&text(&batch)).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&pretty).unwrap(), compact);
}

#[test]
fn an_id_is_written_as_the_record_names_itself() {
    let batch = stored(&[b"a", b"b"]);
    let second = batch.iter().nth(1).unwrap();
    let mut out = Vec::new();
    push_id(&second, &mut out);
    assert_eq!(out, second.id().into_bytes());
}

proptest! {
    #[test]
    fn a_document_is_always_valid_json_in_one_line(
        value: Vec<u8>,
        headers in proptest::collection::vec(("[a-z._]{0,12}|host|peer|syslog.severity", ".{0,8}"), 0..6),
    ) {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let text = text(&record(&value, &headers));
        prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        prop_assert!(!text.contains('\n'));
    }

    #[test]
    fn an_object_keeps_all_its_members(
        members in proptest::collection::btree_map("[a-z@.\"\\\\é]{0,8}|host|event|log", ".{0,12}", 0..6),
    ) {
        let value = serde_json::to_vec(&members).unwrap();
        let document = document(&value, &[("host", "h"), ("x", "y")]);
        for (name, value) in members {
            let (own, misfit) = (&document[&name], &document["anabranch"]);
            let is_kept = *own == json!(value)
                || misfit.as_object().is_some_and(|misfit| misfit.values().any(|it| *it == json!(value)));
            prop_assert!(is_kept, "{} in {}", name, document);
        }
    }
}

/// Records whose headers and times are mostly those of the record before.
fn runs() -> impl Strategy<Value = Vec<(&'static str, usize, i64)>> {
    let value = prop_oneof![
        Just("a line"),
        Just(r#"{"a":1}"#),
        Just(r#"{"host":{"name":"own"},"labels":{}}"#),
        Just(r#"{"event":{"id":"own"},"@timestamp":"2026-01-31"}"#),
    ];
    proptest::collection::vec((value, 0usize..4, 0i64..2), 1..20)
}

proptest! {
    #[test]
    fn what_is_kept_of_the_record_before_changes_no_document(run in runs()) {
        let headers: [&[(&str, &str)]; 4] = [
            &[],
            &[("host", "h"), ("path", "/p"), ("a.b", "c")],
            &[("host", "i"), ("continued", "")],
            &[("syslog.message_at", "2"), ("syslog.facility", "auth")],
        ];
        let mut batch = Batch::new(Vec::new().into(), Headers::new(), 0, 0);
        for (value, which, timestamp_ms) in &run {
            batch.push_copy(value.as_bytes());
            batch.set_timestamp_ms(*timestamp_ms);
            for (name, text) in headers[*which] {
                batch.set_header(name, text.as_bytes());
            }
        }
        let mut encoder = Encoder::new(Codec::Json);
        for stored in store(&batch).iter() {
            let (mut kept, mut alone) = (b"ID".to_vec(), Vec::new());
            let mut id = Vec::new();
            push_id(&stored, &mut id);
            kept.extend_from_slice(&id);
            let start = kept.len();
            encoder.push_document(&stored, Some(2..start), &mut kept);
            Encoder::new(Codec::Json).push(&stored, &mut alone);
            prop_assert_eq!(&kept[start..], alone);
        }
    }
}
