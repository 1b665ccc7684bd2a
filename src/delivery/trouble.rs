//! What keeps a delivery from going on: shown on `/health` and told in the log, each step by itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use anabranch_connectors::WriteError;
use tracing::{error, info, warn};

use super::Loop;
use crate::retry::Backoff;

/// A step of the delivery that can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Reading the hub.
    Read,
    /// The sink's return to its committed state.
    Resume,
    /// The sink's look at what is to be written.
    Prepare,
    /// The write.
    Write,
    /// Making durable what was written.
    Checkpoint,
    /// Committing offsets.
    Commit,
    /// Storing dead letters.
    Bury,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::Read,
        Self::Resume,
        Self::Prepare,
        Self::Write,
        Self::Checkpoint,
        Self::Commit,
        Self::Bury,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Resume => "resume",
            Self::Prepare => "prepare",
            Self::Write => "write",
            Self::Checkpoint => "checkpoint",
            Self::Commit => "commit",
            Self::Bury => "dead letters",
        }
    }

    /// What cannot be done, for a person.
    const fn words(self) -> &'static str {
        match self {
            Self::Read => "the hub cannot be read",
            Self::Resume => "the sink cannot go on where it was",
            Self::Prepare | Self::Write => "delivery failed",
            Self::Checkpoint => "what was written could not be made durable",
            Self::Commit => "offsets could not be committed",
            Self::Bury => "dead letters are not stored",
        }
    }
}

/// The steps of one delivery that fail now.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Tells the deliveries of one sink apart.
    member: u32,
    failing: Vec<Step>,
}

impl Troubles {
    pub(super) const fn new(member: u32) -> Self {
        Self { member, failing: Vec::new() }
    }

    fn kind(&self, step: Step) -> String {
        format!("{} {}", self.member, step.name())
    }
}

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
