//! What lies beside a closed segment: an index of it, and what producers had done up to its end. Hints, which its batches
//! can rebuild.

use super::index::Index;
use crate::log::partition::producers::Producers;
use crate::log::segment::Segment;
use crate::log::{LogError, disk};

impl Segment {
    /// What the file beside it says of its borders, though it may have grown since.
    pub(crate) fn hint(&self) -> Option<Index> {
        Index::decode_any(&disk::read(&self.path().with_extension("index")).ok()?)
    }

    /// Takes the index from the file beside it; `false` when there is none that fits.
    pub(crate) fn load_index(&self) -> bool {
        let file = disk::read(&self.path().with_extension("index"));
        let index = file.ok().and_then(|file| Index::decode(&file, self.size_bytes()));
        let Some(index) = index else { return false };
        self.set_index(index);
        true
    }

    /// What producers had done up to its end, from the file beside it; `None` when there is none that fits.
    pub(crate) fn load_producers(&self, end: Option<i64>) -> Option<Producers> {
        let file = disk::read(&self.path().with_extension("producers")).ok()?;
        if Producers::speaks_up_to(&file) != end {
            return None;
        }
        Producers::decode(&file)
    }

    /// Writes its index beside it, and what its producers have done if that is known.
    pub(crate) fn write_hints(&self, producers: Option<&[u8]>) -> Result<(), LogError> {
        if let Some(producers) = producers {
            let path = self.path().with_extension("producers");
            disk::write(&path, producers).map_err(LogError::io("write", &path))?;
        }
        let bytes = self.look_up(|index| index.encode(self.size_bytes()));
        let path = self.path().with_extension("index");
        disk::write(&path, &bytes).map_err(LogError::io("write", &path))
    }
}
