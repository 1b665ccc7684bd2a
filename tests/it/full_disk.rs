//! The disk is full: nothing is lost, and it is told; with room it goes on by itself.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;
use serde_json::Value;

use super::support::{
    Agent, SOON, append_lines, assert_each_once_in_order, file_line_count, file_lines, free_port,
    get, post, wait_listening, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

fn health(agent: &Agent) -> Value {
    serde_json::from_str(&get(&format!("http://{}/health", agent.admin)).unwrap().body).unwrap()
}

/// A small disk of its own, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, size: &str) -> Self {
        fs::create_dir(&path).unwrap();
        Self::run(Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&path));
        Self(path)
    }

    fn resize(&self, size: &str) {
        Self::run(Command::new("mount").args(["-o", &format!("remount,{size}")]).arg(&self.0));
    }

    fn run(command: &mut Command) {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A test that fails must still leave nothing behind.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn on_a_full_disk_sources_wait_sinks_drain_and_with_room_it_goes_on_by_itself() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: a small disk can only be mounted as root");
        return;
    }
    const COUNT: usize = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let disk = SmallDisk::mount(folder.join("data"), "size=16m");
    fs::create_dir(folder.join("logs")).unwrap();
    append_lines(&folder.join("logs/a.log"), "a", 0..COUNT);
    let http = free_port();
    let blocks = format!(
        "hub: {{ embedded: {{ min_free: 4MiB, segment_size: 2MiB }} }}\n\
         producer: {{ compression: none }}\n\
         sources:\n  \
           logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n  \
           events: {{ topic: events, from: {{ http: {{ listen: \"127.0.0.1:{http}\", timeout: 1s }} }} }}\n\
         sinks:\n  \
           out: {{ topics: [logs], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }}\n",
        at = folder.display(),
    );
    let mut agent = Agent::start(folder, &blocks);
    wait_until(LONG, "the hub to say that there is no room", || {
        let hub = health(&agent)["hub"].clone();
        hub["state"] == "failing" && hub.to_string().contains("min_free")
    });
    wait_listening(http);
    let event = || post(&format!("http://127.0.0.1:{http}/"), "application/json", "{\"a\":1}");
    assert_eq!(event().unwrap().status, 503);
    agent.wait_no_lag(&["out"], SOON);
    let out = folder.join("out.txt");
    let stored = agent.sum("anabranch_partition_end_offset", "topic=\"logs\"");
    let drained = file_line_count(&out);
    assert!(drained > 0 && drained < COUNT, "{drained} lines on a disk for fewer than {COUNT}");
    assert_eq!(stored, f64::from(u32::try_from(drained).unwrap()));

    // Not even a crash with a full disk is a loss.
    agent.kill();
    agent.start_again();
    disk.resize("size=96m");
    wait_until(LONG, "all lines in the file", || file_line_count(&out) >= COUNT);
    wait_until(SOON, "a stored event", || event().is_ok_and(|answer| answer.status == 200));
    assert_eq!(health(&agent)["hub"]["state"], "ok");
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    let texts = file_lines(&out);
    assert_each_once_in_order(&texts, "a", COUNT);
    assert_eq!(texts.len(), COUNT);
}

#[test]
fn a_topic_that_is_deleted_gives_its_room_back_though_its_records_wait_and_its_sink_is_away() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: a small disk can only be mounted as root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let _disk = SmallDisk::mount(folder.join("data"), "size=16m");
    let (http, other) = (free_port(), free_port());
    let source = |topic: &str, port: u16| {
        let listen = format!("{{ listen: \"127.0.0.1:{port}\", timeout: 1s }}");
        format!("  {topic}: {{ topic: {topic}, from: {{ http: {listen} }} }}\n")
    };
    let blocks = format!(
        "hub: {{ embedded: {{ min_free: 4MiB, segment_size: 2MiB }} }}\n\
         producer: {{ compression: none }}\n\
         sources:\n{}{}\
         sinks:\n  away: {{ topics: [u], to: {{ http: {{ url: \"http://127.0.0.1:1/\" }} }} }}\n",
        source("u", http),
        source("v", other),
    );
    let mut agent = Agent::start(folder, &blocks);
    wait_listening(http);
    let event = |port: u16, body: &str| {
        post(&format!("http://127.0.0.1:{port}/"), "text/plain", body).unwrap().status
    };
    let large = "x".repeat(700_000);
    let mut stored = 0;
    while event(http, &large) == 200 {
        stored += 1;
        assert!(stored < 24, "more than the disk has");
    }
    // The agent itself has passed the limit, and says so.
    wait_until(SOON, "the hub to say that there is no room", || {
        health(&agent)["hub"].to_string().contains("min_free")
    });
    assert_eq!(event(other, "small"), 503);
    let config = agent.config();
    let delete = ["topics", "delete", "u", "--yes", "--config"];
    let deleted = Command::new(env!("CARGO_BIN_EXE_anabranch")).args(delete).arg(config).output();
    assert!(deleted.as_ref().unwrap().status.success(), "{deleted:?}");
    wait_until(SOON, "room", || health(&agent)["hub"]["state"] == "ok");
    assert_eq!(event(other, "small"), 200);
    assert!(agent.sum("anabranch_partition_size_bytes", "topic=\"u\"") < 1_000_000.0);
    agent.stop();
}
