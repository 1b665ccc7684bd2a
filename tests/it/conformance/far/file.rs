//! A file in a folder that may be taken away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Far;
use crate::support::{Agent, file_line_count, file_lines};

struct Folder {
    folder: PathBuf,
    /// Where it is while it is away.
    aside: PathBuf,
    is_disk: bool,
}

/// A folder below `at` that the sink makes; a file stands in its place while it is away.
pub(in crate::conformance) fn open(at: &Path) -> Option<Box<dyn Far>> {
    Some(Box::new(Folder { folder: at.join("out"), aside: at.join("aside"), is_disk: false }))
}

/// As a disk that is not mounted for a while: an empty folder is in its place, which the agent may not write.
pub(in crate::conformance) fn on_a_disk(at: &Path) -> Option<Box<dyn Far>> {
    Some(Box::new(Folder { folder: at.join("out"), aside: at.join("aside"), is_disk: true }))
}

impl Folder {
    fn file(&self) -> PathBuf {
        self.folder.join("lines.txt")
    }
}

impl Far for Folder {
    fn to(&self, _password: Option<&str>) -> String {
        format!("file: {{ path: \"{}\", codec: raw }}", self.file().display())
    }

    fn arrived(&self) -> Vec<String> {
        file_lines(&self.file())
    }

    fn count(&self) -> usize {
        file_line_count(&self.file())
    }

    fn start(&self, folder: &Path, blocks: &str) -> Agent {
        Agent::start_without_privileges(folder, blocks)
    }

    fn go_away(&mut self) {
        if self.folder.exists() {
            fs::rename(&self.folder, &self.aside).unwrap();
        }
        if self.is_disk {
            fs::create_dir(&self.folder).unwrap();
            fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o555)).unwrap();
        } else {
            fs::write(&self.folder, "").unwrap();
        }
    }

    /// A configuration with a file in the place of a folder is refused.
    fn lets_start(&self) -> bool {
        self.is_disk
    }

    fn come_back(&mut self) {
        if self.is_disk {
            fs::remove_dir(&self.folder).unwrap();
        } else {
            fs::remove_file(&self.folder).unwrap();
        }
        if self.aside.exists() {
            fs::rename(&self.aside, &self.folder).unwrap();
        }
    }
}
