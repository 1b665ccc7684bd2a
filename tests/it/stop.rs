//! How it ends: by a signal, in the middle of work, or because it may not start.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::support::{
    Agent, SOON, append_lines, assert_each_once_in_order, file_line_count, file_lines, free_port,
    get, post, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

/// Within this an agent has stopped, whatever its sinks do.
const STOP_LIMIT: Duration = Duration::from_secs(2);

fn health(agent: &Agent) -> Value {
    serde_json::from_str(&get(&format!("http://{}/health", agent.admin)).unwrap().body).unwrap()
}

#[test]
fn sigterm_in_the_middle_of_work_loses_nothing_and_repeats_nothing() {
    stops_in_the_middle_of_work(Signal::TERM);
}

#[test]
fn ctrl_c_in_the_middle_of_work_loses_nothing_and_repeats_nothing() {
    stops_in_the_middle_of_work(Signal::INT);
}

/// One sink's far side refuses connections, another's takes them and never answers.
fn stops_in_the_middle_of_work(signal: Signal) {
    const COUNT: usize = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    fs::create_dir(folder.join("logs")).unwrap();
    append_lines(&folder.join("logs/a.log"), "a", 0..COUNT);
    let blocks = format!(
        "sources:\n  logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n\
         sinks:\n  \
           out: {{ topics: [logs], batch: {{ max_records: 500 }}, to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }}\n  \
           away: {{ topics: [logs], to: {{ http: {{ url: \"http://127.0.0.1:{away}/\" }} }} }}\n  \
           silent: {{ topics: [logs], to: {{ http: {{ url: \"http://{silent}/\" }} }} }}\n",
        at = folder.display(),
        away = free_port(),
        silent = silent.local_addr().unwrap(),
    );
    let out = folder.join("out.txt");
    let mut agent = Agent::start(folder, &blocks);
    for part in 1..=3 {
        wait_until(SOON, "some lines in the file", || file_line_count(&out) >= part * 1000);
        agent.stop_by(signal, STOP_LIMIT);
        agent.start_again();
    }
    wait_until(LONG, "all lines in the file", || file_line_count(&out) >= COUNT);
    agent.wait_no_lag(&["out"], SOON);
    agent.stop_by(signal, STOP_LIMIT);
    let texts = file_lines(&out);
    assert_each_once_in_order(&texts, "a", COUNT);
    assert_eq!(texts.len(), COUNT);
}

/// Starts an agent that may not run; gives its exit code and its words.
fn refused(folder: &Path, config: &str) -> (Option<i32>, String) {
    fs::write(folder.join("anabranch.yaml"), config).unwrap();
    Agent::run_refused(folder)
}

#[test]
fn a_wrong_configuration_ends_it_with_2_and_says_where_and_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        "sources:\n  logs:\n    topic: logs\n    from: { file: { inclde: [\"/a/*.log\"] } }\n";
    let (code, words) = refused(folder.path(), config);
    assert_eq!(code, Some(2), "{words}");
    for part in ["sources.logs.from.file: unknown field `inclde`", "`include`", "anabranch.yaml:4"]
    {
        assert!(words.contains(part), "no {part} in {words}");
    }
}

#[test]
fn a_configuration_that_is_not_there_ends_it_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let (code, words) = Agent::run_refused(folder.path());
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("anabranch.yaml"), "{words}");
}

#[test]
fn a_second_agent_on_the_same_port_or_the_same_folder_ends_with_1_and_says_so() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let agent = Agent::start(first.path(), "");
    let data = |folder: &Path| format!("data_dir: {}/data\n", folder.display());

    let listen = format!("admin: {{ listen: \"{}\" }}\n", agent.admin);
    let (code, words) = refused(second.path(), &(data(second.path()) + &listen));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains(&agent.admin) && words.contains("admin.listen"), "{words}");

    let listen = format!("admin: {{ listen: \"127.0.0.1:{}\" }}\n", free_port());
    fs::remove_file(second.path().join("refused.log")).unwrap();
    let (code, words) = refused(second.path(), &(data(first.path()) + &listen));
    assert_eq!(code, Some(1), "{words}");
    let folder = first.path().display().to_string();
    assert!(words.contains(&folder) && words.contains("use"), "{words}");
    assert_eq!(health(&agent)["status"], "ok");
}

#[test]
fn a_source_whose_port_is_taken_is_failing_until_the_port_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let blocks = format!(
        "sources: {{ events: {{ topic: events, from: {{ http: {{ listen: \"{address}\" }} }} }} }}\n"
    );
    let agent = Agent::start(folder.path(), &blocks);
    wait_until(SOON, "the source to be failing", || {
        let source = health(&agent)["sources"]["events"].clone();
        source["state"] == "failing" && source.to_string().contains(&address.to_string())
    });

    drop(taken);
    wait_until(SOON, "an answer of the source", || {
        let answer = post(&format!("http://{address}/"), "application/json", "{\"a\":1}");
        answer.is_ok_and(|answer| answer.status == 200)
    });
    wait_until(SOON, "the source to be well", || {
        health(&agent)["sources"]["events"]["state"] == "ok"
    });
}

#[test]
fn a_hang_up_during_the_start_ends_nothing_and_the_configuration_of_then_counts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A configuration that takes as long to read as the test wants.
    let config = folder.join("anabranch.yaml");
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    let log = folder.join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .arg("run")
        .arg(&config)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let catches_it = || {
        let status = fs::read_to_string(&status).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & 1 == 1)
    };
    wait_until(SOON, "a process that listens to SIGHUP", catches_it);
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    let text = |data: &str| {
        let hub = "hub: { embedded: { listen: none } }\nadmin: { listen: none }";
        format!("data_dir: {}/{data}\n{hub}\n", folder.display())
    };
    fs::write(&config, text("first")).unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    wait_until(SOON, "the start", || said().contains("started"));
    fs::write(&config, text("second")).unwrap();
    wait_until(SOON, "a reload", || said().contains("reload"));
    assert!(said().contains("first") && child.try_wait().unwrap().is_none(), "{}", said());
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
