//! One sink's trouble is that sink's alone; a new sink gets what was there before it; what a far side refuses is kept.

use std::path::Path;
use std::time::{Duration, Instant};

use super::support::{
    Agent, Receiver, SOON, append_lines, assert_each_once, assert_each_once_in_order,
    file_line_count, file_lines, get, numbers, wait_until,
};

/// How many lines are enough to be in many batches.
const MANY: usize = 30_000;

const LONG: Duration = Duration::from_secs(90);

/// A folder with `logs` to read from, and the block of the source that reads them.
fn source(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("logs")).unwrap();
    format!(
        "sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{}/logs/*.log\"] }} }} }} }}\n",
        folder.display()
    )
}

/// A sink over HTTP that sends a thousand lines at a time and does not wait long when the far side is away.
fn http_sink(name: &str, receiver: &Receiver) -> String {
    format!(
        "  {name}:\n    topics: [logs]\n    batch: {{ max_records: 1000 }}\n    \
         retry: {{ backoff: 10ms, backoff_max: 100ms }}\n    \
         to: {{ http: {{ url: \"{}\", format: lines }} }}\n",
        receiver.url("/in")
    )
}

fn file_sink(name: &str, folder: &Path, topic: &str) -> String {
    let path = folder.join(name).with_extension("txt");
    let path = path.display();
    format!(
        "  {name}: {{ topics: [{topic}], to: {{ file: {{ path: \"{path}\", codec: raw }} }} }}\n"
    )
}

#[test]
fn while_one_receiver_is_away_the_other_sinks_get_everything_and_it_gets_everything_later() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (healthy, mut away) = (Receiver::start(), Receiver::start());
    let sinks = [
        http_sink("healthy", &healthy),
        http_sink("away", &away),
        file_sink("archive", folder, "logs"),
    ];
    let agent = Agent::start(folder, &format!("{}sinks:\n{}", source(folder), sinks.concat()));
    let (log, archive) = (folder.join("logs/a.log"), folder.join("archive.txt"));

    append_lines(&log, "a", 0..1000);
    away.wait_for_lines(1000, SOON);
    away.go_away();
    let before = away.lines().len();
    append_lines(&log, "a", 1000..MANY);
    healthy.wait_for_lines(MANY, LONG);
    wait_until(LONG, "all lines in the file", || file_line_count(&archive) >= MANY);
    assert_eq!(away.lines().len(), before, "a receiver that is away has got something");
    wait_until(SOON, "health says who is in trouble", || {
        let health = get(&format!("http://{}/health", agent.admin)).unwrap();
        let health: serde_json::Value = serde_json::from_str(&health.body).unwrap();
        health["sinks"]["away"]["state"] == "failing" && health["sinks"]["healthy"]["state"] == "ok"
    });

    away.come_back();
    wait_until(LONG, "all lines at the one that came back", || {
        away.lines_of_distinct().len() >= MANY
    });
    assert_each_once_in_order(&away.lines_of_distinct(), "a", MANY);
    assert_each_once_in_order(&healthy.lines(), "a", MANY);
    assert_each_once_in_order(&file_lines(&archive), "a", MANY);
}

#[test]
fn a_receiver_that_was_away_since_before_the_start_and_over_a_restart_gets_everything() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (healthy, mut away) = (Receiver::start(), Receiver::start());
    away.go_away();
    let sinks = [http_sink("healthy", &healthy), http_sink("away", &away)];
    let mut agent = Agent::start(folder, &format!("{}sinks:\n{}", source(folder), sinks.concat()));

    append_lines(&folder.join("logs/a.log"), "a", 0..MANY);
    healthy.wait_for_lines(MANY, LONG);
    assert_eq!(away.lines().len(), 0);
    agent.stop();
    agent.start_again();
    away.come_back();

    away.wait_for_lines(MANY, LONG);
    assert_each_once_in_order(&away.lines(), "a", MANY);
    agent.wait_no_lag(&["healthy", "away"], SOON);
    assert_each_once_in_order(&healthy.lines(), "a", MANY);
}

