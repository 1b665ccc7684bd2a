//! Shows on `/health` and tells in the log what keeps a delivery from going on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::WriteError;
use tracing::{error, info, warn};

use super::state::Loop;
use super::trouble::Step;
use crate::retry::Backoff;

impl Loop {
    /// A step has failed: `/health` shows it, and the log is told when that is news.
    pub(super) fn fails(&mut self, step: Step, problem: &str, fatal: bool) {
        self.meter.errors.fetch_add(1, Ordering::Relaxed);
        self.tell(step, problem, fatal);
    }

    /// As [`Loop::fails`], when not all of it has failed.
    pub(super) fn tell(&mut self, step: Step, problem: &str, fatal: bool) {
        if !self.troubles.failing.contains(&step) {
            self.troubles.failing.push(step);
        }
        let words = step.words();
        let told = format!("{words}: {problem}");
        if !self.meter.state.fail_as(&self.troubles.kind(step), &told, fatal) {
            return;
        }
        let sink = &self.name;
        if fatal {
            error!(sink, "{words}: {problem}");
        } else {
            warn!(sink, "{words}, will retry: {problem}");
        }
    }

    /// A step has been done: what kept it from that is over.
    pub(super) fn works(&mut self, step: Step) {
        let Some(at) = self.troubles.failing.iter().position(|one| *one == step) else { return };
        self.troubles.failing.swap_remove(at);
        if self.meter.state.over(&self.troubles.kind(step)) {
            info!(sink = self.name, "{} is over: it works again", step.words());
        }
    }

    /// A call to the sink has failed; says how long to wait.
    pub(super) fn sink_fails(
        &mut self,
        step: Step,
        error: &WriteError,
        backoff: &mut Backoff,
    ) -> Duration {
        let (wait, fatal) = match error {
            WriteError::NotNow { retry_after, .. } => (backoff.next(*retry_after), false),
            WriteError::TooLarge { .. } | WriteError::Refused { .. } => (backoff.next(None), false),
            WriteError::Fatal { .. } => (backoff.longest(), true),
        };
        self.fails(step, &error.to_string(), fatal);
        wait
    }

    /// The delivery is over: what kept it from going on is nobody's trouble any more.
    pub(super) fn forget_troubles(&mut self) {
        for step in Step::ALL {
            self.works(step);
        }
    }
}
