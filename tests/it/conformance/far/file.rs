//! A file in a folder that may be taken away.

use std::fs;
use std::path::{Path, PathBuf};

use super::Far;
use crate::support::{file_line_count, file_lines};

struct Folder {
    folder: PathBuf,
    aside: PathBuf,
}

/// A folder below `at` that the sink makes.
pub(in crate::conformance) fn open(at: &Path) -> Option<Box<dyn Far>> {
    Some(Box::new(Folder { folder: at.join("out"), aside: at.join("aside") }))
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

    /// A file stands where the folder was.
    fn go_away(&mut self) {
        if self.folder.exists() {
            fs::rename(&self.folder, &self.aside).unwrap();
        }
        fs::write(&self.folder, "").unwrap();
    }

    /// A configuration with a file in the place of a folder is refused.
    fn lets_start(&self) -> bool {
        false
    }

    fn come_back(&mut self) {
        fs::remove_file(&self.folder).unwrap();
        if self.aside.exists() {
            fs::rename(&self.aside, &self.folder).unwrap();
        }
    }
}
