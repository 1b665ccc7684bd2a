//! Brings the sink's files to the disk, and the folders that name them.
//!
//! A file that was written in an earlier life may have no name on the disk yet: its folder is synced once in each life.
//! After a sync that failed the system has forgotten what it was to write, and the next one says nothing of it: all that
//! is not committed is then cut off and written anew.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::open_files::{Failed, Files};
use super::rotate::numbered;

impl Files {
    /// The folders of a file that is taken up are synced before anything of it is committed.
    pub(super) fn doubt_folders_of(&mut self, path: &Path) {
        let inside = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.base));
        self.folders.extend(inside.map(Path::to_path_buf));
        self.folders.extend(self.base.parent().map(Path::to_path_buf));
    }

    /// Brings what was written to the disk, and the folders that name new files.
    ///
    /// # Errors
    /// The file or folder and what the system says. What was written may then be lost.
    pub(super) fn sync(&mut self) -> Result<(), Failed> {
        for (name, entry) in &mut self.entries {
            if !entry.dirty {
                continue;
            }
            let path = numbered(&self.base.join(&**name), entry.place.sequence);
            let synced = match &entry.handle {
                Some(file) => file.sync_data(),
                None => File::open(&path).and_then(|file| file.sync_data()),
            };
            accept(synced, &[]).map_err(|error| (path, error))?;
        }
        while let Some(folder) = self.folders.first() {
            let named = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let synced = File::open(named).and_then(|file| file.sync_all());
            // One that may be written and not read cannot be opened, and so not synced.
            accept(synced, &[ErrorKind::PermissionDenied])
                .map_err(|error| (folder.clone(), error))?;
            self.folders.pop_first();
        }
        Ok(())
    }
}

/// Some file systems and devices cannot be synced, and say so; what somebody has removed need not be.
fn accept(synced: io::Result<()>, further: &[ErrorKind]) -> io::Result<()> {
    let harmless = [ErrorKind::InvalidInput, ErrorKind::Unsupported, ErrorKind::NotFound];
    synced.or_else(|error| {
        let is_harmless = harmless.contains(&error.kind()) || further.contains(&error.kind());
        if is_harmless { Ok(()) } else { Err(error) }
    })
}
