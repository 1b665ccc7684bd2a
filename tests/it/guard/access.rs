//! Requests that a foreign web page, another user or another machine could send.

use crate::support::{Agent, asking};
use asking::{raw, request, token};

use super::{anabranch, topics};

const JSON: &str = "Content-Type: application/json\r\n";
const LINES: &str = "Content-Type: application/x-ndjson\r\n";

#[test]
fn what_a_web_page_can_send_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "");
    let (at, token) = (agent.admin.as_str(), token(&folder.path().join("data")));
    let here = format!("Host: {at}\r\n");
    let (code, said) =
        anabranch(folder.path(), &["topics", "create", "kept", "--data-dir", "data"]);
    assert_eq!(code, 0, "{said}");
    let record = "{\"value\":\"x\"}\n";
    let store = "POST /api/v1/topics/t/records";
    let delete = "DELETE /api/v1/topics/kept";
    for (what, first, head, body, expected) in [
        ("a form", store, format!("{here}Content-Type: text/plain\r\n{token}"), record, 415),
        ("no content type", store, format!("{here}{token}"), record, 415),
        ("no token", store, format!("{here}{LINES}"), record, 401),
        ("no token", delete, here.clone(), "", 401),
        (
            "a foreign page",
            store,
            format!("{here}{LINES}{token}Origin: http://evil.example\r\n"),
            record,
            403,
        ),
        ("a sandboxed page", delete, format!("{here}{JSON}{token}Origin: null\r\n"), "", 403),
        (
            "a page of another port",
            delete,
            format!("{here}{JSON}{token}Origin: http://127.0.0.1:1\r\n"),
            "",
            403,
        ),
        ("a bound name", store, format!("Host: evil.example\r\n{LINES}{token}"), record, 403),
        (
            "a bound name of a page",
            delete,
            format!("Host: evil.example\r\n{JSON}{token}Origin: http://evil.example\r\n"),
            "",
            403,
        ),
        ("no name", delete, format!("{JSON}{token}"), "", 403),
        ("two names", delete, format!("{here}Host: evil.example\r\n{JSON}{token}"), "", 403),
        (
            "an absolute name",
            "DELETE http://evil.example/api/v1/topics/kept",
            format!("{here}{JSON}{token}"),
            "",
            403,
        ),
    ] {
        let (status, answer) = raw(at, &request(first, &head, body));
        assert_eq!(status, expected, "{what}: {answer}");
        assert!(!answer.to_lowercase().contains("access-control-allow"), "{what}: {answer}");
    }
    let (status, _) = raw(at, &request("OPTIONS /api/v1/topics/kept", &here, ""));
    assert!(status >= 400, "{status}");
    assert_eq!(topics(&agent), ["kept"]);
    let stored = raw(at, &request(store, &format!("{here}{LINES}{token}"), record));
    assert_eq!(stored.0, 200, "{}", stored.1);
    let deleted = raw(at, &request(delete, &format!("{here}{token}"), ""));
    assert_eq!(deleted.0, 200, "{}", deleted.1);
    assert_eq!(topics(&agent), ["t"]);
}

#[test]
fn a_bound_name_reads_nothing_and_a_known_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(folder.path(), "");
    let ask = |at: &str, path: &str, host: &str| {
        raw(at, &request(&format!("GET {path}"), &format!("Host: {host}\r\n"), "")).0
    };
    for path in ["/health", "/metrics", "/api/v1/hub"] {
        assert_eq!(ask(&agent.admin, path, "evil.example"), 403, "{path}");
        assert_eq!(ask(&agent.admin, path, &agent.admin), 200, "{path}");
        assert_eq!(ask(&agent.admin, path, "localhost"), 200, "{path}");
    }
    agent.stop();
    agent.configure_admin("allowed_hosts: [Agent.example]", "");
    agent.start_again();
    assert_eq!(ask(&agent.admin, "/metrics", "agent.example:9690"), 200);
    assert_eq!(ask(&agent.admin, "/metrics", "evil.example"), 403);
}

#[test]
fn access_control_holds_for_those_who_have_the_token_too() {
    let folder = tempfile::tempdir().unwrap();
    let acls = "hub:\n  embedded:\n    listen: none\n    super_users: [\"User:root\"]\n    acls:\n      \
        - { principal: \"User:admin\", operations: [write, create], topic: \"mine-*\" }\n      \
        - { principal: \"User:admin\", operations: [read], group: \"*\" }\n";
    let mut agent = Agent::start(folder.path(), acls);
    let data = folder.path().join("data");
    let ask = |agent: &Agent, first: &str, kind: &str, body: &str| {
        let head = format!("Host: {}\r\n{kind}{}", agent.admin, token(&data));
        raw(&agent.admin, &request(first, &head, body))
    };
    let record = "{\"value\":\"x\"}\n";
    assert_eq!(ask(&agent, "POST /api/v1/topics/mine-1", JSON, "{\"partitions\":1}").0, 200);
    assert_eq!(ask(&agent, "POST /api/v1/topics/mine-2/records", LINES, record).0, 200);
    let moves =
        "{\"group\":\"g\",\"offsets\":[{\"topic\":\"mine-1\",\"partition\":0,\"offset\":0}]}";
    for (first, kind, body) in [
        ("POST /api/v1/topics/other", JSON, "{\"partitions\":1}"),
        ("POST /api/v1/topics/other", JSON, ""),
        ("POST /api/v1/topics/other/records", LINES, record),
        ("DELETE /api/v1/topics/mine-1", JSON, ""),
        ("POST /api/v1/offsets", JSON, moves),
        ("DELETE /api/v1/offsets", JSON, "{\"group\":\"g\"}"),
    ] {
        let (status, answer) = ask(&agent, first, kind, body);
        assert_eq!(status, 403, "{first}: {answer}");
        assert!(
            answer.contains("User:admin may not") && answer.contains("super_users"),
            "{answer}"
        );
    }
    let (code, said) = anabranch(
        folder.path(),
        &["topics", "delete", "mine-1", "--yes", "--config", "anabranch.yaml"],
    );
    assert!(code == 1 && said.contains("User:admin may not delete topic \"mine-1\""), "{said}");
    assert_eq!(topics(&agent), ["mine-1", "mine-2"]);
    // Taken over by a reload, also without a listener.
    agent.configure(&acls.replace("User:root", "User:admin"));
    agent.reload();
    crate::support::wait_until(crate::support::SOON, "the new super user", || {
        ask(&agent, "DELETE /api/v1/topics/mine-1", JSON, "").0 == 200
    });
    assert_eq!(topics(&agent), ["mine-2"]);
}
