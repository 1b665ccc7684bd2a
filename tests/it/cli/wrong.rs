//! Wrong arguments: exit code 2, and the exact message.

use super::anabranch;

/// The words, and the first line on standard error.
const WRONG: &[(&str, &str)] = &[
    (
        "",
        "Collects logs and events, keeps them once in a durable hub, and lets any number of systems read them",
    ),
    ("runn", "error: unrecognized subcommand 'runn'"),
    (
        "run",
        "error: there is neither ./anabranch.yaml nor /etc/anabranch/anabranch.yaml; name a configuration, or let ANABRANCH_CONFIG name it",
    ),
    (
        "check gone.yaml",
        "error: cannot read gone.yaml: no such file; name the file after the command; config/quickstart.yaml is an example",
    ),
    ("consume", "error: the following required arguments were not provided:"),
    (
        "consume t",
        "error: which hub? name a configuration with --config, a data folder with --data-dir, or brokers with --bootstrap",
    ),
    (
        "consume t --data-dir data --from yesterday",
        "error: invalid value 'yesterday' for '--from <PLACE>': expected `beginning`, `end`, an offset, a time such as 2026-11-20T08:00:00Z, or how long ago such as 15m",
    ),
    (
        "consume t --data-dir data --format yaml",
        "error: invalid value 'yaml' for '--format <FORMAT>': expected `value`, `json`, `pretty`, `keys`, `raw`, or a template such as \"%k=%v\\n\"",
    ),
    (
        "consume t --data-dir data --format %x",
        "error: invalid value '%x' for '--format <FORMAT>': `%x` is not one of %t %p %o %T %k %v %h %%",
    ),
    (
        "consume t --data-dir data --partition -1",
        "error: invalid value '-1' for '--partition <N>': -1 is not in 0..=2147483647",
    ),
    (
        "consume t --data-dir data -f --until-end",
        "error: the argument '--follow' cannot be used with '--until-end'",
    ),
    ("consume ^( --data-dir data", "error: topic \"^(\" is not a pattern: error: unclosed group"),
    (
        "consume t --data-dir data --partition 7",
        "error: topic \"t\" has 1 partitions; --partition 7 is none of 0 to 0",
    ),
    (
        "produce a/b --data-dir data",
        "error: invalid value 'a/b' for '<TOPIC>': a topic has 1 to 249 letters, digits, dots, dashes and underscores",
    ),
    (
        "produce t --data-dir data --header x",
        "error: invalid value 'x' for '--header <NAME=VALUE>': \"x\" is not name=value",
    ),
    (
        "produce t --data-dir data --header __anabranch.position=x",
        "error: header \"__anabranch.position\" is reserved; choose a name that does not begin with `__anabranch.`",
    ),
    (
        "topics delete __consumer_offsets --yes --data-dir data",
        "error: topic \"__consumer_offsets\" belongs to the hub itself; choose a name that does not begin with `__`",
    ),
    (
        "produce t --data-dir data --partition 3",
        "error: 1 records are not stored: topic \"t\" has 1 partitions; there is no partition 3",
    ),
    (
        "topics list --bootstrap kafka",
        "error: invalid value 'kafka' for '--bootstrap <HOST:PORT>': \"kafka\" is not host:port, such as kafka:9092",
    ),
    (
        "topics list --bootstrap k:1 --data-dir data",
        "error: the argument '--bootstrap <HOST:PORT>' cannot be used with '--data-dir <DIR>'",
    ),
    (
        "topics create t --partitions 0 --data-dir data",
        "error: invalid value '0' for '--partitions <N>': 0 is not in 1..=10000",
    ),
    (
        "topics delete t --data-dir data",
        "error: would delete topic t with all its records; add --yes to do it",
    ),
    (
        "groups reset g --topic t --to 12 --data-dir data",
        "error: --to: expected `earliest`, `latest`, a time such as 2026-11-20T08:00:00Z, how long ago such as 15m, `offset N` or `shift N`",
    ),
    (
        "groups reset g --topic t --to shift x --data-dir data",
        "error: --to: \"x\" is not a whole number",
    ),
    ("completions tcsh", "error: invalid value 'tcsh' for '<SHELL>'"),
];

#[test]
fn wrong_arguments_are_told_exactly_and_end_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    anabranch(folder.path(), &["produce", "t", "--data-dir", "data"], "x\n").well();
    let mut faults = Vec::new();
    for (line, expected) in WRONG {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ran = anabranch(folder.path(), &words, "x\n");
        let first = ran.err.lines().next().unwrap_or_default().trim_end();
        // What the hub refuses while it stores has failed; all else was wrong before anything was done.
        let code = if expected.contains("not stored") { 1 } else { 2 };
        if first != *expected || ran.code != code {
            faults.push(format!("{line}\n  {} {first}\n  {code} {expected}", ran.code));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn what_is_not_there_fails_with_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    anabranch(folder.path(), &["produce", "t", "--data-dir", "data"], "x\n").well();
    for (line, expected) in [
        (
            "consume gone --data-dir data",
            "error: topic \"gone\" does not exist; `anabranch topics list` shows those that do",
        ),
        (
            "consume t --data-dir nowhere",
            "error: nowhere is not a data folder: it has no meta.properties; name the `data_dir` of an agent",
        ),
        ("topics create t --data-dir data", "error: topic \"t\" exists already"),
        (
            "groups describe g --data-dir data",
            "error: group \"g\" has committed nothing; `anabranch groups list` shows those that have",
        ),
        (
            "dlq show search --data-dir data",
            "error: sink \"search\" has no dead letters; `anabranch dlq list` shows those that have",
        ),
        (
            "produce t --file gone --data-dir data",
            "error: cannot open gone: No such file or directory (os error 2)",
        ),
    ] {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ran = anabranch(folder.path(), &words, "");
        assert_eq!((ran.err.trim_end(), ran.code), (expected, 1), "{line}");
    }
}
