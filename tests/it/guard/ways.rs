//! The ways to the API: the socket in the data folder, an address of its own, none.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Agent, asking, free_port, get};
use asking::{raw, request, token};

use super::{anabranch, topics};

const JSON: &str = "Content-Type: application/json\r\n";

fn create(at: &str, topic: &str, token: &str) -> (u16, String) {
    let head = format!("Host: {at}\r\n{JSON}{token}");
    raw(at, &request(&format!("POST /api/v1/topics/{topic}"), &head, "{\"partitions\":1}"))
}

#[test]
fn what_others_reach_is_watched_and_changes_nothing_unless_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), "");
    let token = token(&folder.path().join("data"));
    agent.stop();
    let (port, api) = (free_port(), free_port());
    let (here, elsewhere) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{api}"));
    agent.admin = format!("0.0.0.0:{port}");
    agent.configure_admin("", "");
    agent.start_again();
    let read = |at: &str, token: &str| {
        raw(at, &request("GET /api/v1/hub", &format!("Host: {at}\r\n{token}"), ""))
    };
    for path in ["health", "metrics"] {
        assert_eq!(get(&format!("http://{here}/{path}")).unwrap().status, 200);
    }
    assert_eq!(create(&here, "t", "").0, 401);
    let (status, answer) = create(&here, "t", &token);
    assert!(status == 404 && answer.contains("admin.api"), "{answer}");
    assert_eq!(read(&here, &token).0, 404);
    // Commands have their way all the same.
    let (code, said) =
        anabranch(folder.path(), &["topics", "create", "own", "--config", "anabranch.yaml"]);
    assert_eq!(code, 0, "{said}");
    agent.stop();

    agent.configure_admin(&format!("api: \"0.0.0.0:{api}\""), "");
    agent.start_again();
    assert_eq!((read(&elsewhere, "").0, read(&elsewhere, &token).0), (401, 200));
    assert_eq!((create(&elsewhere, "t", "").0, create(&elsewhere, "t", &token).0), (401, 200));
    assert_eq!(create(&here, "u", &token).0, 404);
    let health = raw(&elsewhere, &request("GET /health", &format!("Host: {elsewhere}\r\n"), ""));
    assert_eq!(health.0, 404, "{}", health.1);
    assert_eq!(topics(&agent), ["own", "t"]);
    agent.stop();
    let (code, said) = anabranch(folder.path(), &["check", "anabranch.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("warning: admin.api: everyone who reaches 0.0.0.0:"), "{said}");
    assert!(said.contains("can read health and metrics at 0.0.0.0:"), "{said}");
}

#[test]
fn commands_find_a_running_agent_by_its_data_folder_by_its_socket_or_its_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), "");
    let at = |name: &str| folder.path().join("data").join(name);
    for name in ["admin.sock", "admin-token"] {
        assert_eq!(fs::metadata(at(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let run = |words: &[&str]| {
        let (code, said) = anabranch(folder.path(), words);
        assert_eq!(code, 0, "{words:?}: {said}");
    };
    run(&["topics", "create", "by-folder", "--data-dir", "data"]);
    run(&["topics", "create", "by-config", "--config", "anabranch.yaml"]);
    fs::remove_file(at("admin.sock")).unwrap();
    run(&["topics", "create", "by-token", "--config", "anabranch.yaml"]);
    let (code, said) = anabranch(folder.path(), &["topics", "create", "x", "--data-dir", "data"]);
    assert!(code == 1 && said.contains("--config") && said.contains("admin.sock"), "{said}");
    // A token of the configuration is the one that counts then.
    agent.stop();
    agent.configure_admin("token: a-token-of-the-configuration", "");
    agent.start_again();
    let made = token(&folder.path().join("data"));
    assert_eq!(create(&agent.admin, "by-made", &made).0, 401);
    let given = "Authorization: Bearer a-token-of-the-configuration\r\n";
    assert_eq!(create(&agent.admin, "by-given", given).0, 200);
    fs::remove_file(at("admin.sock")).unwrap();
    run(&["topics", "create", "by-given-too", "--config", "anabranch.yaml"]);
    assert_eq!(topics(&agent), ["by-config", "by-folder", "by-given", "by-given-too", "by-token"]);
    assert!(!agent.log().contains("a-token-of-the"), "{}", agent.log());
    agent.stop();
    assert!(!at("admin.sock").exists());
}
