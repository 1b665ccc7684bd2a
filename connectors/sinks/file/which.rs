//! Which file stands at a path: its name can be another's by the next look.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

/// The file that a state speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Which {
    /// A state of a version that did not say it.
    #[default]
    Unsaid,
    /// None: nothing of ours is in whatever stands there.
    Nobody,
    /// The one with this inode and birth.
    File(u64),
}

impl Which {
    /// The one that was found. Where the file system tells no birth, the inode alone names it.
    pub(super) fn of(found: &Metadata) -> Self {
        let born = found.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = born.map_or(0, |born| born.as_nanos());
        let parts = [&found.ino().to_le_bytes()[..], &born_ns.to_le_bytes()[..]].concat();
        Self::File(xxhash_rust::xxh3::xxh3_64(&parts))
    }

    /// Whether what was found is another file than this one.
    pub(super) fn is_other(self, found: &Metadata) -> bool {
        matches!(self, Self::File(_)) && self != Self::of(found)
    }
}
