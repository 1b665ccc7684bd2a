//! What is kept is for the agent's user alone: a log that few may read does not become one that all may read.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::support::{Agent, SOON, append_lines, file_line_count, wait_until};

/// Everything below `folder`, itself included, that somebody else has rights to.
fn open_to_others(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        // A file that is replaced right now is gone for a moment.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            found.push((path, mode));
        }
    }
    found
}

fn blocks(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "hub: {{ embedded: {{ listen: none, segment_size: 1MiB }} }}\n\
         producer: {{ compression: none, batch_size: 64KiB }}\n\
         sources: {{ f: {{ topic: t, from: {{ file: {{ include: [\"{folder}/in.log\"] }} }} }} }}\n\
         sinks: {{ out: {{ topics: [t], to: {{ file: {{ path: \"{folder}/out.txt\", codec: raw }} }} }} }}\n"
    )
}

#[test]
fn the_data_folder_is_the_agents_alone_whatever_the_umask_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    append_lines(&at("in.log"), "enough for several segments", 0..30_000);
    let mut agent = Agent::start_careless(folder.path(), &blocks(folder.path()));
    wait_until(SOON, "everything to be delivered", || {
        at("out.txt").exists() && file_line_count(&at("out.txt")) == 30_000
    });
    // Several segments, so that hints of closed ones are among the files.
    let segments = fs::read_dir(at("data/t-0")).unwrap().count();
    assert!(segments > 3, "{segments}");
    assert_eq!(open_to_others(&at("data")), []);
    agent.kill();
    // A torn end, which the next start puts aside.
    let mut logs: Vec<PathBuf> =
        fs::read_dir(at("data/t-0")).unwrap().map(|one| one.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.sort();
    let mut last = fs::File::options().append(true).open(logs.last().unwrap()).unwrap();
    last.write_all(b"half of a batch").unwrap();
    agent.start_again();
    wait_until(SOON, "the torn end to be put aside", || {
        fs::read_dir(at("data/t-0"))
            .unwrap()
            .any(|one| one.unwrap().path().extension().is_some_and(|kind| kind == "torn"))
    });
    agent.stop();
    assert_eq!(open_to_others(&at("data")), []);
}

#[test]
fn a_data_folder_that_others_had_rights_to_is_narrowed_and_it_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    append_lines(&at("in.log"), "line", 0..3);
    let mut agent = Agent::start(folder.path(), &blocks(folder.path()));
    wait_until(SOON, "the lines", || {
        at("out.txt").exists() && file_line_count(&at("out.txt")) == 3
    });
    agent.stop();
    for (name, mode) in [("data", 0o755), ("data/t-0", 0o755), ("data/.lock", 0o644)] {
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    let said = |agent: &Agent| agent.log().matches("others had rights to").count();
    assert_eq!(said(&agent), 0);
    agent.start_again();
    assert_eq!((open_to_others(&at("data")), said(&agent)), (Vec::new(), 1));
    agent.stop();
    agent.start_again();
    assert_eq!(said(&agent), 1);
}
