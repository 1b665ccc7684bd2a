//! The command line as its user sees it: the built program, its output, its exit codes.

mod clients;
mod damage;
mod dead_letters;
mod far;
mod isolation;
mod members;
mod moved;
mod newcomers;
mod replay;
mod wire;
mod wrong;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run of the program gave.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    /// What it printed, which must have gone well.
    #[track_caller]
    fn well(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }
}

/// Runs the program in `folder` with these words and this input.
fn anabranch(folder: &Path, words: &[&str], input: impl AsRef<[u8]>) -> Ran {
    let input = input.as_ref();
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(words).current_dir(folder).env_remove("ANABRANCH_CONFIG").env_remove("RUST_LOG");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.status.code().unwrap_or(-1);
    Ran { code, out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn every_help_teaches_by_examples() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "run",
        "check",
        "consume",
        "produce",
        "topics",
        "groups",
        "sinks",
        "dlq",
        "log",
        "completions",
    ] {
        let help = anabranch(folder.path(), &[command, "--help"], "").well();
        assert!(help.contains("Examples:\n"), "{command}: {help}");
        assert!(help.contains(&format!("anabranch {command}")), "{command}: {help}");
    }
    let help = anabranch(folder.path(), &["--help"], "").well();
    assert!(help.contains("Exit codes: 0 done, 1 failed, 2"), "{help}");
    let version = anabranch(folder.path(), &["--version"], "").well();
    assert_eq!(version, format!("anabranch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_are_printed_for_each_shell() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, expected) in
        [("bash", "complete -F"), ("zsh", "#compdef anabranch"), ("fish", "complete -c anabranch")]
    {
        let script = anabranch(folder.path(), &["completions", shell], "").well();
        assert!(script.contains(expected), "{shell}");
        assert!(script.contains("--key-separator") || script.contains("key-separator"), "{shell}");
    }
}

#[test]
fn check_says_what_runs_where_and_tries_the_far_ends() {
    let folder = tempfile::tempdir().unwrap();
    let port = super::support::free_port();
    let config = format!(
        "admin: {{ listen: \"127.0.0.1:{port}\" }}\n\
         sources: {{ in: {{ topic: t, from: {{ stdin: {{}} }} }} }}\n\
         sinks: {{ out: {{ topics: [t], to: {{ file: {{ path: \"./out/{{topic}}.log\" }} }} }} }}\n"
    );
    std::fs::write(folder.path().join("anabranch.yaml"), config).unwrap();
    let out = anabranch(folder.path(), &["check"], "").well();
    for expected in
        ["source  stdin      in", "sink    file       out", "embedded, in ./data", "is valid"]
    {
        assert!(out.contains(expected), "{expected}:\n{out}");
    }
    let out = anabranch(folder.path(), &["check", "anabranch.yaml", "--connect"], "").well();
    for expected in ["ok: hub: ./data can be written", "ok: admin.listen: 127.0.0.1:"] {
        assert!(out.contains(expected), "{expected}:\n{out}");
    }
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ran = anabranch(folder.path(), &["check", "--connect"], "");
    drop(taken);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error: admin.listen: cannot listen on 127.0.0.1:"), "{}", ran.err);
    // Held here, or by whoever else has it.
    let port_of_kafka = std::net::TcpListener::bind("127.0.0.1:9092");
    let out = anabranch(folder.path(), &["check", "--connect"], "").well();
    drop(port_of_kafka);
    let warning = "warning: hub.embedded.listen: cannot listen on 127.0.0.1:9092";
    assert!(out.contains(warning), "{out}");
    let config = format!(
        "sources: {{ in: {{ topic: t, from: {{ stdin: {{}} }} }} }}\nadmin: {{ listen: none }}\n\
         hub: {{ embedded: {{ listen: \"127.0.0.1:{port}\" }} }}\n"
    );
    std::fs::write(folder.path().join("anabranch.yaml"), config).unwrap();
    let out = anabranch(folder.path(), &["check", "--connect"], "").well();
    assert!(out.contains("hub     PLAINTEXT"), "{out}");
    assert!(out.contains("ok: hub.embedded.listen: 127.0.0.1:"), "{out}");
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let ran = anabranch(folder.path(), &["check", "--connect"], "");
    drop(taken);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error: hub.embedded.listen: cannot listen on"), "{}", ran.err);
    std::fs::write(folder.path().join("bad.yaml"), "sinks: { out: { topic: [t] } }\n").unwrap();
    let ran = anabranch(folder.path(), &["check", "bad.yaml"], "");
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: bad.yaml:1:"), "{}", ran.err);
}
