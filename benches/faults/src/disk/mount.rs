//! The mount, and the thread that answers the kernel.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::serve::{Service, WRITE_MAX};
use super::tree::Tree;
use super::trouble::Trouble;
use super::wire::Request;
use crate::random::Random;

/// The disk; it is gone when dropped.
#[derive(Debug)]
pub struct Disk {
    /// Where it is mounted.
    pub path: PathBuf,
    service: Arc<Mutex<Service>>,
}

impl Disk {
    /// Mounts an empty one at a new folder.
    ///
    /// # Errors
    /// When that is not possible: it needs root and `/dev/fuse`.
    pub fn mount(path: &Path, seed: u64) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot mount at {}: {error}", path.display());
        std::fs::create_dir_all(path).map_err(failed)?;
        let device = File::options().read(true).write(true).open("/dev/fuse").map_err(failed)?;
        let options =
            format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        let options = CString::new(options).map_err(|error| error.to_string())?;
        mount(
            "faults",
            path,
            "fuse",
            MountFlags::NOSUID | MountFlags::NODEV,
            Some(options.as_c_str()),
        )
        .map_err(|error| failed(error.into()))?;
        let service = Service { tree: Tree::new(), trouble: None, random: Random::seeded(seed) };
        let service = Arc::new(Mutex::new(service));
        let shared = Arc::clone(&service);
        std::thread::spawn(move || serve(device, &shared));
        Ok(Self { path: path.to_owned(), service })
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock()
    }

    /// Misbehaves in this way from now on, or not at all.
    pub fn set(&self, trouble: Option<Trouble>) {
        self.service().trouble = trouble;
    }

    /// Forgets what was not synced. Whoever has files open must be gone before.
    pub fn cut(&self) {
        let mut service = self.service();
        let Service { tree, random, .. } = &mut *service;
        tree.cut(random);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whatever still has it open keeps it until then; nothing of it is needed any more.
        unmount(&self.path, UnmountFlags::DETACH).ok();
    }
}

/// Answers until the file system is unmounted.
fn serve(mut device: File, service: &Mutex<Service>) {
    let room = usize::try_from(WRITE_MAX).unwrap_or(0) + 64 * 1024;
    let mut buffer = vec![0; room];
    let begun = Instant::now();
    loop {
        let length = match device.read(&mut buffer) {
            Ok(length) => length,
            // A request that was taken back before it was read.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 4 | 11)) => continue,
            Err(_unmounted) => return,
        };
        let Some(request) = buffer.get(..length).and_then(Request::read) else { continue };
        let answer = service.lock().answer(request);
        if let Some(answer) = answer
            && let Err(error) = device.write_all(&answer)
            && error.raw_os_error() != Some(2)
        {
            eprintln!("disk: {error} after {:?}, operation {}", begun.elapsed(), request.operation);
        }
    }
}
