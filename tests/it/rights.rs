//! Files and folders that the agent's user may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::support::{Agent, SOON, file_lines, get, wait_until};

fn source(agent: &Agent) -> Value {
    let health = get(&format!("http://{}/health", agent.admin)).unwrap().body;
    serde_json::from_str::<Value>(&health).unwrap()["sources"]["f"].clone()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_is_told_until_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("logs")).unwrap();
    fs::create_dir(at("private")).unwrap();
    for (name, line) in [("logs/a.log", "a\n"), ("logs/b.log", "b\n"), ("private/c.log", "c\n")] {
        fs::write(at(name), line).unwrap();
    }
    set_mode(&at("logs/b.log"), 0);
    set_mode(&at("private"), 0);
    let blocks = format!(
        "sources:\n  f:\n    topic: t\n    from:\n      file:\n        \
           include: [\"{at}/logs/*.log\", \"{at}/private/*.log\"]\n        reconcile_interval: 1s\n\
         sinks: {{ out: {{ topics: [t], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }} }}\n",
        at = folder.path().display(),
    );
    let mut agent = Agent::start_without_privileges(folder.path(), &blocks);
    let lines = |wanted: &[&str]| {
        wait_until(SOON, &format!("{wanted:?}"), || {
            let mut lines =
                if at("out.txt").exists() { file_lines(&at("out.txt")) } else { Vec::new() };
            lines.sort();
            lines == wanted
        });
    };
    lines(&["a"]);
    wait_until(SOON, "both to be told", || source(&agent).to_string().contains("(and 1 more)"));
    let told = source(&agent);
    assert_eq!(told["state"], "degraded");
    let problem = told["problem"].as_str().unwrap();
    assert!(problem.starts_with("cannot read ") && problem.contains("/logs/b.log"), "{problem}");
    assert!(problem.contains("Permission denied") && problem.contains("its group"), "{problem}");
    assert!(!agent.log().contains("max_user_watches"), "{}", agent.log());

    set_mode(&at("private"), 0o700);
    lines(&["a", "c"]);
    wait_until(SOON, "one to be told", || {
        let told = source(&agent).to_string();
        told.contains("/logs/b.log") && !told.contains("more")
    });
    // What is no longer to be read is no longer told.
    agent.configure(&blocks.replace("/logs/*.log", "/logs/a.log"));
    agent.reload();
    wait_until(SOON, "nothing to be told", || source(&agent)["state"] == "ok");
    agent.configure(&blocks);
    agent.reload();
    wait_until(SOON, "it to be told again", || source(&agent)["state"] == "degraded");
    set_mode(&at("logs/b.log"), 0o600);
    lines(&["a", "b", "c"]);
    wait_until(SOON, "nothing to be told", || source(&agent)["state"] == "ok");
    agent.stop();
}
