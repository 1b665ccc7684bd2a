//! Files and folders that only their owner may open: what is collected was often readable by few, and what is known of
//! it must not be readable by more. Everything in a data folder is made here, whatever the umask is.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the owner may do with a folder, and nobody else.
const FOLDER: u32 = 0o700;
/// What the owner may do with a file, and nobody else.
const FILE: u32 = 0o600;
/// The bits that are about rights.
const RIGHTS: u32 = 0o777;

/// Makes a file, or empties the one that is there.
///
/// # Errors
/// What the system says.
pub fn create(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true).create(true).truncate(true))
}

/// Opens a file with what is in it, or makes it.
///
/// # Errors
/// What the system says.
pub fn keep(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true).create(true).truncate(false))
}

/// Makes a file that must not be there.
///
/// # Errors
/// What the system says.
pub fn create_new(path: &Path) -> io::Result<File> {
    open(path, OpenOptions::new().read(true).write(true).create_new(true))
}

/// Makes a file of these bytes, in the place of the one that may be there.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    create(path)?.write_all(bytes.as_ref())
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(FILE).open(path)?;
    // A umask may have taken rights of the owner, an older file may have more.
    let is_so = file.metadata()?.permissions().mode() & RIGHTS == FILE;
    if !is_so {
        file.set_permissions(Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// Makes a folder that must not be there.
///
/// # Errors
/// What the system says.
pub fn create_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(FOLDER))
}

/// Makes a folder unless it is there, and those above it with the rights that the umask gives.
///
/// # Errors
/// What the system says.
pub fn create_folders(path: &Path) -> io::Result<()> {
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above)?;
    }
    match create_folder(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// What was found with more rights than it is to have.
#[derive(Debug, Default)]
pub struct Narrowed {
    /// How many files and folders have lost them.
    pub changed: u64,
    /// The first that keeps them, and why.
    pub refused: Option<(PathBuf, io::Error)>,
}

/// Takes rights of others from a data folder, its partitions and their files, which an earlier version or a copy has
/// left. Links are not followed.
#[must_use]
pub fn narrow(data_folder: &Path) -> Narrowed {
    let mut narrowed = Narrowed::default();
    // The folder itself may be a link.
    let data_folder = data_folder.canonicalize().unwrap_or_else(|_gone| data_folder.to_owned());
    for path in entries(&data_folder, &mut narrowed) {
        for inside in entries(&path, &mut narrowed) {
            narrowed.look_at(&inside);
        }
    }
    narrowed
}

/// What is in a folder; nothing where there is none. Its own rights are looked at first.
fn entries(path: &Path, narrowed: &mut Narrowed) -> Vec<PathBuf> {
    narrowed.look_at(path);
    let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
    let listed = std::fs::read_dir(path).ok().filter(|_| is_folder);
    listed.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

impl Narrowed {
    fn look_at(&mut self, path: &Path) {
        // What is gone by now, or cannot be looked at, is met again by whoever needs it.
        let Ok(found) = path.symlink_metadata() else { return };
        if found.is_dir() {
            self.take(path, FOLDER);
        } else if found.is_file() {
            self.take(path, FILE);
        }
    }

    fn take(&mut self, path: &Path, wanted: u32) {
        let Ok(found) = path.metadata() else { return };
        if found.permissions().mode() & RIGHTS & !wanted == 0 {
            return;
        }
        match std::fs::set_permissions(path, Permissions::from_mode(wanted)) {
            Ok(()) => self.changed += 1,
            Err(error) => self.refused = self.refused.take().or(Some((path.to_owned(), error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().permissions().mode() & RIGHTS
    }

    #[test]
    fn what_is_made_is_its_owners_alone_also_in_the_place_of_what_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        create_folders(&at("above/data")).unwrap();
        create_folders(&at("above/data")).unwrap();
        assert_eq!(mode(&at("above/data")), FOLDER);
        std::fs::write(at("old"), "x").unwrap();
        std::fs::set_permissions(at("old"), Permissions::from_mode(0o644)).unwrap();
        write(&at("old"), "y").unwrap();
        create_new(&at("new")).unwrap();
        assert_eq!((mode(&at("old")), mode(&at("new"))), (FILE, FILE));
        assert!(create_folders(&at("old")).is_err());
    }

    #[test]
    fn a_folder_with_wider_rights_is_narrowed_and_what_links_lead_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        std::fs::create_dir_all(at("data/t-0")).unwrap();
        for (name, rights) in [("data/.lock", 0o644), ("data/t-0/0.log", 0o640), ("else", 0o644)] {
            std::fs::write(at(name), "").unwrap();
            set(&at(name), rights);
        }
        std::os::unix::fs::symlink(at("else"), at("data/t-0/link")).unwrap();
        std::os::unix::fs::symlink(folder.path(), at("data/above")).unwrap();
        set(&at("data/t-0"), 0o755);
        set(&at("data"), 0o755);
        set(folder.path(), 0o755);
        assert_eq!(narrow(&at("data")).changed, 4);
        for (name, expected) in [
            ("data", FOLDER),
            ("data/.lock", FILE),
            ("data/t-0", FOLDER),
            ("data/t-0/0.log", FILE),
            ("else", 0o644),
            (".", 0o755),
        ] {
            assert_eq!(mode(&at(name)), expected, "{name}");
        }
        let again = narrow(&at("data"));
        assert!(again.changed == 0 && again.refused.is_none());
    }
}
