//! The durable log: partitions of segments on disk. Plain blocking code; no async, no network, no clock, no threads.
//!
//! ```text
//! <data folder>/
//!   meta.properties                 the hub's id and the version of this format
//!   .lock                           held exclusively by the one process that writes
//!   leader-epoch                    the epoch of the present life
//!   recovery-point-checkpoint       what is known to be on disk, for each partition
//!   log-start-offset-checkpoint     where partitions begin whose first records somebody deleted
//!   cleaner-offset-checkpoint       up to where partitions are compacted: a hint
//!   clean-shutdown                  there when the last life ended in order
//!   unchecked                       there when one did not, until everything was read once
//!   damage, damage-acknowledged     what was found missing or damaged (see [`findings`])
//!   <topic>-<partition>/
//!     00000000000000001234.log      record batches (magic 2), end to end, nothing else
//!     00000000000000001234.index    sparse index of a closed segment: a hint, can always be rebuilt
//!     00000000000000001234.producers what producers had done up to its end: a hint, can always be rebuilt
//!     00000000000000001234.log.cleaned  what will replace the segment (see [`compact`]); removed at the next start
//!     00000000000000001234.torn     what followed the end of the log after a crash, kept for a person
//!   <topic id>-<partition>-delete/  what was deleted and is being removed (see [`discard`])
//! ```
//!
//! Bytes on disk are bytes on the wire. An append sets base offset and leader epoch in place, both outside the sum.
//!
//! Recovery reads from the recovery point: the first batch that is short or fails its CRC-32C ends the log, and what
//! follows it is moved to a `.torn` file. Damage behind that point is found when it is read: the reader says which
//! offsets are lost and goes on behind them.
//!
//! Offsets follow each other without a gap. Where compaction has removed records, a batch without any covers their
//! offsets.
//!
//! Invariant: start ≤ flushed ≤ end; a reader sees nothing at or beyond the end; one writer.

mod compact;
pub(crate) mod disk;
mod folder;
mod partition;
pub mod private;
mod read;
pub(super) mod recovery;
mod segment;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use anabranch_record::TopicPartition;
use thiserror::Error;

pub(crate) use compact::KEYS_MAX;
pub use compact::{Compacted, Compaction, Progress};
pub use folder::checkpoint::Checkpoint;
pub use folder::{Folder, Meta, log_starts, partitions};
pub use partition::delete::{deleted_folders, discard};
pub use partition::producers::{Aborted, ProducerFault, ProducerInfo, Producers, Verdict};
pub use partition::{Appended, Partition, Settings};
pub use read::extent::Extent;
pub use read::raw::{RawRead, Room};
pub use read::reader::{Damage, Read, Reader};
pub use recovery::findings::{Finding, acknowledge, add_findings, findings, has_findings};
pub use recovery::scan::{Recovered, ScanEnd, scan};
pub use segment::Segment;

/// What went wrong with the log's files.
#[derive(Debug, Error)]
pub enum LogError {
    /// The system said no.
    #[error("cannot {what} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// No room: nothing was appended; the same append may work later.
    #[error("no space left on the disk of {}", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the folder.
    #[error("{} is in use by {holder}; one data folder belongs to one agent", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The process, in words.
        holder: String,
    },
    /// The partition was deleted.
    #[error("{partition} was deleted")]
    Deleted {
        /// Which.
        partition: TopicPartition,
    },
    /// The folder's format is not ours.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl LogError {
    fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| {
            let full = matches!(
                cause.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::FileTooLarge
            );
            if full { Self::NoSpace { path } } else { Self::Io { what, path, cause } }
        }
    }
}

/// Writes a small file whole or not at all: aside, synced, renamed, and its folder synced.
///
/// # Errors
/// [`LogError`] when the system says no; the old file is then still there.
pub(crate) fn write_atomically(path: &std::path::Path, text: &str) -> Result<(), LogError> {
    let aside = path.with_extension("tmp");
    let file = disk::File::make(&aside).map_err(LogError::io("create", &aside))?;
    file.write_both_at(text.as_bytes(), &[], 0).map_err(LogError::io("write", &aside))?;
    file.sync_all().map_err(LogError::io("sync", &aside))?;
    disk::rename(&aside, path).map_err(LogError::io("rename", &aside))?;
    sync_parent(path)
}

/// Makes names in the folder of `path` durable.
///
/// # Errors
/// [`LogError`] when the system says no.
pub(crate) fn sync_parent(path: &std::path::Path) -> Result<(), LogError> {
    path.parent().map_or(Ok(()), sync)
}

/// Makes names in `folder` durable.
///
/// # Errors
/// [`LogError`] when the system says no.
pub(crate) fn sync(folder: &std::path::Path) -> Result<(), LogError> {
    disk::sync_folder(folder).map_err(LogError::io("sync", folder))
}
