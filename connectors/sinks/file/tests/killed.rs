//! The sink in a process of its own that is killed (`SIGKILL`) again and again, at no chosen moment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::exactness::{config, contents, expected, records, sink};
use crate::Sink;

/// Set for the child: the folder that it works in, and what is special in its configuration.
const FOLDER: &str = "ANABRANCH_TEST_KILLED_FOLDER";
const EXTRA: &str = "ANABRANCH_TEST_KILLED_EXTRA";

/// All that is sent: some files that grow, and one that is new every thousand records.
fn lines() -> Vec<(u8, u32)> {
    let host = |number: u32| match number % 7 {
        6 => 100 + u8::try_from(number / 1000).unwrap(),
        small => u8::try_from(small).unwrap(),
    };
    (0..12_000).map(|number| (host(number), number)).collect()
}

/// Commits as a hub does: wholly or not at all.
fn commit(folder: &Path, offset: usize, state: Option<&str>) {
    let next = folder.join("commit.next");
    std::fs::write(&next, json!([offset, state]).to_string()).unwrap();
    std::fs::rename(next, folder.join("commit")).unwrap();
}

fn committed(folder: &Path) -> (usize, Option<String>) {
    std::fs::read_to_string(folder.join("commit"))
        .map_or((0, None), |text| serde_json::from_str(&text).unwrap())
}

/// Delivers everything from the last commit on, as the delivery loop does.
async fn deliver(folder: PathBuf, extra: &str) {
    let config = config(&folder.join("out"), &serde_json::from_str(extra).unwrap());
    let mut sink = sink(&config);
    let (mut offset, state) = committed(&folder);
    if let Some(state) = state {
        sink.resume(&super::exactness::alone(&state)).await.unwrap();
    }
    let lines = lines();
    while offset < lines.len() {
        let end = lines.len().min(offset + 30);
        let records = records(&lines[offset..end]);
        while sink.prepare(&records).await.unwrap() {
            commit(&folder, offset, sink.checkpoint().await.unwrap().as_deref());
            sink.committed();
        }
        sink.write(&records).await.unwrap();
        offset = end;
        if offset.is_multiple_of(90) || offset == lines.len() {
            commit(&folder, offset, sink.checkpoint().await.unwrap().as_deref());
            sink.committed();
        }
    }
}

/// Starts children until one reaches the end; returns how many were killed.
async fn kill_until_done(folder: &Path, extra: &serde_json::Value) -> usize {
    let deadline = Instant::now() + Duration::from_secs(120);
    let (_package, module) = module_path!().split_once("::").unwrap();
    let this = format!("{module}::a_sink_that_is_killed_again_and_again_is_exact");
    let mut killed = 0;
    loop {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &this])
            .env(FOLDER, folder)
            .env(EXTRA, extra.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let before = committed(folder).0;
        // Progress first, so that it ends; then a wait of another length each time.
        while committed(folder).0 == before && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "no progress behind {before}");
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_micros(u64::try_from(killed * 7919 % 30_011).unwrap())).await;
        child.kill().unwrap();
        let status = child.wait().unwrap();
        if committed(folder).0 == lines().len() {
            return killed;
        }
        assert_eq!(status.code(), None, "the child failed by itself: {status}");
        killed += 1;
    }
}

#[tokio::test]
async fn a_sink_that_is_killed_again_and_again_is_exact() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return deliver(folder.into(), &std::env::var(EXTRA).unwrap()).await;
    }
    for extra in [
        json!({}),
        json!({ "compression": "zstd", "rotate": { "size": 4000 } }),
        json!({ "compression": "gzip", "max_open_files": 2 }),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let killed = kill_until_done(folder.path(), &extra).await;
        assert!(killed > 0, "it was done before it could be killed");
        assert_eq!(contents(&folder.path().join("out")), expected(&lines()), "{extra}");
    }
}
