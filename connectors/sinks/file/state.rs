//! The sink's state, which is committed together with the offsets, and what makes the files exact.
//!
//! The state says for every file that may be written before the next commit how long it is: all records below the
//! committed offsets are in the files up to these lengths, durable, and nothing else is. After a kill at any moment:
//!
//! - A file of the state is cut to its length; its records since then come again and are appended.
//! - A file that is *not* in the state has not been touched since: `prepare` has every new path committed, with its
//!   length at that time, before the first byte is written to it.
//! - A new number of a rotated name is a new path of that kind (see `rotate.rs`).
//!
//! | state                                                   | when                                      |
//! |---------------------------------------------------------|-------------------------------------------|
//! | `{"v":1,"files":{NAME:[LENGTH,NUMBER,STARTED_S,OF,WHICH],…}}` | it fits into the metadata of a commit |
//! | `{"v":1,"spill":{"name":FILE,"sum":XXH3}}`               | many files: the map is in a file of its own |
//!
//! `OF` is the partition that a file is of, `TOPIC/NUMBER`, where the path has `{partition}`. With `"parted":true` several
//! deliveries write side by side (`concurrency`): the state that was committed for a partition then speaks for the
//! files of that partition only, for those of others are in other hands.
//!
//! `WHICH` is the file that the length is of, by its inode and birth; 0 while none is ours. One that stands at the path and
//! is another (a disk that was away has come back, a file was put there) is not cut: it is written behind.
//!
//! Names are relative to the base folder. A spill file is written once, under a new name, and is on disk before the
//! state that names it; so the commit decides which one counts. The last few are kept, in case commits fail.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::names::{OWN, is_confined};
use super::rotate::Place;
use super::which::Which;
use crate::contract::sink::{Placed, Resumed};

/// Longest state, bytes; a hub keeps 4096 with an offset.
const STATE_MAX: usize = 3800;

/// Spill files that are kept beside the newest.
const SPILLS_KEPT: usize = 8;

/// Tells the spill files of two sinks of one process apart.
static NEXT_WRITER: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    v: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    parted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<Map>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spill: Option<Spill>,
}

type Map = BTreeMap<String, Listed>;

/// A place as it is written: length, number, start, the partition that the file is of, and which it is. Versions before
/// did not say the last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Listed {
    Which(u64, u64, i64, Option<String>, u64),
    Of(u64, u64, i64, String),
    Plain(u64, u64, i64),
}

/// Where a name stands, and the partition that it is of.
pub(super) type Known = (String, Place, Option<Arc<str>>);

#[derive(Debug, Serialize, Deserialize)]
struct Spill {
    name: String,
    sum: u64,
}

/// Turns places into states and back.
#[derive(Debug)]
pub(super) struct States {
    base: PathBuf,
    writer: String,
    next: u64,
    sync: bool,
    spills: VecDeque<PathBuf>,
}

impl States {
    /// For the sink `name`, which writes below `base`.
    pub(super) fn new(base: &Path, name: &str, sync: bool) -> Self {
        let plain: String = name
            .chars()
            .map(|l| if l.is_ascii_alphanumeric() { l } else { '_' })
            .take(60)
            .collect();
        let number = NEXT_WRITER.fetch_add(1, Ordering::Relaxed);
        let writer = format!("{OWN}{plain}-{}-{number}-", crate::contract::clock::now_ms());
        Self { base: base.to_path_buf(), writer, next: 0, sync, spills: VecDeque::new() }
    }

    /// The state that says where each name stands.
    ///
    /// # Errors
    /// The spill file and what the system says of it.
    pub(super) fn encode(
        &mut self,
        places: Vec<Known>,
        parted: bool,
    ) -> Result<String, (PathBuf, io::Error)> {
        let listed = |(name, at, of): Known| {
            let Place { length, sequence, started_s, which } = at;
            let of = of.map(|of| of.as_ref().to_owned());
            let listed = match (which, of) {
                (Which::File(file), of) => Listed::Which(length, sequence, started_s, of, file),
                (Which::Nobody, of) => Listed::Which(length, sequence, started_s, of, 0),
                (Which::Unsaid, Some(of)) => Listed::Of(length, sequence, started_s, of),
                (Which::Unsaid, None) => Listed::Plain(length, sequence, started_s),
            };
            (name, listed)
        };
        let files: Map = places.into_iter().map(listed).collect();
        let state = text(&State { v: 1, parted, files: Some(files), spill: None });
        if state.len() <= STATE_MAX { Ok(state) } else { self.spill(&state, parted) }
    }

