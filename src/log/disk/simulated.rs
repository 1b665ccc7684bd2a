//! A disk that forgets what was not synced, each file and folder on its own, and that refuses what it is told to.
//!
//! The files are real ones below a root. Beside them it is kept what is durable of each, and what was done since that is
//! not. [`Disk::cut_power`] makes the root what a power cut could have left; [`Disk::refuse`] has one step fail, or all
//! from it on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::beneath::Beneath;
use super::random::Random;
use super::surface::{Change, Content, Entry, Names};

/// The disks that there are, by their roots.
static DISKS: RwLock<Vec<Arc<Disk>>> = RwLock::new(Vec::new());

/// What a disk may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Read,
    Write,
    Sync,
    /// Names: making, renaming, removing.
    Name,
}

/// What is refused: steps from `from` on, `count` of them, with an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) from: u64,
    pub(crate) count: u64,
    pub(crate) full: bool,
}

/// A disk, as long as it is held.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    folders: BTreeMap<u64, Names>,
    files: BTreeMap<u64, Content>,
    next: u64,
    count: u64,
    refusal: Option<Refusal>,
    /// One step that is refused whatever else is.
    doomed: Option<u64>,
    refused: u64,
}

/// One file, if a disk is beneath it.
#[derive(Debug)]
pub(crate) struct Watch(Option<(Arc<Disk>, u64)>);

impl Disk {
    /// Puts a disk beneath an empty folder.
    pub(crate) fn beneath(root: &Path) -> Arc<Self> {
        let inner = Inner {
            folders: BTreeMap::from([(0, Names::default())]),
            files: BTreeMap::new(),
            next: 1,
            count: 0,
            refusal: None,
            doomed: None,
            refused: 0,
        };
        let disk = Arc::new(Self { root: root.to_owned(), inner: Mutex::new(inner) });
        DISKS.write().push(Arc::clone(&disk));
        disk
    }

    /// Takes it away.
    pub(crate) fn end(self: &Arc<Self>) {
        let mut disks = DISKS.write();
        disks.retain(|disk| !Arc::ptr_eq(disk, self));
    }

    /// Steps that were taken: each could have been refused.
    pub(crate) fn steps(&self) -> u64 {
        self.inner().count
    }

    /// Refuses some steps from now on, or none.
    pub(crate) fn refuse(&self, refusal: Option<Refusal>) {
        self.inner().refusal = refusal;
    }

    /// Refuses the one step with that number, once.
    pub(crate) fn doom(&self, step: u64) {
        self.inner().doomed = Some(step);
    }

    /// How many steps were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.inner().refused
    }

    /// Leaves in the root what a power cut could have left. Nobody may have a file open.
    pub(crate) fn cut_power(&self, random: &mut Random) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        for names in inner.folders.values_mut() {
            names.cut(random);
        }
        for content in inner.files.values_mut() {
            content.cut(random);
        }
        for entry in std::fs::read_dir(&self.root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
                .unwrap();
        }
        inner.write_out(0, &self.root);
    }

    /// Flips one bit of a file that is there; gives its place.
    pub(crate) fn flip(path: &Path, random: &mut Random) -> Option<u64> {
        let mut bytes = std::fs::read(path).ok()?;
        let place = random.below(bytes.len() as u64);
        let byte = bytes.get_mut(usize::try_from(place).ok()?)?;
        *byte ^= 1 << random.below(8);
        let open = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        open.write_all_at(&[*byte], place).unwrap();
        Some(place)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    fn above(path: &Path) -> Option<(Arc<Self>, PathBuf)> {
        let disks = DISKS.read();
        disks.iter().find_map(|disk| {
            let inside = path.strip_prefix(&disk.root).ok()?;
            Some((Arc::clone(disk), inside.to_owned()))
        })
    }

    /// Asks whether a step in a folder may be taken, and takes it.
    fn name(path: &Path, act: impl FnOnce(&mut Inner, u64, OsString)) -> io::Result<()> {
        let Some((disk, inside)) = Self::above(path) else { return Ok(()) };
        let mut inner = disk.inner();
        inner.ask(Step::Name)?;
        if let Some((folder, name)) = inner.place(&inside) {
            act(&mut inner, folder, name);
        }
        Ok(())
    }
}

impl Inner {
    fn ask(&mut self, step: Step) -> io::Result<()> {
        let at = self.count;
        self.count += 1;
        if self.doomed == Some(at) {
            self.refused += 1;
            return Err(io::Error::from_raw_os_error(5));
        }
        let Some(refusal) = self.refusal else { return Ok(()) };
        if at < refusal.from || at - refusal.from >= refusal.count {
            return Ok(());
        }
        let grows = matches!(step, Step::Write | Step::Name);
        if refusal.full && !grows {
            return Ok(());
        }
        self.refused += 1;
        Err(io::Error::from_raw_os_error(if refusal.full { 28 } else { 5 }))
    }

