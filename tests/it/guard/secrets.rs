//! What is secret in an address or a property is shown nowhere.

use std::fs;

use crate::support::{Agent, Receiver, SOON, free_port, get, post, wait_until};

use super::anabranch;

/// What no output may have in it.
fn assert_hidden(what: &str, text: &str) {
    for secret in ["hunter2", "s3cret", "sig=", "ada:"] {
        assert!(!text.contains(secret), "{what}: {secret}: {text}");
    }
}

#[test]
fn an_address_is_shown_without_its_user_and_its_query() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let address = receiver.url("").trim_start_matches("http://").to_owned();
    let (http, nobody) = (free_port(), free_port());
    let sink = |at: &str| {
        format!(
            "{{ topics: [t], to: {{ http: {{ url: \"http://ada:hunter2@{at}/in?sig=s3cret\" }} }} }}"
        )
    };
    let blocks = format!(
        "sources: {{ web: {{ topic: t, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }} }}\n\
         sinks:\n  there: {}\n  away: {}\n",
        sink(&address),
        sink(&format!("127.0.0.1:{nobody}"))
    );
    fs::write(
        folder.path().join("check.yaml"),
        format!("admin: {{ listen: none }}\nhub: {{ embedded: {{ listen: none }} }}\n{blocks}"),
    )
    .unwrap();
    let (code, said) = anabranch(folder.path(), &["check", "check.yaml", "--connect"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(&format!("http://{address}/in: answers")), "{said}");
    assert!(said.contains(&format!("http://127.0.0.1:{nobody}/in: ")), "{said}");
    assert_hidden("check", &said);

    let agent = Agent::start(folder.path(), &blocks);
    wait_until(SOON, "a source that takes something", || {
        post(&format!("http://127.0.0.1:{http}/"), "text/plain", "x\n")
            .is_ok_and(|answer| answer.status == 200)
    });
    let health = || get(&format!("http://{}/health", agent.admin)).unwrap().body;
    wait_until(SOON, "the sink that is away to be told", || health().contains(&nobody.to_string()));
    assert_hidden("health", &health());
    assert_hidden("metrics", &get(&format!("http://{}/metrics", agent.admin)).unwrap().body);
    assert_hidden("log", &agent.log());
}

#[test]
fn a_secret_on_the_command_line_is_warned_of_and_one_in_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("client.properties");
    fs::write(&at, "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=a\nsasl.password=s3cret\n").unwrap();
    fs::write(folder.path().join("password"), "s3cret\n").unwrap();
    let broker = format!("127.0.0.1:{}", free_port());
    let warned = "every user of this machine can read the sasl.password";
    let list = ["topics", "list", "--bootstrap", &broker];
    let plain = [
        "--option",
        "security.protocol=SASL_PLAINTEXT",
        "--option",
        "sasl.mechanism=PLAIN",
        "--option",
        "sasl.username=a",
    ];
    for (words, is_warned) in [
        (vec!["--option", "sasl.password=s3cret"], true),
        (vec!["--option", "sasl.password=${file:password}"], false),
    ] {
        let (code, said) = anabranch(folder.path(), &[&list[..], &plain[..], &words[..]].concat());
        assert_eq!((code, said.contains(warned)), (1, is_warned), "{said}");
        assert_hidden("topics list", &said);
    }
    let file = ["--options-file", "client.properties"];
    let (code, said) = anabranch(folder.path(), &[&list[..], &file[..]].concat());
    assert_eq!((code, said.contains(warned)), (1, false), "{said}");
    let unset = ["--option", "sasl.password=${NOBODY_SETS_THIS}"];
    let (code, said) = anabranch(folder.path(), &[&list[..], &unset[..]].concat());
    assert!(code == 2 && said.contains("the variable `NOBODY_SETS_THIS` is not set"), "{said}");
}
