//! The threads that connections are served on, away from the rest of the program.
//!
//! Each has a runtime of its own, and a connection stays on the thread that it was given to: what a client sends is taken
//! up by the thread that has waited for it, where a runtime of several threads hands it around, and a busy client takes no
//! time from sources and sinks. Kafka has such threads too (`num.network.threads`).

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Most threads. What takes long does not run on them, and one of them moves some GB a second.
const MOST: usize = 8;
/// How long a thread that has blocked for a connection waits for more of that kind.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Threads that run until this is dropped; what runs on them ends then.
#[derive(Debug)]
pub struct Network {
    first: Thread,
    others: Vec<Thread>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct Thread {
    runtime: Handle,
    /// Nothing is sent: it is dropped to end the thread.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Network {
    /// Starts a thread for every two cores.
    ///
    /// # Errors
    /// What the system says when there can be no more threads or open files.
    pub fn start() -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let others = (1..(cores / 2).min(MOST)).map(Thread::start).collect::<io::Result<_>>()?;
        Ok(Self { first: Thread::start(0)?, others, next: AtomicUsize::new(0) })
    }

    /// Where the next connection is to be served: on each thread in turn.
    pub(super) fn next(&self) -> &Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % (self.others.len() + 1);
        let thread = turn.checked_sub(1).and_then(|other| self.others.get(other));
        &thread.unwrap_or(&self.first).runtime
    }
}

impl Thread {
    fn start(number: usize) -> io::Result<Self> {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_all().thread_keep_alive(KEEP_ALIVE).build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        let name = format!("network-{number}");
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            // An error is how it ends.
            runtime.block_on(ended).ok();
            // Blocking work that nobody waits for any more does not hold up the end.
            runtime.shutdown_background();
        })?;
        Ok(Self { runtime: handle, running: Some(running), thread: Some(thread) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(thread) = self.thread.take() {
            // A panic of a connection was caught by the runtime, and there is nothing else.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_on_its_threads_ends_with_it() {
        let network = Network::start().unwrap();
        let (held, dropped) = oneshot::channel::<()>();
        let here = std::thread::current().id();
        let elsewhere = network.next().spawn(async move { std::thread::current().id() });
        assert_ne!(elsewhere.await.unwrap(), here);
        let endless = network.next().spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(network);
        dropped.await.unwrap_err();
        assert!(endless.await.unwrap_err().is_cancelled());
    }
}
