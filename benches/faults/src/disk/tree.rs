//! Files and folders in memory, each with what is there and what would be there after a power cut.
//!
//! A file's content is safe once the file was synced, a name once its folder was. A failed sync makes nothing safe, and
//! what was to be synced never is, unless it is written anew: so Linux does it. Ids are not used twice.

use std::collections::BTreeMap;
use std::time::Instant;

/// The id of the root.
pub(super) const ROOT: u64 = 1;

/// Errors, by the numbers that the kernel knows.
pub(super) mod code {
    pub(in crate::disk) const NO_ENTRY: i32 = 2;
    pub(in crate::disk) const IO: i32 = 5;
    pub(in crate::disk) const EXISTS: i32 = 17;
    pub(in crate::disk) const NOT_A_FOLDER: i32 = 20;
    pub(in crate::disk) const INVALID: i32 = 22;
    pub(in crate::disk) const NO_SPACE: i32 = 28;
    pub(in crate::disk) const NOT_THERE: i32 = 38;
    pub(in crate::disk) const NOT_EMPTY: i32 = 39;
}

/// What was done to a file and is not safe.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Change {
    pub(super) fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Length(length) => data.resize(*length, 0),
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if data.len() < end {
                    data.resize(end, 0);
                }
                if let Some(place) = data.get_mut(*at..end) {
                    place.copy_from_slice(bytes);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) data: Vec<u8>,
    pub(super) safe: Vec<u8>,
    pub(super) pending: Vec<(Instant, Change)>,
}

/// One step in a folder: names that come, with their ids, and names that go.
pub(super) type Step = Vec<(String, Option<u64>)>;

#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) names: BTreeMap<String, u64>,
    pub(super) safe: BTreeMap<String, u64>,
    pub(super) pending: Vec<(Instant, Step)>,
}

pub(super) fn apply(step: &Step, names: &mut BTreeMap<String, u64>) {
    for (name, id) in step {
        match id {
            Some(id) => drop(names.insert(name.clone(), *id)),
            None => drop(names.remove(name)),
        }
    }
}

#[derive(Debug)]
pub(super) enum Kind {
    File(File),
    Folder(Folder),
    /// A socket; nothing is kept of it.
    Socket,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Permissions, without the kind.
    pub(super) mode: u32,
    /// Seconds and nanoseconds.
    pub(super) modified: (u64, u32),
    /// The name of the folder of the root that it was made in.
    pub(super) top: String,
}

/// The whole file system.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: BTreeMap<u64, Node>,
    next: u64,
}

type Result<T> = std::result::Result<T, i32>;

impl Tree {
    pub(super) fn new() -> Self {
        let kind = Kind::Folder(Folder::default());
        let root = Node { kind, mode: 0o700, modified: (0, 0), top: String::new() };
        Self { nodes: BTreeMap::from([(ROOT, root)]), next: ROOT + 1 }
    }

    pub(super) fn node(&self, id: u64) -> Result<&Node> {
        self.nodes.get(&id).ok_or(code::NO_ENTRY)
    }

    pub(super) fn node_mut(&mut self, id: u64) -> Result<&mut Node> {
        self.nodes.get_mut(&id).ok_or(code::NO_ENTRY)
    }

    pub(super) fn folder(&self, id: u64) -> Result<&Folder> {
        match &self.node(id)?.kind {
            Kind::Folder(folder) => Ok(folder),
            Kind::File(_) | Kind::Socket => Err(code::NOT_A_FOLDER),
        }
    }

    fn folder_mut(&mut self, id: u64) -> Result<&mut Folder> {
        match &mut self.node_mut(id)?.kind {
            Kind::Folder(folder) => Ok(folder),
            Kind::File(_) | Kind::Socket => Err(code::NOT_A_FOLDER),
        }
    }

    pub(super) fn file_mut(&mut self, id: u64) -> Result<&mut File> {
        match &mut self.node_mut(id)?.kind {
            Kind::File(file) => Ok(file),
            Kind::Folder(_) | Kind::Socket => Err(code::INVALID),
        }
    }

    pub(super) fn find(&self, folder: u64, name: &str) -> Result<u64> {
        self.folder(folder)?.names.get(name).copied().ok_or(code::NO_ENTRY)
    }

    fn step(&mut self, folder: u64, step: Step) -> Result<()> {
        let folder = self.folder_mut(folder)?;
        apply(&step, &mut folder.names);
        folder.pending.push((Instant::now(), step));
        Ok(())
    }

    pub(super) fn make(&mut self, folder: u64, name: &str, kind: Kind, mode: u32) -> Result<u64> {
        if self.find(folder, name).is_ok() {
            return Err(code::EXISTS);
        }
        let parent = self.node(folder)?;
        let top = if folder == ROOT { name.to_owned() } else { parent.top.clone() };
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, Node { kind, mode, modified: (0, 0), top });
        self.step(folder, vec![(name.to_owned(), Some(id))])?;
        Ok(id)
    }

    pub(super) fn remove(&mut self, folder: u64, name: &str) -> Result<()> {
        let id = self.find(folder, name)?;
        if self.folder(id).is_ok_and(|folder| !folder.names.is_empty()) {
            return Err(code::NOT_EMPTY);
        }
        self.step(folder, vec![(name.to_owned(), None)])
    }

    /// Within a folder it is one step; between two it is safe at once, since no journal does half of it.
    pub(super) fn rename(&mut self, from: (u64, &str), to: (u64, &str)) -> Result<()> {
        let id = self.find(from.0, from.1)?;
        if from.0 == to.0 {
            return self.step(from.0, vec![(from.1.to_owned(), None), (to.1.to_owned(), Some(id))]);
        }
        self.step(to.0, vec![(to.1.to_owned(), Some(id))])?;
        self.step(from.0, vec![(from.1.to_owned(), None)])?;
        self.sync_folder(to.0)?;
        self.sync_folder(from.0)
    }

    pub(super) fn change(&mut self, id: u64, change: Change) -> Result<()> {
        let file = self.file_mut(id)?;
        change.apply(&mut file.data);
        file.pending.push((Instant::now(), change));
        Ok(())
    }

    pub(super) fn sync(&mut self, id: u64) -> Result<()> {
        let file = self.file_mut(id)?;
        for (_at, change) in file.pending.drain(..) {
            change.apply(&mut file.safe);
        }
        Ok(())
    }

    /// What was to be synced is not, and the next sync does not know of it.
    pub(super) fn fail_sync(&mut self, id: u64) {
        if let Ok(file) = self.file_mut(id) {
            file.pending.clear();
        }
    }

    pub(super) fn sync_folder(&mut self, id: u64) -> Result<()> {
        let folder = self.folder_mut(id)?;
        for (_at, step) in folder.pending.drain(..) {
            apply(&step, &mut folder.safe);
        }
        Ok(())
    }
}
