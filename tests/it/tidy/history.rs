//! Commits say what changes and why.

use std::process::Command;

use super::{assert_none, root};

/// The last commit of which nothing is asked.
const BEFORE: &str = "d77d4a1";
/// Longest first line.
const SUBJECT_MAX: usize = 72;

/// Commits since then, each as subject and body; none where there is no repository, or not all of it.
fn commits() -> Vec<(String, String)> {
    let range = format!("{BEFORE}..HEAD");
    let mut git = Command::new("git");
    git.args(["log", "--no-merges", "--format=%s%x00%b%x01", &range]).current_dir(root());
    let Ok(told) = git.output() else { return Vec::new() };
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let each = told.split('\u{1}').filter_map(|one| one.trim_start().split_once('\0'));
    each.map(|(subject, body)| (subject.to_owned(), body.trim().to_owned())).collect()
}

#[test]
fn each_commit_names_its_area_and_has_a_reason() {
    let mut faults = Vec::new();
    for (subject, body) in commits() {
        let length = subject.chars().count();
        if length > SUBJECT_MAX {
            faults.push(format!("\"{subject}\" has {length} characters; at most {SUBJECT_MAX}"));
        }
        let is_area = |area: &str| !area.is_empty() && !area.contains('.');
        if !subject.split_once(": ").is_some_and(|(area, _)| is_area(area)) {
            faults.push(format!("\"{subject}\" does not begin with its area and a colon"));
        }
        if body.is_empty() {
            faults.push(format!("\"{subject}\" does not say why"));
        }
    }
    assert_none(&faults);
}
