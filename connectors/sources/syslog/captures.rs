//! What real clients put on the wire, and what is read from it.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::calendar::Received;
use super::parse::parse;
use super::parsed::Parsed;

fn received() -> Received {
    Received::at("2026-11-20T18:30:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// As one line: priority, version, time, host, app, process, message id, structured data, text, problem.
fn show(message: &[u8]) -> String {
    let parsed = parse(message, received());
    let text = |field: Option<&[u8]>| {
        field.map_or("-".to_owned(), |field| String::from_utf8_lossy(field).into_owned())
    };
    let time = parsed
        .timestamp_ms
        .map_or("-".to_owned(), |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string());
    [
        parsed.priority.map_or("-".to_owned(), |priority| priority.to_string()),
        if parsed.is_5424 { "5424".to_owned() } else { "3164".to_owned() },
        time,
        text(parsed.hostname),
        text(parsed.appname),
        text(parsed.procid),
        text(parsed.msgid),
        text(parsed.structured_data),
        text(message.get(parsed.message_at..)),
        parsed.problem.unwrap_or("-").to_owned(),
    ]
    .join("|")
}

fn check(cases: &[(&str, &str)]) {
    for (message, expected) in cases {
        assert_eq!(&show(message.as_bytes()), expected, "{message}");
    }
}

#[test]
fn messages_of_real_clients_are_taken_apart() {
    check(&[
        (
            "<134>Nov 20 18:17:27 vm app: udp 3164",
            "134|3164|2026-11-20T18:17:27Z|vm|app|-|-|-|udp 3164|-",
        ),
        (
            r#"<131>1 2026-11-20T18:17:27.912455+00:00 vm app - M1 [timeQuality tzKnown="1" isSynced="0"][ex@32473 k="v"] udp 5424"#,
            r#"131|5424|2026-11-20T18:17:27.912Z|vm|app|-|M1|[timeQuality tzKnown="1" isSynced="0"][ex@32473 k="v"]|udp 5424|-"#,
        ),
        (
            "<12>Nov 20 18:17:27 app: unix dgram",
            "12|3164|2026-11-20T18:17:27Z|-|app|-|-|-|unix dgram|-",
        ),
        ("<13>1 - - root - - - no time no host", "13|5424|-|-|root|-|-|-|no time no host|-"),
        ("<12>py: hello multi\nline", "12|3164|-|-|py|-|-|-|hello multi\nline|-"),
        (
            "<133>2026-11-20T18:17:28.048298+00:00 vm filetag line from a file",
            "133|3164|2026-11-20T18:17:28.048Z|vm|-|-|-|-|filetag line from a file|-",
        ),
        (
            "<133>1 2026-11-20T18:17:28.048298+00:00 vm filetag - - - line from a file",
            "133|5424|2026-11-20T18:17:28.048Z|vm|filetag|-|-|-|line from a file|-",
        ),
        (
            "<13>1 2026-11-20T18:20:11+00:00 localhost 1 - - - <13>1 …",
            "13|5424|2026-11-20T18:20:11Z|localhost|1|-|-|-|<13>1 …|-",
        ),
        (
            r#"<190>Nov 20 18:18:40 vm nginx: 127.0.0.1 - - [20/Nov/2026] "GET / HTTP/1.1" 200 3 "-" "quote \x22 \xC3\xA9""#,
            r#"190|3164|2026-11-20T18:18:40Z|vm|nginx|-|-|-|127.0.0.1 - - [20/Nov/2026] "GET / HTTP/1.1" 200 3 "-" "quote \x22 \xC3\xA9"|-"#,
        ),
    ]);
}

#[test]
fn variants_of_vendors_are_taken_apart() {
    check(&[
        (
            "<34>Oct 11 22:14:15 mymachine su[231]: 'su root' failed",
            "34|3164|2026-10-11T22:14:15Z|mymachine|su|231|-|-|'su root' failed|-",
        ),
        (
            "<189>42: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured",
            "189|3164|-|-|%SYS-5-CONFIG_I|-|-|-|Configured|-",
        ),
        (
            "<189>fw: .Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured",
            "189|3164|2027-03-01T18:46:11.123Z|fw|%SYS-5-CONFIG_I|-|-|-|Configured|-",
        ),
        (
            "<189>.Oct  1 18:46:11.123: %SYS-5-CONFIG_I: Configured",
            "189|3164|2026-10-01T18:46:11.123Z|-|%SYS-5-CONFIG_I|-|-|-|Configured|-",
        ),
        (
            "<166>Nov 20 2026 18:17:27: %ASA-6-302013: Built",
            "166|3164|2026-11-20T18:17:27Z|-|%ASA-6-302013|-|-|-|Built|-",
        ),
        (
            "<166>Nov 20 2026 18:17:27 fw : %ASA-6-302013: Built",
            "166|3164|2026-11-20T18:17:27Z|fw|%ASA-6-302013|-|-|-|Built|-",
        ),
        (
            "<13>Nov 20 18:17:27 systemd[1]: Started",
            "13|3164|2026-11-20T18:17:27Z|-|systemd|1|-|-|Started|-",
        ),
        ("<12>py[77]: hello", "12|3164|-|-|py|77|-|-|hello|-"),
        ("<12>hello world: x", "12|3164|-|-|-|-|-|-|hello world: x|-"),
        ("<12>", "12|3164|-|-|-|-|-|-||-"),
        (
            "<165>1 2003-10-11T22:14:15.003Z host app 8710 ID47 - \u{feff}text",
            "165|5424|2003-10-11T22:14:15.003Z|host|app|8710|ID47|-|text|-",
        ),
        ("<0>1 - - - - - -", "0|5424|-|-|-|-|-|-||-"),
    ]);
}

#[test]
fn what_does_not_parse_is_kept_with_the_reason() {
    check(&[
        ("", "-|3164|-|-|-|-|-|-||the message is empty"),
        ("hello", "-|3164|-|-|-|-|-|-|hello|the message does not begin with a priority"),
        ("<192>x", "-|3164|-|-|-|-|-|-|<192>x|the priority is greater than 191"),
        ("<1x>y", "-|3164|-|-|-|-|-|-|<1x>y|the priority is not a number in angle brackets"),
        ("<1234>", "-|3164|-|-|-|-|-|-|<1234>|the priority is not a number in angle brackets"),
        (
            "<13>1 2026-11-20T18:17:28Z vm",
            "13|5424|2026-11-20T18:17:28Z|-|-|-|-|-|vm|the message ends before its host name",
        ),
        (
            "<13>1 yesterday vm app - - - text",
            "13|5424|-|vm|app|-|-|-|text|the timestamp is not one of RFC 3339",
        ),
        (
            "<13>1 - vm app - - [a b=\"c] text",
            "13|5424|-|vm|app|-|-|-|[a b=\"c] text|the structured data is malformed",
        ),
    ]);
}

fn word() -> impl Strategy<Value = Option<String>> {
    option::of("[!-,.-~][!-~]{0,20}")
}

proptest! {
    #[test]
    fn arbitrary_bytes_give_something_and_stay_within_the_message(
        bytes in vec(any::<u8>(), 0..200),
        prefix in proptest::sample::select(vec!["", "<13>", "<13>1 ", "<13>Nov 20 18:17:27 ", "<13>1 - - - - - ["]),
    ) {
        let message = [prefix.as_bytes(), &bytes].concat();
        prop_assert!(parse(&message, received()).message_at <= message.len());
    }

    #[test]
    fn generated_fields_of_rfc_5424_come_back(
        priority in 0u8..192,
        names in (word(), word(), word(), word()),
        second in 0i64..4_000_000_000,
        data in option::of("\\[[a-z]{1,8} [a-z]{1,8}=\"([a-z \\[]|\\\\\"|\\\\\\]|\\\\\\\\){0,20}\"\\]"),
        text in "\\PC{0,60}",
    ) {
        let (host, app, process, id) = &names;
        let or_nil = |field: &Option<String>| field.clone().unwrap_or("-".to_owned());
        let time = jiff::Timestamp::from_second(second).unwrap();
        let head = format!(
            "<{priority}>1 {time} {} {} {} {} {} ",
            or_nil(host), or_nil(app), or_nil(process), or_nil(id), or_nil(&data),
        );
        let message = format!("{head}{text}");
        let expected = Parsed {
            priority: Some(priority),
            is_5424: true,
            timestamp_ms: Some(second * 1000),
            hostname: host.as_ref().map(String::as_bytes),
            appname: app.as_ref().map(String::as_bytes),
            procid: process.as_ref().map(String::as_bytes),
            msgid: id.as_ref().map(String::as_bytes),
            structured_data: data.as_ref().map(String::as_bytes),
            sequence: None,
            time_at: Some((head.find('>').unwrap() + 3, head.find('>').unwrap() + 3 + time.to_string().len())),
            message_at: head.len() + if text.starts_with('\u{feff}') { 3 } else { 0 },
            problem: None,
        };
        prop_assert_eq!(parse(message.as_bytes(), received()), expected);
    }
}
