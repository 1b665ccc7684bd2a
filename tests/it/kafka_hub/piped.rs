//! An agent that reads its standard input, as at the end of a pipe.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::unique;
use crate::support::{holds_within, server};

/// For a start, a new topic and a few lines.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn an_agent_whose_input_has_ended_ends_once_all_is_delivered() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (id, at) = (unique("piped"), folder.path().display());
    let config = folder.path().join("anabranch.yaml");
    let blocks = format!(
        "data_dir: \"{at}/data\"\nadmin: {{ listen: none }}\n\
         hub: {{ kafka: {{ bootstrap_servers: [\"{kafka}\"] }} }}\n\
         sources: {{ in: {{ topic: {id}, from: {{ stdin: {{}} }} }} }}\n\
         sinks: {{ {id}: {{ topics: [{id}], to: {{ file: {{ path: \"{at}/out\", codec: raw }} }} }} }}\n"
    );
    std::fs::write(&config, blocks).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut agent = Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .arg("run")
        .arg(&config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap();
    agent.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let mut code = None;
    let ended = holds_within(LONG, || {
        code = agent.try_wait().unwrap();
        code.is_some()
    });
    if !ended {
        agent.kill().unwrap();
        agent.wait().unwrap();
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(code.is_some_and(|code| code.success()), "{code:?} {log}");
    assert_eq!(std::fs::read_to_string(folder.path().join("out")).unwrap(), "one\ntwo\n");
}
