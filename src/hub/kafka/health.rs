//! How the hub is: ready, or what keeps it from storing.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

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
        let mut state = self.state.lock();
        (state.started, state.trouble) = (true, None);
        self.changed.notify_all();
    }

    /// Records cannot be stored now.
    pub(super) fn trouble(&self, why: &str) {
        let mut state = self.state.lock();
        if state.trouble.as_deref() != Some(why) {
            state.trouble = Some(why.to_owned());
        }
    }

    /// What keeps records from being stored.
    pub(super) fn state(&self) -> Result<(), String> {
        let state = self.state.lock();
        match &state.trouble {
            Some(why) => Err(why.clone()),
            None if state.started => Ok(()),
            None => Err("the brokers have not answered yet".to_owned()),
        }
    }

    /// Waits at most `limit` for the producer's first start.
    pub(super) fn wait_for_start(&self, limit: Duration) -> Result<(), String> {
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.started, limit);
        if state.started {
            return Ok(());
        }
        Err(state.trouble.clone().unwrap_or_else(|| "the brokers do not answer".to_owned()))
    }
}
