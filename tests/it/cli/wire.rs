//! The command line on any Kafka by `--bootstrap`: the embedded hub's own listener and a real broker say the same.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::anabranch;
use crate::support::{Agent, Broker, free_port, server};

/// Everything that the commands do, on the Kafka at `bootstrap`.
fn walk(folder: &Path, bootstrap: &str) {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let (topic, group) = (format!("cli-{id}"), format!("group-{id}"));
    let run = |words: &[&str], input: &str| {
        let words = [words, &["--bootstrap", bootstrap]].concat();
        let ran = anabranch(folder, &words, input);
        assert_eq!(ran.code, 0, "{words:?}: {}{}", ran.out, ran.err);
        ran.out
    };
    run(&["topics", "create", &topic, "--partitions", "2"], "");
    assert!(run(&["topics", "list"], "").contains(&topic));
    let lines: String = (0..20).map(|number| format!("key:{number}\n")).collect();
    let words =
        ["produce", &topic, "--key-separator", ":", "--header", "from=test", "--partition", "1"];
    assert!(run(&words, &lines).contains("20 records stored"));

    let words = ["produce", &topic, "--bootstrap", bootstrap];
    let large = anabranch(folder, &words, "x".repeat(2_000_000));
    assert!(large.code == 1 && large.err.contains("is larger than topic"), "{}", large.err);

    let described = run(&["topics", "describe", &topic, "--json"], "");
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    assert!(described.to_string().contains("\"end\":20"), "{described}");
    let format = "%t/%p@%o %k=%v %h\\n";
    let some = run(&["consume", &topic, "--format", format, "-n", "2"], "");
    assert_eq!(some, format!("{topic}/1@0 key=0 from=test\n{topic}/1@1 key=1 from=test\n"));
    let recent = run(&["consume", &topic, "--from", "15m"], "");
    assert_eq!(recent.lines().count(), 20);
    let last = run(&["consume", &topic, "--from", "18", "--partition", "1"], "");
    assert_eq!(last, "18\n19\n");

    assert_eq!(run(&["consume", &topic, "--group", &group], "").lines().count(), 20);
    assert_eq!(run(&["consume", &topic, "--group", &group], ""), "");
    // The partition that nothing was written to was not begun, so it has no offset until one is set.
    let lag = |wanted: &str| {
        let shown = run(&["groups", "describe", &group, "--json"], "");
        assert!(shown.contains(&format!("\"lag\":{wanted}")), "{shown}");
    };
    lag("0");
    for (to, behind) in [
        (&["shift", "-5"][..], "5"),
        (&["offset", "3"], "17"),
        (&["latest"], "0"),
        (&["earliest"], "20"),
    ] {
        let reset = ["groups", "reset", &group, "--topic", &topic, "--yes", "--to"];
        run(&[&reset[..], to].concat(), "");
        lag(behind);
    }
    assert!(run(&["groups", "list"], "").contains(&group));
    let deleted = run(&["groups", "delete", &group, "--yes"], "");
    assert_eq!(deleted, format!("group {group} deleted\n"));
    assert!(!run(&["groups", "list"], "").contains(&group));
    let words = ["groups", "delete", &group, "--yes", "--bootstrap", bootstrap];
    let none = anabranch(folder, &words, "");
    assert!(none.code == 1 && none.err.contains("has committed nothing"), "{}", none.err);
    run(&["topics", "delete", &topic, "--yes"], "");
    assert!(!run(&["topics", "list"], "").contains(&topic));
}

#[test]
fn topics_groups_and_records_are_handled_through_the_hubs_listener() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{address}\" }} }}\n\
         sources: {{ in: {{ topic: other, from: {{ http: {{ listen: \"127.0.0.1:0\" }} }} }} }}\n"
    );
    let _agent = Agent::start(folder.path(), &blocks);
    walk(folder.path(), &address);
}

#[test]
fn topics_groups_and_records_are_handled_on_a_kafka_broker() {
    let Some(address) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    walk(folder.path(), &address);
}

/// A broker that is silent for a while is not at its end.
#[test]
#[expect(clippy::disallowed_methods, reason = "the broker stands still for a time")]
fn a_reader_waits_for_a_broker_that_stands_still() {
    if server("ANABRANCH_KAFKA").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(&folder.path().join("broker"));
    let address = broker.address();
    let lines: String = (0..100_000).map(|number| format!("{number:0100}\n")).collect();
    let words = ["produce", "t", "--bootstrap", &address];
    assert_eq!(anabranch(folder.path(), &words, &lines).well(), "100000 records stored in t\n");
    let small = [
        "--option",
        "queued.max.messages.kbytes=512",
        "--option",
        "fetch.message.max.bytes=100000",
    ];
    let mut child = Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .args(["consume", "t", "--bootstrap", &address])
        .args(small)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut read = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    for _ in 0..1000 {
        read.read_line(&mut text).unwrap();
    }
    broker.freeze(true);
    // The pipe is emptied while it stands still, so that nothing else holds the reader up.
    std::thread::scope(|scope| {
        scope.spawn(|| read.read_to_string(&mut text).unwrap());
        std::thread::sleep(Duration::from_secs(6));
        broker.freeze(false);
    });
    assert!(child.wait().unwrap().success());
    assert!(text == lines, "{} of {} lines", text.lines().count(), lines.lines().count());
}
