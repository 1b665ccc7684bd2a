//! Tasks and threads that are never lost sight of: the only place that spawns.
//!
//! Invariant: whoever starts something here waits for its end; a panic is reported, never swallowed.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Where panics are reported: the name of what ended, and its last words.
pub type Failures = mpsc::Sender<String>;

/// Things that run, and end together.
#[derive(Debug)]
pub struct Tasks {
    set: JoinSet<()>,
    failures: Failures,
}

impl Tasks {
    /// None yet; panics go to `failures`.
    #[must_use]
    pub fn new(failures: Failures) -> Self {
        Self { set: JoinSet::new(), failures }
    }

    /// Runs `future` on the runtime.
    pub fn spawn(&mut self, name: &str, future: impl Future<Output = ()> + Send + 'static) {
        let (name, failures) = (name.to_owned(), self.failures.clone());
        let mut inner = JoinSet::new();
        inner.spawn(future);
        self.set.spawn(async move {
            if let Some(Err(error)) = inner.join_next().await
                && error.is_panic()
            {
                // The receiver is gone only when everything is ending anyway.
                failures.try_send(format!("{name} panicked: {error}")).ok();
            }
        });
    }

    /// Runs `future` on a thread of its own, so that it may block.
    pub fn spawn_thread(&mut self, name: &str, future: impl Future<Output = ()> + Send + 'static) {
        let (owned, failures) = (name.to_owned(), self.failures.clone());
        let runtime = tokio::runtime::Handle::current();
        let (ended, end) = oneshot::channel();
        // Linux cuts the names of threads at 15 bytes.
        let thread = std::thread::Builder::new().name(name.chars().take(15).collect());
        let body = move || {
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(future)));
            ended.send(outcome.is_ok()).ok();
        };
        let failed = thread.spawn(body).err().map(|error| error.to_string());
        self.set.spawn(async move {
            let problem = match failed {
                Some(error) => Some(format!("{owned} cannot start: {error}")),
                None => match end.await {
                    Ok(true) => None,
                    Ok(false) | Err(_) => Some(format!("{owned} panicked")),
                },
            };
            if let Some(problem) = problem {
                failures.try_send(problem).ok();
            }
        });
    }

    /// Whether everything has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Waits until one has ended; `false` when there is none.
    pub async fn one_ended(&mut self) -> bool {
        self.set.join_next().await.is_some()
    }

    /// Waits for the end of all, at most `grace`; says whether all ended.
    pub async fn all_ended(&mut self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        while !self.set.is_empty() {
            if tokio::time::timeout_at(deadline, self.set.join_next()).await.is_err() {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_reported_by_name_on_the_runtime_and_on_a_thread() {
        let (failures, mut reports) = mpsc::channel(4);
        let mut tasks = Tasks::new(failures);
        tasks.spawn("one", async { panic!("boom") });
        tasks.spawn_thread("two", async { panic!("bang") });
        tasks.spawn("three", async {});
        assert!(tasks.all_ended(Duration::from_secs(10)).await);
        let mut seen = vec![reports.recv().await.unwrap(), reports.recv().await.unwrap()];
        seen.sort();
        assert!(seen[0].starts_with("one panicked"), "{seen:?}");
        assert_eq!(seen[1], "two panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_not_waited_for_longer_than_grace() {
        let (failures, _reports) = mpsc::channel(4);
        let mut tasks = Tasks::new(failures);
        tasks.spawn("stuck", std::future::pending());
        assert!(!tasks.all_ended(Duration::from_secs(1)).await);
    }
}
