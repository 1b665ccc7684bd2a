//! What people type who know other programs.

use super::anabranch;

const CONFIG: &str = "sources: { a: { topic: t, from: { stdin: {} } } }\nadmin: { listen: none }\nhub: { embedded: { listen: none } }\n";

#[test]
fn a_configuration_is_named_in_any_usual_way() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("c.yaml"), CONFIG).unwrap();
    for words in [
        &["check", "c.yaml"][..],
        &["check", "--config", "c.yaml"],
        &["check", "-c", "c.yaml"],
        &["validate", "c.yaml"],
    ] {
        let told = anabranch(folder.path(), words, "").well();
        assert!(told.ends_with("c.yaml is valid\n"), "{words:?}: {told}");
    }
    // It ends by itself: what is wrong with it is told, so it was read.
    std::fs::write(folder.path().join("c.yaml"), "log: { level: warning }\n").unwrap();
    for words in
        [&["run", "--config", "c.yaml"][..], &["run", "-c", "c.yaml"], &["start", "c.yaml"]]
    {
        let ran = anabranch(folder.path(), words, "");
        assert_eq!(ran.code, 2, "{words:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: c.yaml:1:8: log.level: "), "{words:?}: {}", ran.err);
    }
}

#[test]
fn help_and_version_are_commands_too() {
    let folder = tempfile::tempdir().unwrap();
    let version = anabranch(folder.path(), &["--version"], "").well();
    assert_eq!(anabranch(folder.path(), &["version"], "").well(), version);
    let help = anabranch(folder.path(), &["help"], "").well();
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    let help = anabranch(folder.path(), &["help", "consume"], "").well();
    assert!(help.contains("anabranch consume app-logs"), "{help}");
}

#[test]
fn a_fault_is_shown_in_its_line_without_colours_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let text = "log:\n  level: warning\nproducer: { acks: some }\n";
    std::fs::write(folder.path().join("c.yaml"), text).unwrap();
    let ran = anabranch(folder.path(), &["check", "c.yaml"], "");
    let expected = "error: c.yaml:2:3: log.level: \"warning\" is not a level; did you mean `warn`?\n  2 |   level: warning\n    |   ^\n\
                    error: c.yaml:3:19: producer.acks: \"some\" is not 0, 1 or all\n  3 | producer: { acks: some }\n    |                   ^\n";
    assert_eq!((ran.err.as_str(), ran.code), (expected, 2));
}

#[test]
fn the_place_of_a_group_may_stand_in_quotes() {
    let folder = tempfile::tempdir().unwrap();
    anabranch(folder.path(), &["produce", "t", "--data-dir", "d"], "a\nb\nc\n").well();
    let words = ["groups", "reset", "g", "--topic", "t", "--data-dir", "d", "--yes", "--to"];
    let quoted = [&words[..], &["offset 2"]].concat();
    assert!(anabranch(folder.path(), &quoted, "").well().contains('2'));
    let plain = [&words[..], &["offset", "2"]].concat();
    anabranch(folder.path(), &plain, "").well();
}
