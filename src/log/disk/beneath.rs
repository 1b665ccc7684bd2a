//! Who is asked before a file is touched.

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// Watches one file, and folders; an error is given to whoever wanted to do it, and nothing is done.
pub(super) trait Beneath: Debug + Sized {
    fn create(path: &Path) -> io::Result<Self>;
    fn open(path: &Path) -> io::Result<Self>;
    fn read(&self) -> io::Result<()>;
    fn write(&self, file: &std::fs::File, pieces: (&[u8], &[u8]), place: u64) -> io::Result<()>;
    fn set_len(&self, size_bytes: u64) -> io::Result<()>;
    fn sync(&self) -> io::Result<()>;
    fn rename(from: &Path, to: &Path) -> io::Result<()>;
    fn remove(path: &Path) -> io::Result<()>;
    fn create_folder(path: &Path) -> io::Result<()>;
    fn sync_folder(path: &Path) -> io::Result<()>;
}

/// Nobody watches.
#[cfg(not(test))]
#[derive(Debug)]
pub(super) struct Nothing;

#[cfg(not(test))]
impl Beneath for Nothing {
    #[inline]
    fn create(_path: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn open(_path: &Path) -> io::Result<Self> {
        Ok(Self)
    }

    #[inline]
    fn read(&self) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn write(&self, _file: &std::fs::File, _: (&[u8], &[u8]), _place: u64) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn set_len(&self, _size_bytes: u64) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn rename(_from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn remove(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn create_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }

    #[inline]
    fn sync_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }
}
