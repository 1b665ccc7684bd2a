//! The conventions that a machine can check and clippy does not.

mod circles;
mod documents;
mod history;
mod layers;
mod uses;

use std::fs;
use std::path::{Path, PathBuf};

/// Longest Rust file, tests included.
const LINES_MAX: usize = 400;

/// Longest ARCHITECTURE.md: what can be read in one sitting.
const ARCHITECTURE_LINES_MAX: usize = 400;

/// Who may not know of what.
struct Wall {
    /// Where it holds: the beginning of a path.
    folder: &'static str,
    /// The part of it that is meant, by the beginning of a file's name; empty for all of it.
    files: &'static str,
    /// The beginning of a path that is excepted; empty for none.
    except: &'static str,
    /// Text that must not appear in code there.
    banned: &'static [&'static str],
    /// Why, as a sentence.
    why: &'static str,
}

const WALLS: &[Wall] = &[
    Wall {
        folder: "record",
        files: "",
        except: "",
        banned: &[
            "std::fs",
            "std::net",
            "std::time",
            "tokio",
            ".await",
            "anabranch_connectors",
            "anabranch::",
        ],
        why: "records know nobody: no I/O, no async, no clock",
    },
    Wall {
        folder: "transforms",
        files: "",
        except: "",
        banned: &[
            "std::fs",
            "std::net",
            "std::time",
            "tokio",
            ".await",
            "anabranch_connectors",
            "anabranch::",
        ],
        why: "transforms are pure: records in, records out",
    },
    Wall {
        folder: "connectors",
        files: "",
        except: "",
        banned: &["rdkafka", "anabranch::", "serde_yaml"],
        why: "connectors know neither the hub nor the configuration file",
    },
    Wall {
        folder: "connectors/sinks",
        files: "",
        except: "",
        banned: &["time::sleep", "sleep_until", "time::interval"],
        why: "a sink never waits; the delivery loop does",
    },
    Wall {
        folder: "src/log",
        files: "",
        except: "",
        banned: &["tokio", "axum", "rdkafka", ".await", "anabranch_connectors"],
        why: "the log is plain files: no async, no network, no connectors",
    },
    Wall {
        folder: "src/wire",
        files: "",
        except: "",
        banned: &[
            "tokio",
            "axum",
            "rdkafka",
            ".await",
            "anabranch_connectors",
            "std::fs",
            "std::net",
        ],
        why: "the wire format is pure: bytes in, bytes out",
    },
    Wall {
        folder: "src/kafka",
        files: "",
        except: "",
        banned: &["rdkafka::", "axum", ".await"],
        why: "the client of brokers is plain sockets on the caller's thread",
    },
    Wall {
        folder: "src",
        files: "",
        except: "src/config",
        banned: &["serde_yaml"],
        why: "only src/config knows YAML, so that its crate can be replaced there",
    },
    Wall {
        folder: "src",
        files: "",
        except: "src/tasks.rs",
        banned: &["tokio::spawn(", "task::spawn(", "spawn_local("],
        why: "only src/tasks.rs spawns, so that every end and every panic is seen",
    },
];

/// Folders of the root that .gitignore names: build output, and what an agent leaves that runs there.
const IGNORED: &[&str] = &["target", "data", "out"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` as a path from the root; left out are hidden ones and what git ignores.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(open_folder) = open.pop() {
        for entry in fs::read_dir(&open_folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let ignored = open_folder == root() && IGNORED.contains(&&*name);
            if ignored || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The Rust files, with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let all = ["src", "record", "transforms", "connectors", "tests", "fuzz", "examples", "benches"]
        .into_iter()
        .flat_map(files);
    let rust = all.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.clone(), fs::read_to_string(root().join(path)).unwrap())).collect()
}

/// The lines that are not comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.filter(|(_number, line)| !line.trim_start().starts_with("//"))
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_fits_one_concept() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            faults.push(format!(
                "{}: begin with a //! line that says what it is for",
                path.display()
            ));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{}: {lines} lines; split it by concept", path.display()));
        }
    }
    assert_none(&faults);
}

#[test]
fn no_layer_reaches_through_its_wall() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        for wall in WALLS.iter().filter(|wall| wall.covers(&path)) {
            for (number, line) in code(&text) {
                for banned in wall.banned.iter().filter(|banned| line.contains(**banned)) {
                    faults.push(format!("{}:{number}: `{banned}`: {}", path.display(), wall.why));
                }
            }
        }
    }
    assert_none(&faults);
}

impl Wall {
    fn covers(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap().to_string_lossy();
        path.starts_with(self.folder)
            && name.starts_with(self.files)
            && (self.except.is_empty() || !path.starts_with(self.except))
    }
}

/// What makes a file or a folder with the rights that the umask gives.
const MAKES_PUBLIC: [&str; 5] =
    ["File::create", "fs::write(", "fs::create_dir", ".create(true)", ".create_new(true)"];

#[test]
fn what_is_in_the_data_folder_is_made_with_rights_for_its_owner_alone() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let name = path.to_string_lossy().into_owned();
        let mut layers = ["src/log/", "src/hub/", "src/agent/", "src/admin"].iter();
        let apart = ["src/log/private.rs", "src/log/disk/simulated.rs"];
        let is_test = name.contains("tests") || apart.contains(&name.as_str());
        if is_test || !layers.any(|layer| name.starts_with(layer)) {
            continue;
        }
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (number, line) in code(text) {
            for banned in MAKES_PUBLIC.iter().filter(|banned| line.contains(**banned)) {
                faults.push(format!("{name}:{number}: `{banned}`: use log::private"));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn nothing_is_left_for_later() {
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("#[", "ignore")];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                faults.push(format!("{}:{}: {mark}", path.display(), index + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let places = [concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let mut faults = Vec::new();
    for path in files("") {
        // What is not text has no paths to read.
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(**place)) {
                faults.push(format!("{}:{}: {place}", path.display(), index + 1));
            }
        }
    }
    assert_none(&faults);
}

#[test]
fn example_configurations_are_indented_with_spaces() {
    let mut faults = Vec::new();
    for path in files("config") {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        if text.contains('\t') {
            faults.push(format!("{}: has a tab, which YAML does not allow", path.display()));
        }
    }
    assert_none(&faults);
}

#[test]
fn the_documents_that_a_reader_looks_for_are_there() {
    let names = ["README.md", "ARCHITECTURE.md", "CONVENTIONS.md", "CHANGELOG.md"];
    let missing: Vec<_> = names.into_iter().filter(|name| !root().join(name).is_file()).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let lines = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().lines().count();
    assert!(lines <= ARCHITECTURE_LINES_MAX, "ARCHITECTURE.md has {lines} lines; shorten it");
}

#[test]
fn what_the_image_is_built_of_is_in_its_context() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    let ignored = read(".dockerignore");
    let context: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let cargo = read("Cargo.toml");
    let members = cargo.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
    let members = members.trim_end_matches(']').split(", ").map(|name| name.trim_matches('"'));
    let docker = read("Dockerfile");
    let files = docker.split_whitespace().filter(|word| word.starts_with("deploy/"));
    let missing: Vec<_> = members
        .filter(|name| *name != ".")
        .chain(files)
        .filter(|name| !context.iter().any(|folder| Path::new(name).starts_with(folder)))
        .collect();
    assert!(missing.is_empty(), ".dockerignore leaves out {missing:?}");
}
