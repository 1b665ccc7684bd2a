//! The ledger: after whatever happened, it balances to the record, and `ledger --verify` finds the same in the log.

use std::fs;
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::support::{
    Agent, Receiver, SOON, append_lines, file_line_count, free_port, get, lines, post, server,
    wait_until,
};

const LONG: Duration = Duration::from_secs(90);

/// Runs `anabranch ledger` with these words in `folder`; gives its exit code and what it printed.
fn ledger(folder: &Path, words: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.arg("ledger").args(words).arg("--json").current_dir(folder).env_remove("RUST_LOG");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    let ledger = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{error}"));
    (output.status.code().unwrap(), ledger)
}

fn row<'a>(ledger: &'a Value, side: &str, name: &str) -> &'a Value {
    let mut rows = ledger[side].as_array().unwrap().iter();
    rows.find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {ledger}"))
}

/// Expects that everything balances, counted anew from the log as well.
#[track_caller]
fn assert_balanced(folder: &Path) -> Value {
    let (code, found) = ledger(folder, &["anabranch.yaml", "--verify"]);
    assert_eq!((code, &found["balanced"]), (0, &json!(true)), "{found:#}");
    assert_eq!(found["verified"]["faults"], json!([]), "{found:#}");
    found
}

/// The number at `path` in a row.
fn number(row: &Value, path: &str) -> u64 {
    row.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {row:#}"))
}

/// A file source, and a file sink that takes everything.
fn file_to_file(folder: &Path) -> String {
    fs::create_dir_all(folder.join("logs")).unwrap();
    let at = folder.display();
    format!(
        "sources:\n  logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n\
         sinks:\n  all: {{ topics: [logs], commit_interval: 50ms, to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }}\n"
    )
}

#[test]
fn killed_while_lines_come_in_the_ledger_balances_after_each_start_and_has_every_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut agent = Agent::start(folder, &file_to_file(folder));
    for round in 0..8 {
        append_lines(&folder.join("logs/a.log"), "a", round * 500..(round + 1) * 500);
        // Some kills fall before anything is stored, some after.
        wait_until(SOON, "some of it", || {
            round % 3 != 0 || file_line_count(&folder.join("out.txt")) > round * 500
        });
        agent.kill();
        assert_balanced(folder);
        agent.start_again();
    }
    wait_until(LONG, "all lines", || file_line_count(&folder.join("out.txt")) == 4000);
    agent.wait_no_lag(&["all"], SOON);
    let now = get(&format!("http://{}/api/v1/ledger", agent.admin)).unwrap().body;
    let now: Value = serde_json::from_str(&now).unwrap();
    let bytes = fs::metadata(folder.join("logs/a.log")).unwrap().len() - 4000;
    for found in [now, assert_balanced(folder)] {
        let source = row(&found, "sources", "logs");
        assert_eq!(number(source, "/stored/records"), 4000, "{source:#}");
        assert!(number(source, "/stored/bytes") > bytes, "with headers: {source:#}");
        assert_eq!(source["difference"], json!({ "records": 0, "bytes": 0 }));
        let sink = row(&found, "sinks", "all");
        assert_eq!(number(sink, "/delivered/records"), 4000, "{sink:#}");
        assert_eq!((number(sink, "/stored/records"), number(sink, "/lag")), (4000, 0));
    }
    let shown = agent.sum("anabranch_ledger_difference_records", "");
    assert_eq!(shown, 0.0);
    assert_eq!(agent.sum("anabranch_ledger_records", "term=\"delivered\""), 4000.0);
    agent.stop();
    assert_eq!(number(row(&assert_balanced(folder), "sinks", "all"), "/delivered/records"), 4000);
}

