//! What a file names of others: its `use` lines and its paths, read from the text.

use std::sync::LazyLock;

use regex::Regex;

/// One name that is brought in.
pub(super) struct Import {
    /// Where it comes from, as it stands there.
    pub(super) path: Vec<String>,
    /// What it is called here.
    pub(super) name: String,
    /// Whether it is passed on.
    pub(super) is_public: bool,
}

static USE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^[ \t]*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);").unwrap());
static PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)+").unwrap());

/// The code that is shipped.
pub(super) fn without_comments_and_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let line = |line: &str| line.split("//").next().unwrap().to_owned() + "\n";
    code.lines().map(line).collect()
}

/// Everything that is brought in.
pub(super) fn imports(text: &str) -> Vec<Import> {
    let mut all = Vec::new();
    for found in USE.captures_iter(text) {
        expand(&[], &found[2], found.get(1).is_some(), &mut all);
    }
    all
}

/// Paths in the code, but for those of `use` lines.
pub(super) fn paths(text: &str) -> Vec<Vec<String>> {
    let code = USE.replace_all(text, "");
    let is_whole = |start: usize| !code.get(..start).unwrap().ends_with([':', '.', '"']);
    let found = PATH.find_iter(&code).filter(|found| is_whole(found.start()));
    found.map(|found| found.as_str().split("::").map(str::to_owned).collect()).collect()
}

/// Takes one tree of a `use` apart: `a::{b, c::d as e}`.
fn expand(before: &[String], tree: &str, is_public: bool, all: &mut Vec<Import>) {
    let tree = tree.trim();
    let (head, inner) = match tree.split_once('{') {
        Some((head, inner)) => (head, inner.strip_suffix('}')),
        None => (tree, None),
    };
    let (head, alias) =
        head.split_once(" as ").map_or((head, None), |(head, alias)| (head, Some(alias)));
    let steps = head.split("::").map(str::trim).filter(|step| !step.is_empty());
    let mut path: Vec<String> = before.iter().cloned().chain(steps.map(str::to_owned)).collect();
    if let Some(inner) = inner {
        for part in parts(inner) {
            expand(&path, part, is_public, all);
        }
        return;
    }
    path.pop_if(|last| last == "self" && !before.is_empty());
    if let Some(last) = path.last() {
        let name = alias.unwrap_or(last).trim().to_owned();
        all.push(Import { path, name, is_public });
    }
}

/// The parts of a list, which may have lists in them.
fn parts(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut begin) = (Vec::new(), 0, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list.get(begin..at).unwrap());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list.get(begin..).unwrap());
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

#[test]
fn uses_are_taken_apart() {
    let text = "use crate::a::{self, b, c::{D as E, f}};\npub(crate) use super::g;\n";
    let shown: Vec<String> = imports(text)
        .iter()
        .map(|one| format!("{} {} {}", one.path.join("::"), one.name, one.is_public))
        .collect();
    let expected = [
        "crate::a a false",
        "crate::a::b b false",
        "crate::a::c::D E false",
        "crate::a::c::f f false",
        "super::g g true",
    ];
    assert_eq!(shown, expected);
    assert_eq!(
        paths("let x = a::b(c::D::e(), f.g::<h>());"),
        [vec!["a", "b"], vec!["c", "D", "e"]]
    );
}
