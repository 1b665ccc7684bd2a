//! The built program as its operator sees it: it starts, answers, stops, and survives being killed.

use std::process::Command;

use serde_json::Value;

use super::support::{Agent, SOON, append_lines, get, wait_until};

const BLOCKS: &str = "topics: { events: { partitions: 1 } }\n";

#[test]
fn a_healthy_agent_shows_metrics_and_stops_with_exit_code_0() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), BLOCKS);

    assert!(!agent.metrics().is_empty());

    agent.stop();
    assert!(get(&format!("http://{}/health", agent.admin)).is_err());
}

#[test]
fn a_killed_agent_starts_again_on_its_data_and_takes_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), BLOCKS);
    agent.kill();

    agent.start_again();
    agent.configure(BLOCKS);
    agent.reload();

    assert!(!agent.log().is_empty());
    agent.stop();
}

#[test]
fn a_sink_and_a_source_that_are_taken_out_are_shown_no_more_and_the_group_may_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let source = |name: &str| {
        format!(
            "  {name}: {{ topic: t, from: {{ file: {{ include: [\"{at}/{name}.log\"] }} }} }}\n"
        )
    };
    let sink = |name: &str| {
        format!("  {name}: {{ topics: [t], to: {{ file: {{ path: \"{at}/{name}.out\" }} }} }}\n")
    };
    let blocks = |names: [&[&str]; 2]| {
        let sources: String = names[0].iter().map(|name| source(name)).collect();
        let sinks: String = names[1].iter().map(|name| sink(name)).collect();
        format!("sources:\n{sources}sinks:\n{sinks}")
    };
    let mut agent = Agent::start(folder.path(), &blocks([&["kept", "gone"], &["stays", "leaves"]]));
    append_lines(&folder.path().join("gone.log"), "a", 0..10);
    agent.wait_no_lag(&["stays", "leaves"], SOON);
    wait_until(SOON, "ten lines", || {
        agent.sum("anabranch_sink_delivered_records_total", "leaves") == 10.0
    });

    agent.configure(&blocks([&["kept"], &["stays"]]));
    agent.reload();
    let health = || {
        let body = get(&format!("http://{}/health", agent.admin)).unwrap().body;
        serde_json::from_str::<Value>(&body).unwrap()
    };
    wait_until(SOON, "only what is left to be shown", || {
        let keys = |part: &str| health()[part].as_object().map(|all| all.keys().cloned().collect());
        (keys("sources"), keys("sinks"))
            == (Some(vec!["kept".to_owned()]), Some(vec!["stays".to_owned()]))
    });
    let shown = agent.metrics().into_keys().filter(|key| {
        key.contains("sink=\"leaves\"")
            || key.contains("source=\"gone\"")
            || key.contains("group=\"leaves\"")
    });
    assert_eq!(shown.collect::<Vec<_>>(), [""; 0]);
    let reset = |group: &str| {
        let words =
            ["groups", "reset", group, "--topic", "t", "--to", "earliest", "--yes", "--config"];
        let output =
            Command::new(env!("CARGO_BIN_EXE_anabranch")).args(words).arg(agent.config()).output();
        output.unwrap().status.success()
    };
    assert!(reset("leaves"));
    // That of a sink that runs is moved with the sink (`cli::clients` has what comes of it).
    assert!(reset("stays"));
    agent.stop();
}

#[test]
fn progress_that_somebody_took_away_is_missed_aloud() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    let blocks = format!(
        "sources: {{ in: {{ topic: t, from: {{ file: {{ include: [\"{at}/in.log\"] }} }} }} }}\n\
         sinks: {{ keep: {{ topics: [t], to: {{ file: {{ path: \"{at}/out\" }} }} }} }}\n"
    );
    let mut agent = Agent::start(folder.path(), &blocks);
    append_lines(&folder.path().join("in.log"), "a", 0..10);
    wait_until(SOON, "ten lines", || {
        agent.sum("anabranch_sink_delivered_records_total", "keep") == 10.0
    });
    agent.stop();
    assert!(!agent.log().contains("was missing"), "a new folder has nothing to miss");
    for topic in ["__consumer_offsets-0", "__source_positions-0"] {
        std::fs::remove_dir_all(folder.path().join("data").join(topic)).unwrap();
    }
    agent.start_again();
    let missed = ["how far groups had read", "how far sources had read"];
    wait_until(SOON, "both are missed", || {
        missed.iter().all(|what| agent.log().contains(&format!("was missing, and with it {what}")))
    });
    agent.stop();
}
