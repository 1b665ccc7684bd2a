//! How the hub is: ready, or what keeps it from storing.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The last word on whether records can be stored.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the producer has ever started: since then no earlier life of this agent has an open transaction.
    started: bool,
    trouble: Option<String>,
}

impl Health {
    /// Records can be stored.
    pub(super) fn ready(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.started, state.trouble) = (true, None);
        self.changed.notify_all();
    }

    /// Records cannot be stored now.
    pub(super) fn trouble(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.trouble.as_deref() != Some(why) {
            state.trouble = Some(why.to_owned());
        }
    }

    /// What keeps records from being stored.
    pub(super) fn state(&self) -> Result<(), String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.trouble {
            Some(why) => Err(why.clone()),
            None if state.started => Ok(()),
            None => Err("the brokers have not answered yet".to_owned()),
        }
    }

    /// Waits at most `limit` for the producer's first start.
    pub(super) fn wait_for_start(&self, limit: Duration) -> Result<(), String> {
        let until = Instant::now() + limit;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !state.started {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let why = state.trouble.clone();
                return Err(why.unwrap_or_else(|| "the brokers do not answer".to_owned()));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}
