//! Ctrl-C and SIGTERM: the bench unwinds, so that its servers end and its disks go.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

/// Signals are for the whole process, and so is this.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// Listens to signals from now on, on a thread of its own.
///
/// # Errors
/// When that is not possible.
pub fn listen() -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot listen to signals: {error}");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        (interrupt, signal(SignalKind::terminate()).map_err(failed)?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        STOPPED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// An error once a signal has come; whatever takes long asks now and then.
///
/// # Errors
/// That it has come.
pub fn check() -> Result<(), String> {
    if STOPPED.load(Ordering::Relaxed) { Err("interrupted".to_owned()) } else { Ok(()) }
}
