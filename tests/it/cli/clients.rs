//! Producing, reading and moving groups: on a data folder alone, and beside a running agent.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::anabranch;
use crate::support::{Agent, SOON, get, post_as, wait_until};

fn in_data(folder: &Path, line: &str, input: &str) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--data-dir", "data"]);
    anabranch(folder, &words, input).well()
}

#[test]
fn what_is_produced_is_consumed_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| in_data(folder.path(), line, input);
    assert_eq!(
        run("topics create events --partitions 1", ""),
        "topic events created with 1 partitions\n"
    );
    let stored = run("produce events --key-separator : --header from=test", "a:1\nb:2\nplain\n");
    assert_eq!(stored, "3 records stored in events\n");

    assert_eq!(run("consume events", ""), "1\n2\nplain\n");
    assert_eq!(run("consume events --until-end --from 1 -n 1", ""), "2\n");
    assert_eq!(run("consume events --format keys", ""), "a\t1\nb\t2\n\tplain\n");
    assert_eq!(run("consume events --headers -n 1", ""), "from=test\t1\n");
    let template = run("consume events --format %t/%p@%o:%k=%v;%h\\n -n 2", "");
    assert_eq!(template, "events/0@0:a=1;from=test\nevents/0@1:b=2;from=test\n");
    let json = run("consume events --format json -n 1", "");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["key"], &json["value"], &json["offset"]),
        (&"a".into(), &"1".into(), &0.into())
    );
    assert_eq!(json["headers"]["from"], "test");
    assert!(run("consume events --format pretty -n 1", "").starts_with("events [0] @0  20"));
    assert_eq!(run("consume events --from end", ""), "");
    assert_eq!(run("consume events --from 1h --partition 0", ""), "1\n2\nplain\n");
    assert_eq!(run("consume ^ev", ""), "1\n2\nplain\n");
}

#[test]
fn a_group_goes_on_where_it_was_and_can_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| in_data(folder.path(), line, input);
    run("produce t", "1\n2\n3\n4\n5\n");
    assert_eq!(run("consume t --group g -n 2", ""), "1\n2\n");
    assert_eq!(run("consume t --group g", ""), "3\n4\n5\n");
    assert_eq!(run("consume t --group g", ""), "");
    let described = run("groups describe g", "");
    assert_eq!(
        described,
        "TOPIC  PARTITION  COMMITTED  END  LAG\nt              0          5    5    0\n"
    );
    let dry = run("groups reset g --topic t --to shift -2 --dry-run", "");
    assert!(dry.ends_with("nothing was changed (--dry-run)\n"), "{dry}");
    assert_eq!(run("consume t --group g", ""), "");
    run("groups reset g --topic t --to shift -2 --yes", "");
    assert_eq!(run("consume t --group g", ""), "4\n5\n");
    run("groups reset g --topic t --to offset 1 --yes", "");
    assert_eq!(
        run("groups list", ""),
        "GROUP  TOPICS  PARTITIONS  LAG\ng      t                1    4\n"
    );
    let list = run("groups list --json", "");
    assert_eq!(list, "{\"group\":\"g\",\"lag\":4,\"topics\":[\"t\"]}\n");
}

#[test]
fn topics_are_listed_described_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| in_data(folder.path(), line, input);
    run("topics create many --partitions 2", "");
    run("produce many --partition 1", "x\ny\n");
    let list = run("topics list", "");
    assert!(list.contains("many            2        2"), "{list}");
    assert!(!list.contains("__consumer_offsets"));
    assert!(run("topics list --internal", "").contains("__consumer_offsets"));
    let json: serde_json::Value =
        serde_json::from_str(&run("topics describe many --json", "")).unwrap();
    assert_eq!((&json["partitions"][1]["end"], &json["records"]), (&2.into(), &2.into()));
    assert_eq!(run("topics delete many --yes", ""), "topic many deleted\n");
    assert_eq!(run("topics list", "").lines().count(), 1);
}

