//! What was found missing or damaged, kept for a person until it is acknowledged.
//!
//! ```text
//! <data folder>/damage               what nobody has acknowledged yet
//! <data folder>/damage-acknowledged  what somebody has
//! ```
//!
//! Both have one line for each finding, fields separated by tabs: time (ms since the Unix epoch), partition (`-` for
//! none), first offset that is lost, the one after the last, and what happened. They decide nothing: the log is read
//! as it is. A line that cannot be read is left out.

use std::fmt;
use std::path::Path;

use crate::log::{LogError, disk, write_atomically};

const OPEN: &str = "damage";
const ACKNOWLEDGED: &str = "damage-acknowledged";
/// Findings that are kept at most; more are counted in the last one that is.
const MOST: usize = 1000;

/// Something that was on disk and is not, or is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// When it was found, ms since the Unix epoch.
    pub time_ms: i64,
    /// The partition, such as `logs-0`; `-` when it is about the folder.
    pub partition: String,
    /// First offset that is lost.
    pub from: i64,
    /// The one after the last; the same as `from` when no records are lost.
    pub to: i64,
    /// What happened, and what follows from it.
    pub what: String,
}

impl Finding {
    /// Records that are lost.
    #[must_use]
    pub fn records(&self) -> u64 {
        u64::try_from(self.to.saturating_sub(self.from)).unwrap_or(0)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(5, '\t');
        Some(Self {
            time_ms: fields.next()?.parse().ok()?,
            partition: fields.next()?.to_owned(),
            from: fields.next()?.parse().ok()?,
            to: fields.next()?.parse().ok()?,
            what: fields.next()?.to_owned(),
        })
    }

    /// Whether it says nothing that `other` does not say.
    fn is_within(&self, other: &Self) -> bool {
        let same_kind = (self.from == self.to) == (other.from == other.to);
        let inside = self.from >= other.from && self.to <= other.to;
        same_kind
            && self.partition == other.partition
            && inside
            && (self.from < self.to || self.what == other.what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, from, to, what, .. } = self;
        if from < to {
            write!(out, "{partition}: offsets {from} to {} are lost: {what}", to - 1)
        } else if partition == "-" {
            write!(out, "{what}")
        } else {
            write!(out, "{partition}: {what}")
        }
    }
}

/// What nobody has acknowledged yet, oldest first.
#[must_use]
pub fn findings(folder: &Path) -> Vec<Finding> {
    load(&folder.join(OPEN))
}

/// Whether there is anything that nobody has acknowledged.
#[must_use]
pub fn has_findings(folder: &Path) -> bool {
    folder.join(OPEN).exists()
}

/// Adds what is not known yet; gives what was new.
///
/// # Errors
/// [`LogError`] when it cannot be stored.
pub fn add_findings(folder: &Path, found: &[Finding]) -> Result<Vec<Finding>, LogError> {
    let mut open = findings(folder);
    let known = load(&folder.join(ACKNOWLEDGED));
    let mut new: Vec<Finding> = Vec::new();
    for one in found {
        let is_known = open.iter().chain(&known).any(|other| one.is_within(other));
        if !is_known && open.len() < MOST {
            open.push(one.clone());
            new.push(one.clone());
        }
    }
    if !new.is_empty() {
        store(&folder.join(OPEN), &open)?;
    }
    Ok(new)
}

/// Acknowledges everything; gives what that was.
///
/// # Errors
/// [`LogError`] when it cannot be stored; nothing is acknowledged then.
pub fn acknowledge(folder: &Path) -> Result<Vec<Finding>, LogError> {
    let open = findings(folder);
    let mut known = load(&folder.join(ACKNOWLEDGED));
    known.extend(open.iter().cloned());
    let surplus = known.len().saturating_sub(MOST);
    known.drain(..surplus);
    if !open.is_empty() {
        store(&folder.join(ACKNOWLEDGED), &known)?;
    }
    let path = folder.join(OPEN);
    match disk::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LogError::io("remove", &path)(error))
        }
        _ => Ok(open),
    }
}

fn load(path: &Path) -> Vec<Finding> {
    let text = disk::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter_map(Finding::parse).collect()
}

fn store(path: &Path, all: &[Finding]) -> Result<(), LogError> {
    let mut text = String::new();
    for Finding { time_ms, partition, from, to, what } in all {
        let what = what.replace(['\t', '\n', '\r'], " ");
        text.push_str(&format!("{time_ms}\t{partition}\t{from}\t{to}\t{what}\n"));
    }
    write_atomically(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_told_once_until_it_is_acknowledged_and_not_again_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let finding = |partition: &str, from, to, what: &str| Finding {
            time_ms: 5,
            partition: partition.to_owned(),
            from,
            to,
            what: what.to_owned(),
        };
        let lost = finding("a-0", 5, 9, "a file\tis gone");
        let first = std::slice::from_ref(&lost);
        assert_eq!(add_findings(folder, first).unwrap(), first);
        let part = finding("a-0", 6, 8, "seen by a reader");
        assert_eq!(add_findings(folder, &[lost, part.clone()]).unwrap(), []);
        let known = findings(folder);
        assert_eq!(known.len(), 1);
        assert_eq!(known[0].to_string(), "a-0: offsets 5 to 8 are lost: a file is gone");
        let others =
            [finding("b-0", 6, 8, "x"), finding("a-0", 0, 0, "id"), finding("a-0", 8, 10, "y")];
        assert_eq!(add_findings(folder, &others).unwrap(), others);
        assert_eq!(acknowledge(folder).unwrap().len(), 4);
        assert!(!has_findings(folder) && findings(folder).is_empty());
        assert_eq!(acknowledge(folder).unwrap(), []);
        assert_eq!(add_findings(folder, &[part, others[1].clone()]).unwrap(), []);
        std::fs::write(folder.join(OPEN), b"\xff\x00\n1\ta\tx\n7\t-\t0\t0\tgood\n").unwrap();
        assert_eq!(findings(folder).iter().map(Finding::to_string).collect::<Vec<_>>(), ["good"]);
    }
}
