//! A wall clock that jumps: libfaketime before the agent, told by a file.

use std::path::{Path, PathBuf};

/// Where Debian and others have the library.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of one agent.
#[derive(Debug)]
pub struct Clock {
    library: &'static str,
    file: PathBuf,
}

impl Clock {
    /// One that is right; `None` where there is no libfaketime.
    pub fn found(folder: &Path) -> Option<Self> {
        let library = PLACES.into_iter().find(|place| Path::new(place).exists())?;
        let clock = Self { library, file: folder.join("clock") };
        clock.set(0).ok()?;
        Some(clock)
    }

    /// What a program needs in its environment to have this clock. Times of files and what only grows stay right.
    pub fn environment(&self) -> Vec<(String, String)> {
        let file = self.file.to_string_lossy();
        let variables = [
            ("LD_PRELOAD", self.library),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// Is off by so many seconds from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<(), String> {
        let aside = self.file.with_extension("new");
        let written = std::fs::write(&aside, format!("{seconds:+}\n"));
        let renamed = written.and_then(|()| std::fs::rename(&aside, &self.file));
        renamed.map_err(|error| format!("{}: {error}", self.file.display()))
    }
}
