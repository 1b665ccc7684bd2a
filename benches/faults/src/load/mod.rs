//! The writers: each has a thread, hands its lines to one way in, and tells the oracle.

pub mod files;
pub mod posts;
pub mod syslog;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::oracle::Oracle;

/// What all writers share.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Who hands out the lines.
    pub oracle: Arc<Oracle>,
    /// Set when they are to end.
    pub stop: Arc<AtomicBool>,
    /// How often a log was rotated.
    pub rotations: Arc<AtomicUsize>,
    /// Percent of the usual pause between two writes.
    pub pace: u64,
}

impl Desk {
    /// Whether the writers are to end.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn pause(&self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds * self.pace / 100));
    }
}

/// The threads; they end once [`Desk::stop`] is set.
#[derive(Debug, Default)]
pub struct Writers(Vec<JoinHandle<()>>);

impl Writers {
    /// Starts one.
    pub fn start(&mut self, writer: impl FnOnce() + Send + 'static) {
        self.0.push(std::thread::spawn(writer));
    }

    /// Waits for all of them.
    ///
    /// # Errors
    /// When one of them has panicked.
    pub fn join(self) -> Result<(), String> {
        for writer in self.0 {
            writer.join().map_err(|_panic| "a writer has panicked".to_owned())?;
        }
        Ok(())
    }
}
