//! How patterns are written: braces, and what means something else elsewhere.
//!
//! `{a,b}` is written out before anything else, as a shell does: `/logs/{web,app-{1,2}}/*.log` is three patterns. Braces
//! without a comma, without their other half or inside of `[…]` stand for themselves.

use std::path::Path;

use crate::contract::settings::Doubt;

/// Most patterns that one may be written out to.
const PATTERNS_MAX: usize = 1000;

/// The patterns that `pattern` is short for.
///
/// # Errors
/// A sentence for a person when there are too many.
pub(super) fn written_out(pattern: &str) -> Result<Vec<String>, String> {
    let (mut done, mut open) = (Vec::new(), vec![pattern.to_owned()]);
    while let Some(next) = open.pop() {
        let Some((before, choices, behind)) = braces(&next) else {
            done.push(next);
            continue;
        };
        open.extend(choices.into_iter().rev().map(|choice| format!("{before}{choice}{behind}")));
        if done.len() + open.len() > PATTERNS_MAX {
            return Err(format!("its braces stand for more than {PATTERNS_MAX} patterns"));
        }
    }
    Ok(done)
}

/// The first braces that offer a choice: what is before them, the choices, what is behind.
fn braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut from = 0;
    while let Some(begin) = find_outside_of_classes(pattern, from, '{') {
        if let Some((choices, end)) = choices(pattern, begin + 1).filter(|(all, _)| all.len() > 1) {
            return Some((pattern.get(..begin)?, choices, pattern.get(end + 1..)?));
        }
        from = begin + 1;
    }
    None
}

/// The choices of the braces that were opened just before `begin`, and where they are closed.
fn choices(pattern: &str, begin: usize) -> Option<(Vec<&str>, usize)> {
    let (mut found, mut start, mut depth) = (Vec::new(), begin, 0_usize);
    for (at, letter) in outside_of_classes(pattern).filter(|(at, _)| *at >= begin) {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.push(pattern.get(start..at)?);
                start = at + 1;
                if letter == '}' {
                    return Some((found, at));
                }
            }
            _ => {}
        }
    }
    None
}

fn find_outside_of_classes(pattern: &str, from: usize, wanted: char) -> Option<usize> {
    let mut letters = outside_of_classes(pattern);
    letters.find(|(at, letter)| *at >= from && *letter == wanted).map(|(at, _)| at)
}

/// The letters that are not inside of `[…]`, and where they are.
fn outside_of_classes(pattern: &str) -> impl Iterator<Item = (usize, char)> {
    let mut closed_at = 0;
    pattern.char_indices().filter(move |(at, letter)| {
        let is_outside = *at >= closed_at;
        if is_outside && *letter == '[' {
            let inside = pattern.get(at + 1..).unwrap_or_default();
            let inside = inside.strip_prefix('!').unwrap_or(inside);
            // The first letter may be a `]` that is meant.
            let end = inside.char_indices().skip(1).find(|(_, letter)| *letter == ']');
            if let Some((end, _)) = end {
                closed_at = pattern.len() - inside.len() + end + 1;
            }
        }
        is_outside
    })
}