    fn spill(&mut self, state: &str, parted: bool) -> Result<String, (PathBuf, io::Error)> {
        let name = format!("{}{}.state", self.writer, self.next);
        self.next += 1;
        let path = self.base.join(&name);
        self.store(&path, state).map_err(|error| (path.clone(), error))?;
        self.spills.push_back(path);
        while self.spills.len() > SPILLS_KEPT + 1 {
            if let Some(old) = self.spills.pop_front() {
                remove(&old);
            }
        }
        let sum = xxhash_rust::xxh3::xxh3_64(state.as_bytes());
        Ok(text(&State { v: 1, parted, files: None, spill: Some(Spill { name, sum }) }))
    }

    fn store(&self, path: &Path, state: &str) -> io::Result<()> {
        fs::create_dir_all(&self.base)?;
        let mut file = File::create_new(path)?;
        file.write_all(state.as_bytes())?;
        if self.sync {
            file.sync_all()?;
            File::open(&self.base)?.sync_all()?;
        }
        Ok(())
    }

    /// What a state says.
    ///
    /// A spill file that is gone is warned of, and no file is cut.
    ///
    /// # Errors
    /// A sentence for a person when the state is not one of this sink.
    fn decode(&mut self, state: &str) -> Result<Vec<Known>, String> {
        let files = match read(state)? {
            State { files: Some(files), .. } => files,
            State { spill: Some(spill), parted, .. } => self.unspill(&spill, parted)?,
            State { .. } => return Err(format!("the state {state} names no files")),
        };
        if let Some(name) = files.keys().find(|name| !is_confined(name)) {
            return Err(format!("the state names \"{name}\", which is outside the base folder"));
        }
        let known = |(name, listed)| {
            let ((length, sequence, started_s), of, which) = match listed {
                Listed::Which(length, sequence, started_s, of, 0) => {
                    ((length, sequence, started_s), of, Which::Nobody)
                }
                Listed::Which(length, sequence, started_s, of, file) => {
                    ((length, sequence, started_s), of, Which::File(file))
                }
                Listed::Of(length, sequence, started_s, of) => {
                    ((length, sequence, started_s), Some(of), Which::Unsaid)
                }
                Listed::Plain(length, sequence, started_s) => {
                    ((length, sequence, started_s), None, Which::Unsaid)
                }
            };
            (name, Place { length, sequence, started_s, which }, of.map(Arc::from))
        };
        Ok(files.into_iter().map(known).collect())
    }

    /// What the committed states say of the files that are in this delivery's hands now.
    ///
    /// # Errors
    /// As [`States::decode`].
    pub(super) fn known(&mut self, resumed: &Resumed) -> Result<Vec<Known>, String> {
        let Some(latest) = resumed.latest() else { return Ok(Vec::new()) };
        if resumed.alone && !read(latest)?.parted {
            return self.decode(latest);
        }
        let mut known = Vec::new();
        for Placed { topic, partition, state } in &resumed.places {
            let Some((_, state)) = state else { continue };
            let this = of(topic, *partition);
            let files = self.decode(state)?;
            known.extend(files.into_iter().filter(|(_, _, of)| of.as_ref() == Some(&this)));
        }
        Ok(known)
    }

    fn unspill(&mut self, spill: &Spill, parted: bool) -> Result<Map, String> {
        let name = &spill.name;
        if !is_confined(name) || name.contains('/') || !name.starts_with(OWN) {
            return Err(format!("the state is in \"{name}\", which is no file of this sink"));
        }
        let path = self.base.join(name);
        let known =
            fs::read_to_string(&path).map_err(|error| error.to_string()).and_then(|state| {
                let sum = xxhash_rust::xxh3::xxh3_64(state.as_bytes());
                if sum == spill.sum { read(&state) } else { Err("its sum is wrong".to_owned()) }
            });
        // The states of other partitions may be in others.
        if !parted {
            self.forget_others(name);
            self.spills.push_back(path.clone());
        }
        match known {
            Ok(state) => Ok(state.files.unwrap_or_default()),
            Err(reason) => {
                warn!(path = %path.display(), reason, "the committed lengths of the files are lost, no file is cut; records since the last commit may be written twice");
                Ok(Map::new())
            }
        }
    }

    /// Removes what the writer of the spill file `name` left beside it when it was killed.
    fn forget_others(&self, name: &str) {
        let writer = name.rfind('-').and_then(|at| name.get(..=at)).unwrap_or(name);
        for entry in self.base.read_dir().into_iter().flatten().flatten() {
            let other = entry.file_name();
            if other.to_str().is_some_and(|other| other.starts_with(writer) && other != name) {
                remove(&entry.path());
            }
        }
    }
}

/// A partition's name in a state.
pub(super) fn of(topic: &str, partition: i32) -> Arc<str> {
    format!("{topic}/{partition}").into()
}

