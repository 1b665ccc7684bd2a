//! The built program as its operator sees it: it starts, answers, stops, and survives being killed.

use super::support::{Agent, get};

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
