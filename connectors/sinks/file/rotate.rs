//! When a file ends and the next one begins, and what the files of one name are called.
//!
//! A rotated file is never renamed: the next file gets the next number, `app.000001.ndjson`, `app.000002.ndjson`, and the
//! number of the present one is part of the sink's state. So there is no moment between two renames at which a kill
//! could leave a record in the wrong file: before the commit of the new number nothing has been written under it,
//! after the commit nothing is written under the old one.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::which::Which;
use crate::ByteSize;

/// When a file is closed and the next one is begun; `rotate` of the `file` block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// At this size on disk; passed by at most one write, about 1 MiB. Off when missing.
    pub size: Option<ByteSize>,
    /// At the turn of the hour or the day, UTC, of the clock (not of the records).
    pub time: RotateTime,
    /// How many files before the present one are kept; all when missing.
    pub keep: Option<u64>,
}

/// The turn of the clock at which a new file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum RotateTime {
    /// Never for its age.
    #[default]
    #[serde(rename = "none")]
    None,
    /// Each full hour.
    #[serde(rename = "1h")]
    Hour,
    /// Each midnight.
    #[serde(rename = "1d")]
    Day,
}

/// Where one name stands: which of its files is written, since when, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Bytes of the file that are ours.
    pub(super) length: u64,
    /// Number of the file; 0 for a name that is not rotated.
    pub(super) sequence: u64,
    /// When the file was begun, seconds since the Unix epoch.
    pub(super) started_s: i64,
    /// Which file it is.
    pub(super) which: Which,
}

impl Rotate {
    /// Whether files carry numbers at all.
    pub(super) fn is_on(&self) -> bool {
        self.size.is_some() || self.time != RotateTime::None
    }

    /// Whether the file at `place` has had its time. An empty file never has.
    pub(super) fn is_due(&self, place: Place, now_s: i64) -> bool {
        let period = match self.time {
            RotateTime::None => i64::MAX,
            RotateTime::Hour => 3600,
            RotateTime::Day => 86_400,
        };
        let turned = place.started_s.div_euclid(period) < now_s.div_euclid(period);
        let full = self.size.is_some_and(|size| place.length >= size.0);
        place.sequence > 0 && place.length > 0 && (turned || full)
    }

    /// Where the name stands on disk when nothing is known of it: at the end of its newest file.
    ///
    /// # Errors
    /// What the system says, except that a missing file or folder is an empty one.
    pub(super) fn discover(&self, path: &Path, now_s: i64) -> io::Result<Place> {
        let newest = if self.is_on() { sequences(path)?.into_iter().max().unwrap_or(1) } else { 0 };
        match numbered(path, newest).metadata() {
            Ok(found) => {
                let started_s = std::os::unix::fs::MetadataExt::mtime(&found);
                let length = if found.is_file() { found.len() } else { 0 };
                Ok(Place { length, sequence: newest, started_s, which: Which::Nobody })
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let which = Which::Nobody;
                Ok(Place { length: 0, sequence: newest, started_s: now_s, which })
            }
            Err(error) => Err(error),
        }
    }

    /// Files of the name that are older than what is kept beside the present one.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn outdated(&self, path: &Path, place: Place) -> io::Result<Vec<PathBuf>> {
        let Some(keep) = self.keep else { return Ok(Vec::new()) };
        let oldest = place.sequence.saturating_sub(keep);
        let old = sequences(path)?.into_iter().filter(|sequence| *sequence < oldest);
        Ok(old.map(|sequence| numbered(path, sequence)).collect())
    }
}

/// Cuts a file name at the place of the number: before the extension, and before that of the compression.
fn split(path: &Path) -> (String, String) {
    let name = path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(&name);
    let stem = plain.rfind('.').filter(|at| *at > 0).unwrap_or(plain.len());
    name.split_at_checked(stem)
        .map(|(stem, end)| (stem.to_owned(), end.to_owned()))
        .unwrap_or_default()
}

/// The file of that number; 0 is the name itself.
pub(super) fn numbered(path: &Path, sequence: u64) -> PathBuf {
    if sequence == 0 {
        return path.to_path_buf();
    }
    let (stem, end) = split(path);
    path.with_file_name(format!("{stem}.{sequence:06}{end}"))
}

/// The numbers of the files that a name has on disk.
fn sequences(path: &Path) -> io::Result<Vec<u64>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let entries = match folder.read_dir() {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let (stem, end) = split(path);
    let number = |name: &str| -> Option<u64> {
        let digits = name.strip_prefix(&stem)?.strip_prefix('.')?.strip_suffix(&end)?;
        let is_number = digits.len() >= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(entry?.file_name().to_str().and_then(number));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_before_the_extensions() {
        for (name, expected) in [
            ("a/app.ndjson", "a/app.000007.ndjson"),
            ("a/app.x.ndjson.gz", "a/app.x.000007.ndjson.gz"),
            ("a/app", "a/app.000007"),
            ("a/app.zst", "a/app.000007.zst"),
            ("a/.app", "a/.app.000007"),
        ] {
            assert_eq!(numbered(Path::new(name), 7), PathBuf::from(expected));
            assert_eq!(numbered(Path::new(name), 0), PathBuf::from(name));
        }
        assert_eq!(numbered(Path::new("app"), 1_234_567), PathBuf::from("app.1234567"));
    }

    #[test]
    fn a_file_is_due_when_full_or_when_the_clock_turns_but_never_while_empty() {
        let rotate = Rotate { size: Some(ByteSize(10)), time: RotateTime::Hour, keep: None };
        let which = Which::Nobody;
        let place = |length, started_s| Place { length, sequence: 1, started_s, which };
        assert!(rotate.is_due(place(10, 3600), 3601));
        assert!(!rotate.is_due(place(9, 3600), 7199));
        assert!(rotate.is_due(place(9, 3600), 7200));
        assert!(!rotate.is_due(place(0, 3600), 999_999));
        assert!(!Rotate::default().is_due(place(99, 0), 999_999));
    }

    #[test]
    fn a_name_goes_on_at_its_newest_file_and_only_its_own_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.log");
        let rotate = Rotate { size: Some(ByteSize(10)), keep: Some(1), ..Rotate::default() };
        let fresh = Place { length: 0, sequence: 1, started_s: 5, which: Which::Nobody };
        assert_eq!(rotate.discover(&path, 5).unwrap(), fresh);
        assert_eq!(rotate.discover(&folder.path().join("none/x"), 5).unwrap(), fresh);
        let others = ["app.log", "app.12.log", "app.000009.txt", "app.000001.000008.log"];
        for name in ["app.000001.log", "app.000002.log", "app.000003.log"].iter().chain(&others) {
            std::fs::write(folder.path().join(name), b"four").unwrap();
        }
        let place = rotate.discover(&path, 5).unwrap();
        assert_eq!((place.sequence, place.length), (3, 4));
        let outdated = rotate.outdated(&path, place).unwrap();
        assert_eq!(outdated, [folder.path().join("app.000001.log")]);
    }
}