fn read(state: &str) -> Result<State, String> {
    let read: State = serde_json::from_str(state)
        .map_err(|error| format!("the state {state} cannot be read: {error}"))?;
    if read.v == 1 { Ok(read) } else { Err(format!("the state has version {}, not 1", read.v)) }
}

fn text(state: &State) -> String {
    serde_json::to_string(state).unwrap_or_default()
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        warn!(path = %path.display(), %error, "cannot remove an old file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(count: u64) -> Vec<Known> {
        let which = |length| match length % 3 {
            0 => Which::Nobody,
            1 => Which::Unsaid,
            _ => Which::File(u64::MAX - length),
        };
        let place = |length| Place {
            length,
            sequence: length % 3,
            started_s: 1_700_000_000,
            which: which(length),
        };
        (0..count).map(|at| (format!("host-{at:04}/app.ndjson"), place(at), None)).collect()
    }

    fn encode(states: &mut States, places: &[Known]) -> String {
        states.encode(places.to_vec(), false).unwrap()
    }

    fn own_files(folder: &Path) -> usize {
        folder.read_dir().unwrap().count()
    }

    #[test]
    fn a_state_of_any_number_of_files_fits_into_a_commit_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0, 1, 60, 2000] {
            let state = encode(&mut States::new(folder.path(), "a/b", true), &places(count));
            assert!(state.len() <= STATE_MAX, "{}", state.len());
            let mut later = States::new(folder.path(), "a/b", true);
            assert_eq!(later.decode(&state).unwrap(), places(count));
        }
        assert_eq!(own_files(folder.path()), 1);
    }

    #[test]
    fn side_by_side_a_state_speaks_for_the_files_of_its_partition_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut states = States::new(folder.path(), "s", false);
        let place = |length| Place { length, ..Place::default() };
        let known =
            |number: i32, length| (format!("{number}.txt"), place(length), Some(of("t", number)));
        // Each has both files in its state, and knows only one of them.
        let first = states.encode(vec![known(0, 100), known(1, 10)], true).unwrap();
        let second = states.encode(vec![known(0, 10), known(1, 100)], true).unwrap();
        let alone = states.encode(vec![known(0, 200), known(1, 200)], false).unwrap();
        let placed = |partition, sequence, state: &str| {
            let state = Some((sequence, state.to_owned()));
            Placed { topic: "t".to_owned(), partition, state }
        };
        let (one, other) = (placed(0, 1, &first), placed(1, 2, &second));
        let both = vec![one, other.clone()];
        for is_alone in [true, false] {
            let resumed = Resumed { alone: is_alone, places: both.clone() };
            assert_eq!(states.known(&resumed).unwrap(), [known(0, 100), known(1, 100)]);
        }
        let resumed = Resumed { alone: false, places: vec![other.clone()] };
        assert_eq!(states.known(&resumed).unwrap(), [known(1, 100)]);
        // One that was alone spoke for all, but only what was committed for a partition is its own.
        let places = vec![placed(0, 3, &alone), Placed { state: None, ..other }];
        let resumed = Resumed { alone: true, places: places.clone() };
        assert_eq!(states.known(&resumed).unwrap(), [known(0, 200), known(1, 200)]);
        let resumed = Resumed { alone: false, places };
        assert_eq!(states.known(&resumed).unwrap(), [known(0, 200)]);
    }

    #[test]
    fn old_spill_files_go_but_the_last_few_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut states = States::new(folder.path(), "s", false);
        let written: Vec<String> = (0..20).map(|_| encode(&mut states, &places(500))).collect();
        assert_eq!(own_files(folder.path()), SPILLS_KEPT + 1);
        let mut later = States::new(folder.path(), "s", false);
        assert_eq!(later.decode(&written[19 - SPILLS_KEPT]).unwrap(), places(500));
        assert_eq!(own_files(folder.path()), 1, "what the killed one left is gone");
        assert_eq!(later.decode(&written[2]).unwrap(), [], "a lost one cuts nothing");
    }

    #[test]
    fn a_state_that_leaves_the_base_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut states = States::new(folder.path(), "s", false);
        for state in [
            "",
            "7",
            r#"{"v":1}"#,
            r#"{"v":2,"files":{}}"#,
            r#"{"v":1,"files":{"../x":[0,0,0]}}"#,
            r#"{"v":1,"files":{"/etc/x":[0,0,0]}}"#,
            r#"{"v":1,"files":{"a/../../x":[0,0,0]}}"#,
            r#"{"v":1,"files":{"":[0,0,0]}}"#,
            r#"{"v":1,"spill":{"name":"../x","sum":0}}"#,
            r#"{"v":1,"spill":{"name":"app.log","sum":0}}"#,
        ] {
            assert!(states.decode(state).is_err(), "{state}");
        }
    }
}
