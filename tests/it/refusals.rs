//! Far sides that refuse: bad records, everything, or what they are given while the agent is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::geteuid;
use serde_json::Value;

use super::support::{
    Agent, Receiver, SOON, append_lines, assert_each_once, file_line_count, file_lines, get,
    numbers, post, put, search_count, server, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

fn health(agent: &Agent, sink: &str) -> Value {
    let health = get(&format!("http://{}/health", agent.admin)).unwrap().body;
    serde_json::from_str::<Value>(&health).unwrap()["sinks"][sink].clone()
}

fn source(folder: &Path) -> String {
    fs::create_dir_all(folder.join("logs")).unwrap();
    let include = format!("{}/logs/*.log", folder.display());
    format!(
        "sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{include}\"] }} }} }} }}\n"
    )
}

/// A sink for `url` with short waits, and one that writes its dead letters to `letters.txt`.
fn web(folder: &Path, url: &str, more: &str) -> String {
    format!(
        "sinks:\n  web:\n    topics: [logs]\n    batch: {{ max_records: 40 }}\n    \
         retry: {{ backoff: 10ms, backoff_max: 100ms }}\n    {more}\n    \
         to: {{ http: {{ url: \"{url}\", format: lines }} }}\n  \
         letters: {{ topics: [web.dlq], to: {{ file: {{ path: \"{}/letters.txt\", codec: raw }} }} }}\n",
        folder.display()
    )
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a kill falls at some moment")]
fn killed_and_reloaded_while_records_die_each_dead_letter_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let receiver = Receiver::start();
    // The seventh of every ten.
    receiver.refuse("7 ", 400);
    let blocks = |more: &str| source(folder) + &web(folder, &receiver.url("/"), more);
    // Long between commits: a life mostly ends with dead letters that are not committed.
    let intervals = ["commit_interval: 3s", "commit_interval: 4s"];
    let mut agent = Agent::start(folder, &blocks(intervals[0]));
    for round in 0..12 {
        append_lines(&folder.join("logs/a.log"), "a", round * 250..(round + 1) * 250);
        std::thread::sleep(Duration::from_millis(97 * (u64::try_from(round).unwrap() % 5)));
        if round % 2 == 0 {
            agent.configure(&blocks(intervals[round / 2 % 2]));
            agent.reload();
        } else {
            agent.kill();
            agent.start_again();
        }
    }
    let letters = folder.join("letters.txt");
    let is_dead = |number: &usize| format!("a#{number:07} ").contains("7 ");
    let dead: Vec<usize> = (0..3000).filter(is_dead).collect();
    wait_until(LONG, "all dead letters", || file_line_count(&letters) >= dead.len());
    agent.wait_no_lag(&["web", "letters"], LONG);
    agent.stop();
    let mut letters = numbers(&file_lines(&letters), "a");
    letters.sort_unstable();
    assert_eq!(letters, dead);
    let good: Vec<_> = (0..3000).filter(|number| !is_dead(number)).collect();
    let mut arrived = numbers(&receiver.lines(), "a");
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived, good);
}

#[test]
fn a_receiver_that_refuses_everything_gets_everything_once_it_does_not() {
    for status in [400, 413, 422] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let receiver = Receiver::start();
        receiver.answer(status);
        let agent = Agent::start(folder, &(source(folder) + &web(folder, &receiver.url("/"), "")));
        append_lines(&folder.join("logs/a.log"), "a", 0..1000);
        wait_until(SOON, "the sink to be failing", || {
            let health = health(&agent, "web").to_string();
            health.contains("failing") && health.contains(&status.to_string())
        });
        wait_until(SOON, "a write that is held", || {
            agent.sum("anabranch_sink_held_total", "web") > 3.0
        });
        receiver.answer(200);
        receiver.wait_for_lines(1000, LONG);
        agent.wait_no_lag(&["web"], SOON);
        assert_eq!(agent.sum("anabranch_sink_dead_records_total", "web"), 0.0);
        assert_eq!(health(&agent, "web")["state"], "ok");
        assert_each_once(&receiver.lines(), "a", 1000);
    }
}

#[test]
fn an_index_that_takes_no_more_fields_refuses_everything_and_nothing_of_it_dies() {
    let Some(base) = server("ANABRANCH_SEARCH") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let index = format!("fields-{}", uuid::Uuid::new_v4().simple());
    let address = format!("{base}/{index}");
    let few = "{\"settings\":{\"index.mapping.total_fields.limit\":1}}";
    assert_eq!(put(&address, few).unwrap().status, 200);
    let http = super::support::free_port();
    let blocks = format!(
        "sources: {{ events: {{ topic: events, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }} }}\n\
         sinks:\n  search:\n    topics: [events]\n    retry: {{ backoff: 10ms, backoff_max: 200ms }}\n    \
         to: {{ elasticsearch: {{ endpoints: [\"{base}\"], index: {index} }} }}\n"
    );
    let mut agent = Agent::start(folder, &blocks);
    super::support::wait_listening(http);
    let body: String = (0..300).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let url = format!("http://127.0.0.1:{http}/");
    assert_eq!(post(&url, "application/x-ndjson", body).unwrap().status, 200);
    wait_until(SOON, "the sink to be failing", || {
        health(&agent, "search").to_string().contains("Limit of total fields")
    });
    wait_until(SOON, "another try", || agent.sum("anabranch_sink_held_total", "search") > 1.0);
    let more = "{\"index.mapping.total_fields.limit\":100}";
    assert_eq!(put(&format!("{address}/_settings"), more).unwrap().status, 200);
    wait_until(LONG, "all documents", || search_count(&base, &index) >= 300);
    agent.wait_no_lag(&["search"], SOON);
    assert_eq!(agent.sum("anabranch_sink_dead_records_total", "search"), 0.0);
    agent.stop();
}

#[test]
fn a_compressed_file_in_a_folder_that_cannot_be_written_is_an_error_of_its_sink() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a folder to itself");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let out = folder.join("out");
    fs::create_dir(&out).unwrap();
    fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).unwrap();
    let blocks = format!(
        "{}sinks:\n  out:\n    topics: [logs]\n    retry: {{ backoff: 10ms, backoff_max: 200ms }}\n    \
         to: {{ file: {{ path: \"{}/out.txt\", codec: raw, compression: gzip }} }}\n",
        source(folder),
        out.display()
    );
    let mut agent = Agent::start_without_privileges(folder, &blocks);
    append_lines(&folder.join("logs/a.log"), "a", 0..1);
    wait_until(SOON, "the sink to be failing", || {
        let health = health(&agent, "out").to_string();
        health.contains("failing") && health.contains("out.txt")
    });
    wait_until(SOON, "several tries", || agent.sum("anabranch_sink_errors_total", "out") > 5.0);
    let told = agent.log().lines().filter(|line| line.contains("delivery failed:")).count();
    assert_eq!(told, 1, "{}", agent.log());
    fs::set_permissions(&out, fs::Permissions::from_mode(0o755)).unwrap();
    wait_until(SOON, "the sink to be well", || health(&agent, "out")["state"] == "ok");
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    let packed = fs::read(out.join("out.txt.gz")).unwrap();
    let mut text = String::new();
    let mut plain = flate2::read::MultiGzDecoder::new(&packed[..]);
    std::io::Read::read_to_string(&mut plain, &mut text).unwrap();
    assert_eq!(text.lines().count(), 1);
}