#[test]
fn what_is_refused_lies_with_the_dead_letters_or_is_lost_and_the_ledger_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let receiver = Receiver::start();
    // The seventh of every ten.
    receiver.refuse("7 ", 400);
    let url = receiver.url("/");
    let sink = |name: &str, more: &str| {
        format!(
            "  {name}:\n    topics: [logs]\n    commit_interval: 100ms\n    batch: {{ max_records: 40 }}\n    \
             retry: {{ backoff: 10ms, backoff_max: 100ms }}\n    {more}\n    \
             to: {{ http: {{ url: \"{url}\", format: lines }} }}\n"
        )
    };
    let blocks = file_to_file(folder) + &sink("kept", "") + &sink("bare", "dead_letters: false");
    let mut agent = Agent::start(folder, &blocks);
    let mut random = 7u64;
    for round in 0..6 {
        append_lines(&folder.join("logs/a.log"), "a", round * 200..(round + 1) * 200);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let taken = receiver.taken().len();
        let some = usize::try_from(random >> 60).unwrap();
        wait_until(SOON, "some requests", || receiver.taken().len() >= taken + some.min(4));
        if round % 2 == 0 {
            agent.kill();
            assert_balanced(folder);
            agent.start_again();
        } else {
            agent.reload();
        }
    }
    let sinks = ["all", "kept", "bare"];
    wait_until(LONG, "everything", || file_line_count(&folder.join("out.txt")) == 1200);
    agent.wait_no_lag(&sinks, LONG);
    let found = assert_balanced(folder);
    let dead = (0..1200).filter(|number| format!("{number:07} ").contains("7 ")).count() as u64;
    let (kept, bare) = (row(&found, "sinks", "kept"), row(&found, "sinks", "bare"));
    assert_eq!(number(kept, "/dead/refused/records"), dead, "{kept:#}");
    assert_eq!(number(kept, "/delivered/records"), 1200 - dead);
    assert_eq!(number(bare, "/dead/not_kept/records"), dead, "{bare:#}");
    let health = get(&format!("http://{}/health", agent.admin)).unwrap().body;
    assert!(!health.contains("starting"), "dead letters have nothing to begin: {health}");
    // The dead letters were stored as a source's records are.
    let letters = row(&found, "sources", "dead-letters:kept");
    assert_eq!(number(letters, "/stored/records"), dead, "{letters:#}");
}

/// Runs another command, which must go well.
#[track_caller]
fn run(folder: &Path, program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).current_dir(folder).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
}

#[test]
fn a_group_that_is_moved_counts_from_there_on_and_what_is_removed_unread_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = env!("CARGO_BIN_EXE_anabranch");
    let agent = Agent::start(folder, &file_to_file(folder));
    append_lines(&folder.join("logs/a.log"), "a", 0..300);
    wait_until(LONG, "all lines", || file_line_count(&folder.join("out.txt")) == 300);
    agent.wait_no_lag(&["all"], SOON);
    let found = assert_balanced(folder);
    let partitions = row(&found, "sinks", "all")["partitions"].as_array().unwrap();
    let place = partitions.iter().find(|place| place["end"] == 300).unwrap();
    let number_of = place["partition"].to_string();
    let reset = ["groups", "reset", "all", "--topic", "logs", "--partition", &number_of];
    let to = ["--to", "offset", "100", "--yes", "--config", "anabranch.yaml"];
    run(folder, program, &[&reset[..], &to].concat());
    wait_until(LONG, "200 of them again", || file_line_count(&folder.join("out.txt")) == 500);
    agent.wait_no_lag(&["all"], SOON);
    let found = assert_balanced(folder);
    let sink = row(&found, "sinks", "all");
    assert_eq!((number(sink, "/stored/records"), number(sink, "/delivered/records")), (200, 200));
    let partitions = sink["partitions"].as_array().unwrap();
    assert!(partitions.iter().any(|place| place["base"] == 100), "{sink:#}");
    // Somebody deletes what the sink has not read, while it rests.
    run(folder, program, &["sinks", "pause", "all", "--config", "anabranch.yaml"]);
    append_lines(&folder.join("logs/a.log"), "a", 300..400);
    wait_until(LONG, "the new lines", || {
        agent.sum("anabranch_ledger_records", "term=\"stored\",source=\"logs\"") >= 400.0
            || agent.sum("anabranch_source_stored_records_total", "logs") >= 400.0
    });
    let url =
        format!("http://anabranch/api/v1/topics/logs/records?partition={number_of}&before=340");
    let socket = ["--unix-socket", "data/admin.sock", "-H", "Host: localhost"];
    run(folder, "curl", &[&["-fsS", "-X", "DELETE", &url], &socket[..]].concat());
    let check = |unread: u64| {
        let found = assert_balanced(folder);
        let sink = row(&found, "sinks", "all");
        assert_eq!(number(sink, "/lost/removed_unread/records"), 40, "{sink:#}");
        assert_eq!(number(sink, "/lag"), unread, "{sink:#}");
        assert_eq!(number(sink, "/stored/records"), 300, "{sink:#}");
        assert_eq!(number(row(&found, "sources", "logs"), "/stored/records"), 400);
    };
    check(60);
    run(folder, program, &["sinks", "resume", "all", "--config", "anabranch.yaml"]);
    wait_until(LONG, "the rest", || file_line_count(&folder.join("out.txt")) == 560);
    agent.wait_no_lag(&["all"], SOON);
    check(0);
}

