//! Members of one group beside a running agent.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::anabranch;
use crate::support::{Agent, SOON, wait_until};

/// Follows the topic `t` as a member of `group`, into a file.
fn follow(agent: &Agent, group: &str, out: &std::path::Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_anabranch"))
        .args(["consume", "t", "--follow", "--group", group, "--config"])
        .arg(agent.config())
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(out).unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn two_that_follow_as_one_group_share_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, _address) = Agent::listening(folder.path(), 4);
    let config = agent.config();
    let run = |words: &str, input: &str| {
        let mut words: Vec<&str> = words.split(' ').collect();
        words.extend(["--config", config.to_str().unwrap()]);
        anabranch(folder.path(), &words, input).well()
    };
    run("topics create t --partitions 4", "");
    let outs = ["one", "two"].map(|name| folder.path().join(name));
    let mut members = outs.each_ref().map(|out| follow(&agent, "g", out));
    let mut sent = 0;
    wait_until(SOON, "both have something", || {
        for partition in 0..4 {
            let lines: String = (sent..sent + 20).map(|number| format!("{number}\n")).collect();
            run(&format!("produce t --partition {partition}"), &lines);
            sent += 20;
        }
        outs.iter().all(|out| std::fs::metadata(out).unwrap().len() > 0)
    });
    let read = || {
        let texts = outs.each_ref().map(|out| std::fs::read_to_string(out).unwrap());
        let mut numbers: Vec<usize> =
            texts.iter().flat_map(|text| text.lines()).map(|line| line.parse().unwrap()).collect();
        numbers.sort_unstable();
        let read = numbers.len();
        numbers.dedup();
        (numbers, read)
    };
    // What was printed while partitions changed hands may come again, once.
    wait_until(SOON, "everything, shared", || {
        let (numbers, read) = read();
        numbers == (0..sent).collect::<Vec<_>>() && read < sent + sent / 2
    });
    for member in &mut members {
        member.kill().unwrap();
        member.wait().unwrap();
    }
    agent.stop();
}

#[test]
fn the_group_of_a_sink_is_left_to_it_and_without_a_listener_it_is_told_that_nothing_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = "hub: { embedded: { listen: none } }\nsinks: { keep: { topics: [t], to: { file: { path: out.log } } } }\n";
    let mut agent = Agent::start(folder.path(), blocks);
    let config = agent.config();
    let config = config.to_str().unwrap();
    anabranch(folder.path(), &["produce", "t", "--config", config], "one\n").well();
    let refused =
        anabranch(folder.path(), &["consume", "t", "--group", "keep", "--config", config], "");
    assert_eq!(refused.code, 2);
    assert!(refused.err.starts_with("error: group \"keep\" is that of a sink"), "{}", refused.err);
    let delete = |group: &str| {
        let words = ["groups", "delete", group, "--yes", "--config", config];
        anabranch(folder.path(), &words, "")
    };
    let refused = delete("keep");
    assert!(refused.code == 1 && refused.err.contains("belongs to a sink"), "{}", refused.err);
    let mut child = follow(&agent, "mine", &folder.path().join("out"));
    wait_until(SOON, "what was produced", || {
        std::fs::read_to_string(folder.path().join("out")).unwrap() == "one\n"
    });
    let describe = ["groups", "describe", "mine", "--config", config];
    wait_until(SOON, "its commit", || anabranch(folder.path(), &describe, "").code == 0);
    child.kill().unwrap();
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    child.wait().unwrap();
    assert!(told.starts_with("warning: members of a group that read through this agent"), "{told}");
    assert_eq!(delete("mine").well(), "group mine deleted\n");
    assert!(delete("mine").err.contains("has committed nothing"));
    agent.stop();
}
