//! Ctrl-C and SIGTERM: the benchmark unwinds, so that its agent ends and its files go.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::tasks::Tasks;

/// Signals are for the whole process, and so is this.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Listens to signals as long as it lives.
pub(super) struct Signals {
    _tasks: Tasks,
    _runtime: tokio::runtime::Runtime,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot listen to signals: {error}");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let mut tasks = Tasks::new(mpsc::channel(1).0);
        {
            let _inside = runtime.enter();
            let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
            tasks.spawn("signals", async move {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                STOPPED.store(true, Ordering::Relaxed);
            });
        }
        Ok(Self { _tasks: tasks, _runtime: runtime })
    }
}

/// Whether a signal has come.
pub(super) fn stopped() -> bool {
    STOPPED.load(Ordering::Relaxed)
}

/// An error once a signal has come; whatever takes long asks now and then.
pub(super) fn check() -> Result<(), String> {
    if stopped() {
        Err("interrupted; the benchmark's files are removed".to_owned())
    } else {
        Ok(())
    }
}
