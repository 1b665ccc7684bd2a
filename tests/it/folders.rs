//! The file source of the built program where folders, links and holes are what is hard.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::support::{
    Agent, SOON, append_lines, assert_each_once, assert_each_once_in_order, file_line_count,
    file_lines, wait_until,
};

const LONG: Duration = Duration::from_secs(60);

/// A source of `include`, inside the folder, and a sink that writes `app.txt`.
fn blocks(folder: &Path, include: &str, more: &str) -> String {
    let folder = folder.display();
    format!(
        "sources:\n  app: {{ topic: app, from: {{ file: {{ include: [\"{folder}/{include}\"]{more} }} }} }}\nsinks:\n  \
         out: {{ topics: [app], to: {{ file: {{ path: \"{folder}/{{topic}}.txt\", codec: raw }} }} }}\n"
    )
}

#[test]
fn what_a_link_leads_to_is_rotated_again_and_again_while_the_agent_runs_and_is_killed() {
    const ROUNDS: usize = 30;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // As the kubelet has it: a link to a link to the file.
    for name in ["containers", "pods/app", "docker/app"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    let file = at("docker/app/0.log");
    symlink(&file, at("pods/app/0.log")).unwrap();
    symlink("../pods/app/0.log", at("containers/app.log")).unwrap();
    append_lines(&file, "app", 0..10);
    // Nothing but what is heard of can be in time.
    let blocks = blocks(folder.path(), "containers/*.log", ", reconcile_interval: 10m");
    let mut agent = Agent::start(folder.path(), &blocks);
    let out = at("app.txt");
    // What is rotated out of the globs before anything of it was stored is not known to be a log (README, Limits).
    wait_until(SOON, "the first lines", || file_line_count(&out) >= 10);
    for round in 1..=ROUNDS {
        append_lines(&file, "app", round * 10..round * 10 + 5);
        if round % 3 == 0 {
            wait_until(SOON, "what was written", || file_line_count(&out) >= round * 10 + 5);
        }
        if round % 10 == 0 {
            agent.kill();
        }
        fs::rename(&file, file.with_extension(format!("log.{round:03}"))).unwrap();
        append_lines(&file, "app", round * 10 + 5..round * 10 + 10);
        if round % 10 == 0 {
            agent.start_again();
        }
    }
    wait_until(LONG, "all lines", || file_line_count(&out) >= (ROUNDS + 1) * 10);
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    assert_each_once(&file_lines(&out), "app", (ROUNDS + 1) * 10);
}

#[test]
fn thousands_of_folders_that_go_and_come_hold_up_no_file() {
    const FOLDERS: usize = 6000;
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let make = |begin: usize| {
        for number in begin..begin + FOLDERS {
            let one = logs.join(format!("many/{number}"));
            fs::create_dir_all(&one).unwrap();
            fs::write(one.join("a.log"), "").unwrap();
        }
    };
    make(0);
    let mut agent = Agent::start(folder.path(), &blocks(folder.path(), "logs/**/*.log", ""));
    let (out, app) = (folder.path().join("app.txt"), logs.join("app.log"));
    let mut lines = 0;
    let mut grow = |what: &str| {
        append_lines(&app, "app", lines..lines + 10);
        lines += 10;
        wait_until(SOON, what, || file_line_count(&out) >= lines);
    };
    grow("lines before");
    fs::remove_dir_all(logs.join("many")).unwrap();
    grow("lines while folders go");
    make(FOLDERS);
    grow("lines while folders come");
    fs::rename(logs.join("many"), logs.join("other")).unwrap();
    grow("lines while folders get another name");
    fs::remove_dir_all(logs.join("other")).unwrap();
    grow("lines in the end");
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    assert_each_once_in_order(&file_lines(&out), "app", lines);
}

#[test]
fn a_hole_of_terabytes_under_a_writer_is_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.log");
    fs::write(&file, "\u{feff}").unwrap();
    append_lines(&file, "app", 0..10);
    let mut agent = Agent::start(folder.path(), &blocks(folder.path(), "app.log", ""));
    let out = folder.path().join("app.txt");
    wait_until(SOON, "lines before", || file_line_count(&out) >= 10);
    let mut writer = File::options().append(true).open(&file).unwrap();
    writer.set_len(1 << 42).unwrap();
    writer.write_all(&[0; 5000]).unwrap();
    append_lines(&file, "app", 10..20);
    wait_until(SOON, "lines behind", || file_line_count(&out) >= 20);
    assert_eq!(agent.sum("anabranch_source_dropped_records_total", "reason=\"nul\""), 1.0);
    agent.kill();
    append_lines(&file, "app", 20..30);
    agent.start_again();
    wait_until(SOON, "lines of the next life", || file_line_count(&out) >= 30);
    agent.stop();
    let texts = file_lines(&out);
    assert_each_once_in_order(&texts, "app", 30);
    assert_eq!(texts.len(), 30);
}

#[test]
fn what_a_sink_wrote_to_a_file_that_is_then_removed_is_not_lost_before_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("app.log"), folder.path().join("app.txt"));
    append_lines(&file, "app", 0..100);
    let blocks = blocks(folder.path(), "app.log", "");
    let blocks = blocks.replace("topics: [app],", "topics: [app], commit_interval: 1h,");
    let mut agent = Agent::start(folder.path(), &blocks);
    wait_until(SOON, "lines before", || file_line_count(&out) >= 100);
    fs::remove_file(&out).unwrap();
    append_lines(&file, "app", 100..200);
    wait_until(SOON, "lines behind", || {
        agent.sum("anabranch_sink_delivered_records_total", "sink=\"out\"") >= 200.0
    });
    agent.stop();
    let texts = file_lines(&out);
    assert_each_once_in_order(&texts, "app", 200);
    assert_eq!(texts.len(), 200);
}

#[test]
fn braces_are_read_as_a_choice_and_check_tells_of_patterns_that_find_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["web", "app-1", "app-2", "other", "[prod]"] {
        let logs = folder.path().join("logs").join(name);
        fs::create_dir_all(&logs).unwrap();
        append_lines(&logs.join("x.log"), name, 0..5);
    }
    let good = blocks(folder.path(), "logs/{web,app-{1,2}}/*.{log,txt}", "");
    let mut agent = Agent::start(folder.path(), &good);
    let out = folder.path().join("app.txt");
    wait_until(SOON, "all lines", || file_line_count(&out) >= 15);
    agent.stop();
    let texts = file_lines(&out);
    assert_eq!(texts.len(), 15);
    for name in ["web", "app-1", "app-2"] {
        assert_each_once_in_order(&texts, name, 5);
    }

    let check = |include: &str| {
        agent.configure(&blocks(folder.path(), include, ""));
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        let ran = command.arg("check").arg(agent.config()).output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = check("logs/{web,app-{1,2}}/*.{log,txt}");
    assert!(code == Some(0) && !said.contains("warning"), "{said}");
    for (include, wanted) in [
        ("logs", "which is a folder"),
        ("log/*.log", "there is no folder"),
        ("logs/{web,none}/*.log", "there is no folder"),
        ("logs/[prod]/*.log", "one of the letters"),
        ("logs/$HOST/*.log", "where $ stands for itself"),
        ("logs/.+/x.log$", "looks like a regular expression"),
        ("logs/web/", "ends as a folder does"),
    ] {
        let (code, said) = check(include);
        assert!(code == Some(0) && said.contains("warning: "), "{include}: {said}");
        assert!(said.contains(wanted) && said.contains("include"), "{include}: {said}");
    }
}