#[test]
fn beside_a_running_agent_reading_needs_no_lock_and_writing_goes_through_it() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = format!(
        "hub: {{ embedded: {{}} }}\n\
         sinks: {{ keep: {{ topics: [t], to: {{ file: {{ path: \"{}/out.log\" }} }} }} }}\n",
        folder.path().display()
    );
    let mut agent = Agent::start(folder.path(), &blocks);
    let run = |line: &str, input: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(["--config", "anabranch.yaml"]);
        anabranch(folder.path(), &words, input)
    };
    assert_eq!(
        run("topics create t2 --partitions 3", "").well(),
        "topic t2 created with 3 partitions\n"
    );
    let stored = run("produce t --key-separator = --header h=1", "k=one\ntwo\n").well();
    assert_eq!(stored, "2 records stored in t\n");
    assert_eq!(run("consume t --format %k:%v:%h\\n", "").well(), "k:one:h=1\n:two:h=1\n");
    assert_eq!(run("consume t --group mine", "").well(), "one\ntwo\n");
    assert_eq!(run("consume t --group mine", "").well(), "");
    wait_until(SOON, "the sink's commit", || {
        run("groups describe keep", "").out.contains("2    2    0")
    });
    // A sink that runs goes on from where its group is moved to.
    let moved = run("groups reset keep --topic t --to earliest --yes", "").well();
    assert!(moved.ends_with("group keep moved\n"), "{moved}");
    wait_until(SOON, "both records once more", || {
        agent.metrics()["anabranch_sink_delivered_records_total{sink=\"keep\"}"] == 4.0
    });
    wait_until(SOON, "the sink's commit", || {
        run("groups describe keep", "").out.contains("2    2    0")
    });
    run("groups reset mine --topic t --to earliest --yes", "").well();
    assert_eq!(run("consume t --group mine", "").well(), "one\ntwo\n");
    let records = format!("http://{}/api/v1/topics/t/records", agent.admin);
    let token = std::fs::read_to_string(folder.path().join("data/admin-token")).unwrap();
    let store = |body: &str| post_as(token.trim(), &records, "application/x-ndjson", body).unwrap();
    let stored = store("{\"value\":\"three\",\"key\":\"k\"}\n{\"value\":{\"four\":4}}\n");
    assert_eq!(
        (stored.status, stored.body.as_str()),
        (200, "{\"offset\":2,\"partition\":0,\"records\":2}")
    );
    assert_eq!(run("consume t --group mine", "").well(), "three\n{\"four\":4}\n");
    let wrong = store("{\"value\":\"x\"}\nnonsense\n");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.starts_with("{\"error\":\"line 2: "), "{}", wrong.body);
    assert_eq!(run("topics delete t2 --yes", "").well(), "topic t2 deleted\n");
    let locked = anabranch(folder.path(), &["produce", "t", "--data-dir", "data"], "x\n");
    assert_eq!(
        (locked.code, locked.err.as_str()),
        (0, ""),
        "the data folder has a way to the agent"
    );
    assert!(
        anabranch(folder.path(), &["log", "verify", "data"], "").well().contains("no damage found")
    );
    let taken = anabranch(folder.path(), &["check", "--connect"], "");
    assert_eq!(taken.code, 1);
    assert!(taken.err.contains("/data is in use by process "), "{}", taken.err);
    assert_eq!(get(&format!("http://{}/health", agent.admin)).unwrap().status, 200);
    agent.stop();
}

#[test]
fn any_name_of_a_group_and_any_bytes_go_through_the_agent_and_what_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), "hub: { embedded: { listen: none } }\n");
    let run = |line: &str, input: &[u8]| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(["--config", "anabranch.yaml"]);
        anabranch(folder.path(), &words, input)
    };
    run("produce t --key-separator =", b"k=text\nk\xff=\xfe\n").well();
    let lines = run("consume t --format json", b"").well();
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["value"], &lines[0]["encoding"]), (&"text".into(), &().into()));
    assert_eq!((&lines[1]["value"], &lines[1]["encoding"]), (&"/g==".into(), &"base64".into()));
    assert_eq!(lines[1]["key"], "a/8=");
    run("produce h --header a=1 --header a=2 --header Z=0 --header b=", b"x\n").well();
    assert_eq!(run("consume h --headers", b"").well(), "a=1,a=2,Z=0,b=\tx\n");
    let line = run("consume h --format json", b"").well();
    assert!(line.contains(r#""headers":[["a","1"],["a","2"],["Z","0"],["b",""]]"#), "{line}");
    for group in ["a/b", "what?#", "..", "%2e"] {
        let words = ["groups", "reset", group, "--topic", "t", "--to", "end", "--yes"];
        anabranch(folder.path(), &[&words[..], &["--config", "anabranch.yaml"]].concat(), "")
            .well();
        let list = run("groups list", b"").well();
        assert!(list.lines().any(|line| line.starts_with(&format!("{group} "))), "{list}");
    }
    let large = run("produce large", &[b'x'; 60_000_000]);
    assert_eq!(large.code, 1);
    assert!(
        large
            .err
            .contains("60000000 bytes at once are more than the running agent takes: 67108864"),
        "{}",
        large.err
    );
    agent.stop();
}

#[test]
fn one_who_follows_sees_what_another_process_stores_and_may_hang_up() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| in_data(folder.path(), line, input);
    run("produce t", "before\n");
    let mut follower = Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .args(["consume", "t", "-f", "--data-dir", "data"])
        .current_dir(folder.path())
        .env_remove("ANABRANCH_CONFIG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "before");
    run("produce t", "after\n");
    assert_eq!(lines.next().unwrap().unwrap(), "after");
    drop(lines);
    // What it would print now has no reader any more.
    wait_until(SOON, "the end of one whom nobody reads", || {
        run("produce t", "unread\n");
        follower.try_wait().unwrap().is_some()
    });
    let ended = follower.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()),
        (Some(0), "")
    );
}

#[test]
fn what_producing_waits_for_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent =
        Agent::start(folder.path(), "hub: { embedded: { listen: none, min_free: 1000000TiB } }\n");
    let config = agent.config();
    let mut producing = Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .args(["produce", "t", "--config"])
        .arg(&config)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(SOON, "an agent that takes nothing", || agent.log().contains("min_free"));
    std::io::Write::write_all(&mut producing.stdin.take().unwrap(), b"one\ntwo\n").unwrap();
    let mut told = String::new();
    BufReader::new(producing.stderr.take().unwrap()).read_line(&mut told).unwrap();
    let expected = "warning: still waiting: 2 records are not stored yet; the agent at ";
    assert!(told.starts_with(expected), "{told}");
    producing.kill().unwrap();
    producing.wait().unwrap();
    agent.stop();
}