/// What in a pattern of `setting` is probably not meant as it is written; without a look at what is there.
pub(super) fn doubts(setting: &'static str, pattern: &str) -> Option<Doubt> {
    let is_list = [", ", ",/"].iter().any(|comma| pattern.contains(comma));
    let has_choice = pattern.contains('|') && pattern.contains('(');
    let is_regular = pattern.starts_with('^') || pattern.ends_with('$') || pattern.contains(".+");
    let left = written_out(pattern).unwrap_or_default();
    let is_brace = |(_, letter): (usize, char)| "{}".contains(letter);
    let doubts = [
        (pattern.trim() != pattern, "which begins or ends with a space", "leave the space out"),
        (pattern.contains("://"), "which looks like a URL", "write the path alone"),
        (
            pattern.starts_with('!'),
            "where ! stands for itself",
            "use `exclude` for what is not to be read",
        ),
        (
            is_list && braces(pattern).is_none(),
            "which looks like several patterns",
            "write each as an entry of the list",
        ),
        (
            pattern.contains('\\'),
            "where the backslash stands for itself",
            "write [*] for a star that is meant as such, and / between folders",
        ),
        (
            has_variable(pattern),
            "where $ stands for itself",
            "write ${NAME} for what the environment has",
        ),
        (
            is_regular || has_choice,
            "which looks like a regular expression",
            "write a glob: * for any letters of a name, ** for any folders, {a,b} for a choice",
        ),
        (
            pattern.split('/').any(|name| name.starts_with(".*")),
            "where .* means hidden files alone",
            "write * for any name",
        ),
        (has_date(pattern), "where % stands for itself", "write * in the place of a date"),
        (
            pattern.len() > 1 && pattern.ends_with('/'),
            "which ends as a folder does",
            "add *.log, or ** for all that is below it",
        ),
        (
            left.iter().any(|one| outside_of_classes(one).any(is_brace)),
            "whose braces offer no choice and stand for themselves",
            "write {a,b}, or [{] for a brace that is meant as such",
        ),
    ];
    let (_, what, hint) = doubts.into_iter().find(|(applies, ..)| *applies)?;
    Some(Doubt { setting, problem: format!("has \"{pattern}\", {what}"), hint: hint.to_owned() })
}

/// Whether there is `$NAME`, or `$(`.
fn has_variable(pattern: &str) -> bool {
    let begins =
        |rest: &str| rest.starts_with(|next: char| next.is_alphabetic() || "_({".contains(next));
    pattern.match_indices('$').any(|(at, _)| pattern.get(at + 1..).is_some_and(begins))
}

/// Whether there is a part of a date, as `strftime` writes it.
fn has_date(pattern: &str) -> bool {
    ["%Y", "%y", "%m", "%d", "%H", "%F"].iter().any(|part| pattern.contains(part))
}

/// What a pattern cannot find in the world as it is; `base` is the folder that it counts from.
pub(super) fn misses(base: &Path, pattern: &str) -> Vec<Doubt> {
    let patterns = written_out(pattern).unwrap_or_default();
    patterns.iter().filter_map(|pattern| miss(base, pattern)).collect()
}

fn miss(base: &Path, pattern: &str) -> Option<Doubt> {
    let doubt = |problem: String, hint: &str| {
        Some(Doubt { setting: "include", problem, hint: hint.to_owned() })
    };
    let whole = base.join(pattern);
    let is_form = |name: &str| name.contains(['*', '?', '[']);
    let fixed = pattern.split_inclusive('/').take_while(|name| !is_form(name));
    let fixed: String = fixed.collect();
    let folder = base.join(&fixed);
    if pattern.contains('[') && whole.ancestors().any(is_literal) {
        let hint = "write [[] for a bracket that is meant as such";
        let problem =
            "where […] stands for one of the letters in it, and there is a path of just this name";
        return doubt(format!("has \"{pattern}\", {problem}"), hint);
    }
    if fixed == pattern {
        if folder.is_dir() {
            let hint = "add /*.log, or /** for all that is below it";
            return doubt(format!("has \"{pattern}\", which is a folder"), hint);
        }
        let parent = folder.parent().filter(|parent| !parent.is_dir())?;
        let hint = "it is read once it comes; look whether this is what was meant";
        let problem = format!("has \"{pattern}\", and there is no folder {}", parent.display());
        return doubt(problem, hint);
    }
    if !folder.is_dir() {
        let hint = "it is read once it comes; look whether this is what was meant";
        let folder = folder.display();
        return doubt(format!("has \"{pattern}\", and there is no folder {folder}"), hint);
    }
    if !pattern.starts_with(['/', '.']) {
        let hint = "write the whole path, or ./ before it when that is meant";
        let base = base.display();
        return doubt(format!("has \"{pattern}\", which counts from {base}"), hint);
    }
    None
}

