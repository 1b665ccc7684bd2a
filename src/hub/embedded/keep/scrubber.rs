//! After a life that did not end in order, everything that is kept is read once, slowly, so that damage is told then and
//! not only when somebody reads it.
//!
//! A mark in the data folder ([`Folder::must_check`]) says that this is to be done; it goes when it is done, so a check that
//! was interrupted begins again with the next start.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{info, warn};

use crate::hub::embedded::Shared;
use crate::hub::embedded::topics::table::finding;
use crate::log::{LogError, Partition, Read, Reader};

/// How much less the thread matters than those that write and read.
const NICE: i32 = 10;
/// Bytes that are read before the thread rests.
const STEP_BYTES: usize = 4 << 20;
/// How long it rests: about 50 MiB a second are read at most.
const REST: Duration = Duration::from_millis(80);

/// Reads what is kept, on a thread of its own.
#[derive(Debug)]
pub(super) struct Scrubber(Option<JoinHandle<()>>);

impl Scrubber {
    /// Begins, if the last life did not end in order.
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        if !shared.folder().must_check() {
            return Self(None);
        }
        let checked = Arc::clone(shared);
        let started =
            std::thread::Builder::new().name("log-scrubber".to_owned()).spawn(move || {
                // On Linux it is the thread's alone; without it the check is only as important as the rest.
                rustix::process::nice(NICE).ok();
                run(&checked);
            });
        match started {
            Ok(thread) => Self(Some(thread)),
            Err(error) => {
                warn!(%error, "the log is not checked for damage now; the next start tries again");
                Self(None)
            }
        }
    }

    /// Waits for it; it stops soon when the hub is closing.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.0.take() {
            thread.thread().unpark();
            // A panic of the thread was printed when it happened.
            thread.join().ok();
        }
    }
}

fn run(shared: &Shared) {
    let rest = || {
        std::thread::park_timeout(REST);
        shared.closing.load(Ordering::Acquire)
    };
    match check_all(shared, rest) {
        Ok(Some(bytes)) => {
            info!(bytes, "the log was checked, since the last life did not end in order");
            if let Err(error) = shared.folder().mark_checked() {
                warn!(%error, "the next start will check the log once more");
            }
        }
        Ok(None) => {}
        Err(error) => {
            warn!(%error, "the log could not be checked for damage; the next start tries again");
        }
    }
}

/// Reads everything that there is now; gives the bytes. `rest` is called now and then, and says whether to give up.
pub(crate) fn check_all(
    shared: &Shared,
    mut rest: impl FnMut() -> bool,
) -> Result<Option<u64>, LogError> {
    let mut total = 0;
    for state in shared.topics.all() {
        for partition in &state.partitions {
            match check(shared, partition, &mut rest)? {
                Some(bytes) => total += bytes,
                None => return Ok(None),
            }
        }
    }
    Ok(Some(total))
}

fn check(
    shared: &Shared,
    partition: &Arc<Partition>,
    rest: &mut impl FnMut() -> bool,
) -> Result<Option<u64>, LogError> {
    // What is appended from now on was never away from memory.
    let end = partition.end();
    let mut reader = Reader::new(Arc::clone(partition), partition.start());
    let (mut total, mut since) = (0, 0);
    while reader.next_offset() < end {
        match reader.read()? {
            Read::End => break,
            Read::Batch(_, bytes) => since += bytes.len(),
            Read::Damage(damage) if !damage.is_removal => {
                shared.found(&[finding(partition.name(), &damage)]);
            }
            Read::Damage(_removed) => {}
        }
        if since >= STEP_BYTES {
            total += since as u64;
            since = 0;
            reader.leave_memory();
            if rest() {
                return Ok(None);
            }
        }
    }
    reader.leave_memory();
    Ok(Some(total + since as u64))
}
