//! A small ext4 in a file, which something else fills.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Room of the disk: more than a run needs.
const SIZE_BYTES: u64 = 512 << 20;

/// The disk; it is gone when dropped.
#[derive(Debug)]
pub struct Small {
    path: PathBuf,
}

impl Small {
    /// Makes one in a file beside `path` and mounts it there.
    ///
    /// # Errors
    /// When that is not possible: it needs root, mkfs.ext4 and a loop device.
    pub fn mount(path: &Path) -> Result<Self, String> {
        let image = path.with_extension("ext4");
        let failed = |error: std::io::Error| format!("{}: {error}", image.display());
        File::create(&image).and_then(|file| file.set_len(SIZE_BYTES)).map_err(failed)?;
        std::fs::create_dir_all(path).map_err(failed)?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))?;
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Leaves so many kB, or all the room there is.
    ///
    /// # Errors
    /// When the disk cannot be filled.
    pub fn fill(&self, left: Option<u64>) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: {error}", self.path.display());
        let filler = self.path.join("filler");
        let Some(left) = left else {
            // It is not there when nothing was filled.
            std::fs::remove_file(&filler).ok();
            return Ok(());
        };
        let file = File::options().create(true).append(true).open(&filler).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let room = statvfs(&self.path).map_err(|error| failed(error.into()))?;
        let room = (room.f_bavail * room.f_frsize).saturating_sub(left * 1000);
        if room > 0 {
            fallocate(&file, FallocateFlags::empty(), length, room)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        run(Command::new("umount").arg("-l").arg(&self.path)).ok();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
