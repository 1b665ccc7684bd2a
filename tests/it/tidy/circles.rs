//! No file depends on one that depends on it: a reader can begin at the bottom.
//!
//! A file depends on another when it names an item that is defined there. What `mod.rs` re-exports is followed to where it
//! is defined; the lines `mod` and `pub use` of a `mod.rs` are its table of contents and depend on nothing. Methods are not
//! followed: who has a value may call it. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use super::uses::{self, Import};
use super::{assert_none, sources};

/// Packages by their folders.
const PACKAGES: [(&str, &str); 4] = [
    ("record", "anabranch_record"),
    ("transforms", "anabranch_transforms"),
    ("connectors", "anabranch_connectors"),
    ("src", "anabranch"),
];

/// A module: its package, and the names from there on.
type Module = Vec<String>;

/// All modules with their text, without comments and tests.
struct Tree {
    texts: BTreeMap<Module, String>,
    files: BTreeMap<Module, String>,
    /// Names that are only passed on, with what they stand for.
    passed_on: BTreeMap<Module, Module>,
}

impl Tree {
    fn new() -> Self {
        let mut tree =
            Self { texts: BTreeMap::new(), files: BTreeMap::new(), passed_on: BTreeMap::new() };
        for (path, text) in sources() {
            if let Some(module) = module_of(&path).filter(|_| !is_test(&path)) {
                tree.files.insert(module.clone(), path.display().to_string());
                tree.texts.insert(module, uses::without_comments_and_tests(&text));
            }
        }
        for (module, text) in &tree.texts {
            for Import { path, name, is_public } in uses::imports(text) {
                let absolute = tree.absolute(&path, module).filter(|_| is_public);
                if let Some(absolute) = absolute {
                    tree.passed_on.insert([module.as_slice(), &[name]].concat(), absolute);
                }
            }
        }
        tree
    }

    /// A path as it stands in `module`, from the package on; `None` when it leads to another package.
    fn absolute(&self, path: &[String], module: &Module) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let child = [module.as_slice(), std::slice::from_ref(first)].concat();
        match first.as_str() {
            "crate" => Some([&module[..1], rest].concat()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => {
                let above = path.iter().take_while(|step| *step == "super").count();
                let kept = module.len().checked_sub(above)?;
                Some([&module[..kept], &path[above..]].concat())
            }
            package if PACKAGES.iter().any(|(_, name)| *name == package) => Some(path.to_vec()),
            _ if self.texts.contains_key(&child) => Some([module.as_slice(), path].concat()),
            _ => None,
        }
    }

    /// The module in which the item at `path` is defined; `None` for a module itself.
    fn home(&self, path: &Module) -> Option<&Module> {
        let mut path = path.clone();
        // As many times as something can be passed on.
        for _ in 0..8 {
            let at = (1..=path.len()).rev().find(|at| self.texts.contains_key(&path[..*at]))?;
            if at == path.len() {
                return None;
            }
            match self.passed_on.get(&path[..=at]) {
                Some(target) => path = [target.as_slice(), &path[at + 1..]].concat(),
                None => return self.texts.get_key_value(&path[..at]).map(|(module, _)| module),
            }
        }
        None
    }

    /// The modules that `module` depends on.
    fn needs(&self, module: &Module, text: &str) -> BTreeSet<&Module> {
        let is_contents =
            ["mod.rs", "lib.rs"].iter().any(|name| self.files[module].ends_with(name));
        let mut paths = Vec::new();
        let mut names: BTreeMap<String, Module> = self
            .texts
            .keys()
            .filter(|child| child.len() == module.len() + 1 && child.starts_with(module))
            .map(|child| (child[child.len() - 1].clone(), child.clone()))
            .collect();
        for Import { path, name, is_public } in uses::imports(text) {
            let Some(path) = self.absolute(&path, module) else { continue };
            if self.texts.contains_key(&path) {
                names.insert(name, path);
            } else if !(is_public && is_contents) {
                paths.push(path);
            }
        }
        for path in uses::paths(text) {
            let known = names.get(&path[0]).map(|known| [known.as_slice(), &path[1..]].concat());
            paths.extend(known.or_else(|| self.absolute(&path, module)));
        }
        let homes = paths.iter().filter_map(|path| self.home(path));
        homes.filter(|home| *home != module).collect()
    }
}

fn module_of(path: &Path) -> Option<Module> {
    let path = path.to_str().unwrap().strip_suffix(".rs")?;
    let (folder, rest) = path.split_once('/')?;
    let (_, package) = PACKAGES.iter().find(|(known, _)| *known == folder)?;
    let mut module = vec![(*package).to_owned()];
    module.extend(rest.split('/').map(str::to_owned));
    if module.len() == 2 && module[1] == "main" {
        return None;
    }
    if (module.len() == 2 && module[1] == "lib") || module.last().is_some_and(|last| last == "mod")
    {
        module.pop();
    }
    Some(module)
}

fn is_test(path: &Path) -> bool {
    let tests = Regex::new(
        r"(^|/)(tests?|histories)(/|\.rs$)|_tests\.rs$|/(testing|devices|captures)\.rs$",
    );
    tests.unwrap().is_match(path.to_str().unwrap())
}

/// What can be reached from each, itself only by a circle.
fn reachable<'t>(
    needs: &BTreeMap<&'t Module, BTreeSet<&'t Module>>,
    from: &'t Module,
) -> BTreeSet<&'t Module> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        for other in needs.get(next).into_iter().flatten() {
            if seen.insert(*other) {
                open.push(other);
            }
        }
    }
    seen
}

#[test]
fn no_file_needs_one_that_needs_it() {
    let tree = Tree::new();
    let needs: BTreeMap<&Module, BTreeSet<&Module>> =
        tree.texts.iter().map(|(module, text)| (module, tree.needs(module, text))).collect();
    assert!(
        needs.values().map(BTreeSet::len).sum::<usize>() > 1000,
        "hardly any file needs another"
    );
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        needs.keys().map(|module| (*module, reachable(&needs, module))).collect();
    let mut faults = Vec::new();
    for (module, direct) in &needs {
        for other in direct.iter().filter(|other| reached[**other].contains(module)) {
            faults.push(format!(
                "{} needs {}, which needs it",
                tree.files[*module], tree.files[*other]
            ));
        }
    }
    assert_none(&faults);
}