    /// The folder that a path is in, and its name there.
    fn place(&self, inside: &Path) -> Option<(u64, OsString)> {
        let name = inside.file_name()?.to_owned();
        match self.find(inside.parent()?)? {
            Entry::Folder(folder) => Some((folder, name)),
            Entry::File(_) => None,
        }
    }

    fn find(&self, inside: &Path) -> Option<Entry> {
        let mut at = Entry::Folder(0);
        for part in inside {
            let Entry::Folder(folder) = at else { return None };
            at = *self.folders.get(&folder)?.now.get(part)?;
        }
        Some(at)
    }

    fn new_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn write_out(&self, folder: u64, path: &Path) {
        for (name, entry) in &self.folders[&folder].now {
            let path = path.join(name);
            match entry {
                Entry::File(file) => std::fs::write(path, &self.files[file].durable).unwrap(),
                Entry::Folder(inside) => {
                    std::fs::create_dir(&path).unwrap();
                    self.write_out(*inside, &path);
                }
            }
        }
    }
}

/// A place in a file that is small.
fn in_memory(place: u64) -> usize {
    usize::try_from(place).unwrap()
}

impl Watch {
    fn ask(&self, step: Step, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let Some((disk, file)) = &self.0 else { return Ok(()) };
        let mut inner = disk.inner();
        inner.ask(step)?;
        if let Some(content) = inner.files.get_mut(file) {
            change(content);
        }
        Ok(())
    }
}

impl Beneath for Watch {
    fn create(path: &Path) -> io::Result<Self> {
        let Some((disk, inside)) = Disk::above(path) else { return Ok(Self(None)) };
        let mut inner = disk.inner();
        inner.ask(Step::Name)?;
        let Some((folder, name)) = inner.place(&inside) else { return Ok(Self(None)) };
        let known = inner.folders.get(&folder).and_then(|names| names.now.get(&name)).copied();
        let file = match known {
            Some(Entry::File(file)) => {
                if let Some(content) = inner.files.get_mut(&file) {
                    content.change(Change::Length(0));
                }
                file
            }
            _ => {
                let file = inner.new_number();
                inner.files.insert(file, Content::default());
                if let Some(names) = inner.folders.get_mut(&folder) {
                    names.set(name, Entry::File(file));
                }
                file
            }
        };
        drop(inner);
        Ok(Self(Some((disk, file))))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let Some((disk, inside)) = Disk::above(path) else { return Ok(Self(None)) };
        let found = disk.inner().find(&inside);
        match found {
            Some(Entry::File(file)) => Ok(Self(Some((disk, file)))),
            _ => Ok(Self(None)),
        }
    }

    fn read(&self) -> io::Result<()> {
        self.ask(Step::Read, |_content| {})
    }

    fn write(
        &self,
        file: &std::fs::File,
        (head, rest): (&[u8], &[u8]),
        place: u64,
    ) -> io::Result<()> {
        let bytes = [head, rest].concat();
        let asked = self.ask(Step::Write, |content| {
            content.change(Change::Bytes(in_memory(place), bytes.clone()));
        });
        if asked.is_err()
            && let Some((disk, number)) = &self.0
        {
            // As a disk that becomes full, or fails, in the middle.
            let part = &bytes[..bytes.len() / 2];
            file.write_all_at(part, place)?;
            if let Some(content) = disk.inner().files.get_mut(number) {
                content.change(Change::Bytes(in_memory(place), part.to_vec()));
            }
        }
        asked
    }

    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.ask(Step::Write, |content| content.change(Change::Length(in_memory(size_bytes))))
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.ask(Step::Sync, Content::sync);
        if synced.is_err()
            && let Some((disk, file)) = &self.0
            && let Some(content) = disk.inner().files.get_mut(file)
        {
            content.fail_sync();
        }
        synced
    }

    fn rename(from: &Path, to: &Path) -> io::Result<()> {
        let to_name = to.file_name().unwrap_or_default().to_owned();
        Disk::name(from, |inner, folder, name| {
            if let Some(names) = inner.folders.get_mut(&folder) {
                names.rename(&name, to_name);
            }
        })
    }

    fn remove(path: &Path) -> io::Result<()> {
        Disk::name(path, |inner, folder, name| {
            if let Some(names) = inner.folders.get_mut(&folder) {
                names.remove(&name);
            }
        })
    }

    fn create_folder(path: &Path) -> io::Result<()> {
        Disk::name(path, |inner, folder, name| {
            let made = inner.new_number();
            inner.folders.insert(made, Names::default());
            if let Some(names) = inner.folders.get_mut(&folder) {
                names.set(name, Entry::Folder(made));
            }
        })
    }

    fn sync_folder(path: &Path) -> io::Result<()> {
        let Some((disk, inside)) = Disk::above(path) else { return Ok(()) };
        let mut inner = disk.inner();
        inner.ask(Step::Sync)?;
        if let Some(Entry::Folder(folder)) = inner.find(&inside)
            && let Some(names) = inner.folders.get_mut(&folder)
        {
            names.sync();
        }
        Ok(())
    }
}
