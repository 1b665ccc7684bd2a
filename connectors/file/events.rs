//! Gathers the events of `notify` into hints, on its thread.
//!
//! The thread only puts paths into a bounded set and wakes the reader. Events are not handed on one by one: that would
//! need a queue without bound, or one that makes the thread wait for the reader.
//!
//! A file that is written ten thousand times a second would wake the thread as often. So once it has caught up with the
//! kernel it rests until [`REST`] after it was last woken, and the kernel makes one of equal events that follow each
//! other. That delays nothing: the hint before the rest has woken the reader, whose next look is further off.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{Event, EventKind, ModifyKind, RenameMode};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Most paths that wait for the reader; with more it looks everywhere.
const PENDING_MAX: usize = 4096;
/// Shortest time from one waking of the thread to the next; less than the reader gathers.
const REST: Duration = Duration::from_millis(2);
/// Events further apart than this were not waiting in the kernel's queue.
const CAUGHT_UP: Duration = Duration::from_micros(20);

/// What the thread of `notify` and the reader share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pending: Mutex<Pending>,
    /// Wakes the reader, when the first hint has come.
    pub(super) arrived: Notify,
    hurried: Condvar,
}

/// What waits for the reader.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Files that have grown, or shrunk.
    pub(super) grown: HashSet<PathBuf>,
    /// Paths at which something has come, or, where it is said, gone.
    pub(super) named: Vec<(PathBuf, bool)>,
    /// Whether events were lost.
    pub(super) lost: bool,
    /// Places in which it does not matter that files grow.
    pub(super) growth_ignored: HashSet<PathBuf>,
    /// Whether the reader waits for the thread.
    hurry: bool,
}

impl Shared {
    /// Takes hold of what waits; only for a moment, the thread waits for it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the thread is not to rest, because it is waited for.
    pub(super) fn hurry(&self, hurry: bool) {
        self.lock().hurry = hurry;
        self.hurried.notify_all();
    }

    fn rest(&self, time: Duration) {
        let rested = self.hurried.wait_timeout_while(self.lock(), time, |pending| !pending.hurry);
        drop(rested);
    }

    fn put(&self, event: notify::Result<Event>) {
        let mut pending = self.lock();
        let woken = !pending.is_empty();
        match event {
            Ok(event) if !event.need_rescan() => pending.put(event),
            _ => pending.lose(),
        }
        if !woken && !pending.is_empty() {
            self.arrived.notify_one();
        }
    }
}

impl Pending {
    /// Whether there is nothing to take.
    pub(super) fn is_empty(&self) -> bool {
        self.grown.is_empty() && self.named.is_empty() && !self.lost
    }

    fn put(&mut self, mut event: Event) {
        let Some(path) = event.paths.pop() else { return };
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => {
                let ignored = |place| self.growth_ignored.contains(place);
                if !self.lost && !self.grown.contains(&path) && !path.parent().is_some_and(ignored)
                {
                    self.grown.insert(path);
                }
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) | EventKind::Remove(_) => {
                self.named.push((path, true));
            }
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) | EventKind::Create(_) => {
                self.named.push((path, false));
            }
            EventKind::Modify(_) | EventKind::Access(_) | EventKind::Any | EventKind::Other => {}
        }
        if self.lost || self.grown.len() + self.named.len() > PENDING_MAX {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.grown.clear();
        self.named.clear();
        self.lost = true;
    }
}

/// Hears events, on the thread of `notify`.
#[derive(Debug)]
pub(super) struct Listener {
    shared: Arc<Shared>,
    /// The file that the last event was about, if it told of growth.
    last: PathBuf,
    /// When the last rest was over.
    woken: Instant,
    /// When the last event was done with.
    done: Instant,
}

impl Listener {
    /// Puts what it hears into `shared`.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { shared, last: PathBuf::new(), woken: now, done: now }
    }
}

impl notify::EventHandler for Listener {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let kind = event.as_ref().map_or(EventKind::Other, |event| event.kind);
        let ignored = ModifyKind::Name(RenameMode::Both);
        if matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)))
            || kind == EventKind::Modify(ignored)
        {
            self.last.clear();
            return;
        }
        let path = event.as_ref().ok().and_then(|event| event.paths.first());
        let grown = path.filter(|_| matches!(kind, EventKind::Modify(ModifyKind::Data(_))));
        // Equal events that follow each other would have become one, had both waited.
        let again = grown.is_some_and(|path| *path == self.last);
        let caught_up = again || self.done.elapsed() > CAUGHT_UP;
        if !again {
            self.last.clear();
            self.last.extend(grown);
        }
        self.shared.put(event);
        if caught_up {
            self.shared.rest(REST.saturating_sub(self.woken.elapsed()));
            self.woken = Instant::now();
        }
        self.done = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_hints_become_one_to_look_everywhere() {
        let shared = Shared::default();
        let tell = |count: usize| {
            let event =
                Event::new(EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any)));
            let paths = (0..count).map(|at| PathBuf::from(format!("/{at}")));
            paths.for_each(|path| shared.put(Ok(event.clone().add_path(path))));
            shared.lock().grown.len()
        };
        assert_eq!((tell(PENDING_MAX), tell(PENDING_MAX + 1)), (PENDING_MAX, 0));
        assert!(shared.lock().lost);
        *shared.lock() = Pending::default();
        shared.put(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)));
        assert!(shared.lock().lost);
    }
}
