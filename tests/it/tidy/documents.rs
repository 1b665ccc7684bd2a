//! What is written of the code is true: files that are named are there, and functions are where they are said to be.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::{assert_none, root, sources};

/// Names in backticks that end in `.rs`.
fn named(text: &str) -> Vec<String> {
    let name = Regex::new(r"`([A-Za-z0-9_/]+\.rs)`").unwrap();
    name.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The files that a name stands for: a whole path, the end of one, or a file in one of the folders.
fn found<'p>(name: &str, folders: &[PathBuf], files: &'p [PathBuf]) -> Vec<&'p PathBuf> {
    let in_folder = |file: &&PathBuf| folders.iter().any(|folder| **file == folder.join(name));
    let ends_so = |file: &&PathBuf| file.ends_with(name);
    let here: Vec<&PathBuf> = files.iter().filter(in_folder).collect();
    if here.is_empty() { files.iter().filter(ends_so).collect() } else { here }
}

#[test]
fn every_file_that_a_file_names_in_its_head_is_there() {
    let files: Vec<PathBuf> = sources().into_iter().map(|(path, _)| path).collect();
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let heads = text.lines().filter(|line| line.trim_start().starts_with("//"));
        let heads: String = heads.map(|line| line.to_owned() + "\n").collect();
        let folder = path.parent().unwrap().to_owned();
        for name in named(&heads) {
            if found(&name, std::slice::from_ref(&folder), &files).is_empty() {
                faults.push(format!("{}: there is no `{name}`", path.display()));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let files: Vec<PathBuf> = sources().into_iter().map(|(path, _)| path).collect();
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let missing = named(&text).into_iter().filter(|name| found(name, &[], &files).is_empty());
    let faults: Vec<String> =
        missing.map(|name| format!("ARCHITECTURE.md: there is no `{name}`")).collect();
    assert_none(&faults);
}

/// In "The life of a record" each step begins with its file; what it names with `fn` in the same sentence is there.
#[test]
fn the_life_of_a_record_is_told_as_it_is() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, life) = text.split_once("\n## The life of a record\n").unwrap();
    let (life, _) = life.split_once("\n## ").unwrap();
    let step = Regex::new(r"(?m)^\d+\. `([A-Za-z0-9_/]+\.rs)`((?:[^`\n]|\n   |`[^`]*`)*)").unwrap();
    let function = Regex::new(r"`(?:[A-Z]\w*::)?([a-z_]+)`").unwrap();
    let mut faults = Vec::new();
    let mut steps = 0;
    for found in step.captures_iter(life) {
        steps += 1;
        let path = Path::new(&found[1]);
        let code = fs::read_to_string(root().join(path)).unwrap_or_default();
        if code.is_empty() {
            faults.push(format!("{}: no such file", path.display()));
        }
        // Up to the next file, what is named is in this one.
        let rest = found[2].split("`src/").next().unwrap().split("`connectors/").next().unwrap();
        for name in function.captures_iter(rest) {
            if !Regex::new(&format!(r"\bfn {}\b", &name[1])).unwrap().is_match(&code) {
                faults.push(format!("{} has no function `{}`", path.display(), &name[1]));
            }
        }
    }
    assert!(steps >= 10, "the life of a record has {steps} steps that begin with a file");
    assert_none(&faults);
}
