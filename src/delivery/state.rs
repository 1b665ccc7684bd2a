//! What the loop knows while it runs.

use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::Sink;
use anabranch_record::Records;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::burials::Burials;
use super::dead_letter::DeadLetters;
use super::fallback::{Fallback, Stuck};
use super::pace::{Pace, Size};
use super::progress::Progress;
use super::refusal::Refusals;
use super::served::Settings;
use super::share::Share;
use super::trouble::Troubles;
use crate::hub::Consumer;
use crate::metrics::SinkMeter;
use crate::retry::Backoff;

/// The loop's state.
pub(super) struct Loop {
    pub(super) name: String,
    pub(super) consumer: Box<dyn Consumer>,
    pub(super) sink: Box<dyn Sink>,
    pub(super) settings: Settings,
    pub(super) dead_letters: DeadLetters,
    pub(super) fallback: Option<Fallback>,
    pub(super) stuck: Stuck,
    pub(super) pace: Arc<Pace>,
    pub(super) share: Share,
    pub(super) size: Size,
    pub(super) meter: Arc<SinkMeter>,
    pub(super) stop: CancellationToken,
    pub(super) progress: Progress,
    pub(super) committed_at: Instant,
    /// How long to wait after a commit that failed.
    pub(super) commit_wait: Duration,
    /// While a write is not settled: the sink's state is ahead of the offsets then, and must not be committed.
    pub(super) in_hand: bool,
    /// The next commit is on the disk when it is done, whatever is configured.
    pub(super) must_last: bool,
    /// How often the hub has said that something is committed.
    pub(super) commits: u64,
    pub(super) troubles: Troubles,
    pub(super) refusals: Refusals,
    pub(super) burials: Burials,
    /// A record that has arrived, for a sink that takes repeats.
    pub(super) witness: Option<Records>,
}

/// Why the loop does not go on with what it has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// The agent is stopping; it comes again after the next start.
    Stopped,
    /// The group may have given its partitions to others; it is read again by whoever has them.
    Moved,
}

impl Loop {
    /// The waits between tries.
    pub(super) const fn backoff(&self) -> Backoff {
        let (first, longest) = self.settings.backoff;
        Backoff::new(first, longest)
    }

    /// Waits, unless the agent stops.
    pub(super) fn pause(&self, wait: Duration) -> impl Future<Output = Result<(), Halt>> + use<> {
        let stop = self.stop.clone();
        async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => Err(Halt::Stopped),
                () = tokio::time::sleep(wait) => Ok(()),
            }
        }
    }
}