/// Whether a path with brackets is there, taken by its letters.
fn is_literal(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains('[') && path.symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn braces_are_written_out_where_they_offer_a_choice() {
        for (pattern, wanted) in [
            ("/a/*.log", vec!["/a/*.log"]),
            ("/{a,b}/*.{log,txt}", vec!["/a/*.log", "/a/*.txt", "/b/*.log", "/b/*.txt"]),
            ("/{web,app-{1,2}{,x}}", vec!["/web", "/app-1", "/app-1x", "/app-2", "/app-2x"]),
            ("/{a}/{b,c}", vec!["/{a}/b", "/{a}/c"]),
            ("/{{a,b}}", vec!["/{a}", "/{b}"]),
            ("/[{]a,b}", vec!["/[{]a,b}"]),
            ("/{[,}]x,b}", vec!["/[,}]x", "/b"]),
            ("/{a,b", vec!["/{a,b"]),
            ("/a,b}", vec!["/a,b}"]),
            ("/{é,[]}]}", vec!["/é", "/[]}]"]),
        ] {
            assert_eq!(written_out(pattern).unwrap(), wanted, "{pattern}");
        }
        let many = "{0,1,2,3,4,5,6,7,8,9}".repeat(4);
        assert!(written_out(&many).unwrap_err().contains("more than 1000"));
    }

    proptest! {
        #[test]
        fn any_text_is_written_out(pattern in "[a{},\\[\\]!é/]{0,40}") {
            let _patterns = written_out(&pattern);
            let _doubt = doubts("include", &pattern);
        }
    }

    #[test]
    fn what_another_syntax_would_understand_is_told_and_what_is_usual_is_not() {
        for pattern in [
            "/a\\*.log",
            "/a/$HOST/*.log",
            "/a/$(hostname).log",
            "^/a/.*",
            "/a/(b|c).log",
            "/a/.+\\.log",
            "/a/b.log$",
            "/a/.*.log",
            "/a/",
            "/a/{b}.log",
            "/a/{1..3}.log",
            "/a/{date}.log",
            " /a",
            "/a, /b",
            "/a,/b",
            "!/a",
            "file:///a",
            "/a/%Y-%m-%d.log",
            "/a/{b,c",
        ] {
            assert!(doubts("include", pattern).is_some(), "{pattern}");
        }
        for pattern in [
            "/a/*.log",
            "/a/**",
            "/",
            "./a.log",
            "a/app.*",
            "/a/[0-9]*.log",
            "/a/{b,c}/*.{log,txt}",
            "/a/[{]b}".trim_end_matches('}'),
            "/a b/c.log",
            "/a/cost$.log",
            "/a/100%.log",
        ] {
            let said = doubts("include", pattern);
            assert_eq!(said, None, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_finds_nothing_as_things_are_is_told() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("logs/[prod]")).unwrap();
        std::fs::write(folder.path().join("logs/app.log"), "").unwrap();
        for (pattern, wanted) in [
            ("logs", "which is a folder"),
            ("./logs", "which is a folder"),
            ("./logs/*.log", ""),
            ("./logs/app.log", ""),
            ("./logs/new.log", ""),
            ("logs/*.log", "which counts from"),
            ("./log/*.log", "there is no folder"),
            ("./log/app.log", "there is no folder"),
            ("./logs/app.log/*.log", "there is no folder"),
            ("./{logs,log}/*.log", "there is no folder"),
            ("./logs/[prod]/*.log", "one of the letters"),
            ("./logs/[[]prod]/*.log", ""),
        ] {
            let said: String =
                misses(folder.path(), pattern).into_iter().map(|doubt| doubt.problem).collect();
            assert_eq!(said.is_empty(), wanted.is_empty(), "{pattern}: {said}");
            assert!(said.contains(wanted), "{pattern}: {said}");
        }
    }
}