#[test]
fn lines_of_syslog_and_http_are_counted_and_kept_over_kills_though_they_have_no_position() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (tcp, udp, http) = (free_port(), free_port(), free_port());
    let blocks = format!(
        "sources:\n  tcp: {{ topic: a, from: {{ syslog: {{ listen: [\"tcp://127.0.0.1:{tcp}\"] }} }} }}\n  \
         udp: {{ topic: b, from: {{ syslog: {{ listen: [\"udp://127.0.0.1:{udp}\"] }} }} }}\n  \
         web: {{ topic: c, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }}\n\
         sinks:\n  all: {{ topics: [a, b, c], commit_interval: 50ms, to: {{ file: {{ path: \"{}/out.txt\", codec: raw }} }} }}\n",
        folder.display()
    );
    let mut agent = Agent::start(folder, &blocks);
    let mut sent = 0;
    for round in 0..3usize {
        wait_until(SOON, "its listeners", || {
            let health = get(&format!("http://{}/health", agent.admin)).unwrap().body;
            health.contains("\"status\":\"ok\"")
        });
        let text = lines("a", round * 100..(round + 1) * 100);
        let mut stream = TcpStream::connect(("127.0.0.1", tcp)).unwrap();
        for line in text.lines() {
            writeln!(stream, "<13>1 2026-11-20T17:00:00Z host app - - - {line}").unwrap();
        }
        drop(stream);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        for line in text.lines().take(20) {
            socket.send_to(format!("<13>app: {line}").as_bytes(), ("127.0.0.1", udp)).unwrap();
        }
        assert_eq!(
            post(&format!("http://127.0.0.1:{http}/"), "text/plain", text.as_str()).unwrap().status,
            200
        );
        sent += 220;
        wait_until(LONG, "all of it", || file_line_count(&folder.join("out.txt")) >= sent);
        agent.wait_no_lag(&["all"], SOON);
        agent.kill();
        let found = assert_balanced(folder);
        let hundred = 100 * (u64::try_from(round).unwrap() + 1);
        for (name, count) in [("tcp", hundred), ("udp", hundred / 5), ("web", hundred)] {
            let source = row(&found, "sources", name);
            assert_eq!(number(source, "/stored/records"), count, "{source:#}");
            assert_eq!(number(source, "/read/records"), count, "{source:#}");
        }
        agent.start_again();
    }
}

#[test]
fn with_kafka_as_the_hub_the_ledger_balances_over_kills() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let id = format!("ledger-{}", uuid::Uuid::new_v4().simple());
    fs::create_dir_all(folder.join("logs")).unwrap();
    let at = folder.display();
    let blocks = format!(
        "hub:\n  kafka:\n    bootstrap_servers: [\"{kafka}\"]\n    \
         options: {{ session.timeout.ms: \"6000\", heartbeat.interval.ms: \"500\" }}\n\
         sources:\n  {id}: {{ topic: {id}, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n\
         sinks:\n  {id}: {{ topics: [{id}], commit_interval: 100ms, to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }}\n"
    );
    let mut agent = Agent::start(folder, &blocks);
    for round in 0..3usize {
        append_lines(&folder.join("logs/a.log"), "a", round * 500..(round + 1) * 500);
        wait_until(LONG, "all lines", || {
            file_line_count(&folder.join("out.txt")) == (round + 1) * 500
        });
        agent.kill();
        agent.start_again();
    }
    agent.wait_no_lag(&[&id], LONG);
    let (code, found) = ledger(folder, &["anabranch.yaml"]);
    assert_eq!(code, 0, "{found:#}");
    assert_eq!(number(row(&found, "sources", &id), "/stored/records"), 1500, "{found:#}");
    assert_eq!(number(row(&found, "sinks", &id), "/delivered/records"), 1500, "{found:#}");
    agent.stop();
    let (code, found) = ledger(folder, &["anabranch.yaml", "--verify"]);
    assert_eq!(code, 0, "{found:#}");
    assert_eq!(number(row(&found, "sources", &id), "/stored/records"), 1500, "{found:#}");
    assert_eq!(number(row(&found, "sinks", &id), "/delivered/records"), 1500, "{found:#}");
}