#[test]
fn a_sink_that_is_added_later_gets_everything_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut blocks = format!("{}sinks:\n{}", source(folder), file_sink("first", folder, "logs"));
    let mut agent = Agent::start(folder, &blocks);
    let log = folder.join("logs/a.log");
    append_lines(&log, "a", 0..5000);
    let first = folder.join("first.txt");
    wait_until(SOON, "the first sink's lines", || file_line_count(&first) >= 5000);

    blocks += &file_sink("reloaded", folder, "logs").replace("to:", "start: earliest, to:");
    agent.configure(&blocks);
    agent.reload();
    append_lines(&log, "a", 5000..6000);
    let reloaded = folder.join("reloaded.txt");
    wait_until(SOON, "the lines of the second sink", || file_line_count(&reloaded) >= 6000);

    agent.stop();
    blocks += &file_sink("restarted", folder, "logs").replace("to:", "start: earliest, to:");
    blocks += &file_sink("late", folder, "logs").replace("to:", "start: latest, to:");
    agent.configure(&blocks);
    agent.start_again();
    let restarted = folder.join("restarted.txt");
    wait_until(SOON, "the lines of the third sink", || file_line_count(&restarted) >= 6000);
    agent.wait_no_lag(&["first", "reloaded", "restarted"], SOON);

    append_lines(&log, "a", 6000..7000);
    let late = folder.join("late.txt");
    wait_until(SOON, "new lines at the one that wants no old ones", || {
        file_line_count(&late) >= 1000
    });
    agent.wait_no_lag(&["first", "reloaded", "restarted", "late"], SOON);
    agent.stop();
    for path in [first, reloaded, restarted] {
        assert_each_once_in_order(&file_lines(&path), "a", 7000);
    }
    assert_eq!(numbers(&file_lines(&late), "a"), (6000..7000).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_is_taken_out_and_put_back_by_reloads_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (source, out) = (source(folder), file_sink("out", folder, "logs"));
    let other = file_sink("other", folder, "logs");
    let both = format!("{source}sinks:\n{other}{out}");
    let mut agent = Agent::start(folder, &both);
    let (log, written, others) =
        (folder.join("logs/a.log"), folder.join("out.txt"), folder.join("other.txt"));
    append_lines(&log, "a", 0..1000);
    wait_until(SOON, "the lines", || file_line_count(&written) >= 1000);

    agent.configure(&format!("{source}sinks:\n{other}"));
    agent.reload();
    wait_until(SOON, "the reload", || agent.log().contains("the configuration was reloaded"));
    append_lines(&log, "a", 1000..2000);
    wait_until(SOON, "the lines of the other", || file_line_count(&others) >= 2000);
    assert_eq!(file_line_count(&written), 1000, "a sink that is not there any more has written");

    agent.configure(&both);
    agent.reload();
    wait_until(SOON, "the lines of the sink that came back", || file_line_count(&written) >= 2000);
    agent.wait_no_lag(&["out", "other"], SOON);
    agent.stop();
    for path in [written, others] {
        assert_each_once_in_order(&file_lines(&path), "a", 2000);
    }
}

#[test]
fn a_wrong_configuration_is_refused_by_a_reload_and_the_old_one_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocks = format!("{}sinks:\n{}", source(folder), file_sink("out", folder, "logs"));
    let mut agent = Agent::start(folder, &blocks);
    agent.configure(&blocks.replace("include", "includes"));
    agent.reload();
    wait_until(SOON, "the refusal", || agent.log().contains("the new configuration is refused"));
    append_lines(&folder.join("logs/a.log"), "a", 0..1000);
    let out = folder.join("out.txt");
    wait_until(SOON, "the lines", || file_line_count(&out) >= 1000);
}

#[test]
fn of_many_records_only_the_one_that_the_receiver_refuses_goes_to_the_dead_letters() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let receiver = Receiver::start();
    receiver.refuse("a#0000777 ", 400);
    let sinks = [http_sink("web", &receiver), file_sink("letters", folder, "web.dlq")];
    let agent = Agent::start(folder, &format!("{}sinks:\n{}", source(folder), sinks.concat()));
    append_lines(&folder.join("logs/a.log"), "a", 0..3000);

    receiver.wait_for_lines(2999, LONG);
    let letters = folder.join("letters.txt");
    wait_until(SOON, "the dead letter", || file_line_count(&letters) >= 1);
    agent.wait_no_lag(&["web", "letters"], SOON);
    assert_eq!(numbers(&file_lines(&letters), "a"), [777]);
    assert_eq!(agent.metrics()["anabranch_sink_dead_records_total{sink=\"web\"}"], 1.0);
    assert_eq!(agent.metrics()["anabranch_sink_delivered_records_total{sink=\"web\"}"], 2999.0);
    let all = [receiver.lines(), file_lines(&letters)].concat();
    assert_each_once(&all, "a", 3000);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "that a wait is not too short is what is tested")]
fn a_receiver_that_asks_for_a_pause_gets_it_and_then_everything() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let receiver = Receiver::start();
    receiver.answer_retry_after(429, 2);
    let blocks = format!("{}sinks:\n{}", source(folder), http_sink("web", &receiver));
    let _agent = Agent::start(folder, &blocks);
    append_lines(&folder.join("logs/a.log"), "a", 0..1000);

    wait_until(SOON, "a first refusal", || receiver.refused() >= 1);
    let (refused, since) = (receiver.refused(), Instant::now());
    wait_until(SOON, "two more refusals", || receiver.refused() >= refused + 2);
    // Without the pauses that it asks for, it would be asked every 100 ms at the least.
    assert!(since.elapsed() >= Duration::from_secs(2), "asked again after {:?}", since.elapsed());
    receiver.answer(200);
    receiver.wait_for_lines(1000, SOON);
    assert_each_once_in_order(&receiver.lines(), "a", 1000);
}
