//! What a sink is, and what it answers.

use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

use anabranch_record::Records;

/// Takes records out to somewhere else.
///
/// One delivery loop calls a sink, one call at a time, on a thread of its own: short blocking work (a write to a
/// local file) may be done in place.
#[async_trait]
pub trait Sink: Send {
    /// Gives back what [`Sink::checkpoint`] returned before the last commits: before the first write, and again whenever
    /// its partitions have changed. What was written and not committed comes again; what the sink knew of other
    /// partitions may no longer hold.
    ///
    /// # Errors
    /// [`WriteError`] when what is there cannot be brought back to that state.
    async fn resume(&mut self, resumed: &Resumed) -> Result<(), WriteError> {
        let _unused = resumed;
        Ok(())
    }

    /// Whether the sink's state must be committed *before* `records` are written, so that a write that is cut off
    /// can be told from an older one (a file that is opened for the first time). It is asked again after that commit, until
    /// it says no.
    ///
    /// # Errors
    /// As [`Sink::write`].
    async fn prepare(&mut self, records: &Records) -> Result<bool, WriteError> {
        let _unused = records;
        Ok(false)
    }

    /// Delivers `records`, in order, and returns once the far side has them.
    ///
    /// A sink never retries and never sleeps: it says what happened, and the delivery loop decides. It may be called
    /// again with all or some of the same records.
    ///
    /// # Errors
    /// [`WriteError`] when no record is known to have arrived.
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError>;

    /// Makes what was written durable and returns the state that belongs to it; it is committed together with the
    /// offsets, as their metadata (at most 4 kB). Called before every commit.
    ///
    /// # Errors
    /// [`WriteError`] when it could not be made durable; the offsets are then not committed.
    async fn checkpoint(&mut self) -> Result<Option<String>, WriteError> {
        Ok(None)
    }

    /// Whether what was written since the last commit may be gone, so that it cannot be committed any more: the delivery
    /// loop then goes back to the committed offsets, calls [`Sink::resume`], and all since then comes again.
    fn is_in_doubt(&self) -> bool {
        false
    }

    /// Records that had arrived, and that somebody has destroyed before they were committed, since it was last asked.
    fn lost(&mut self) -> u64 {
        0
    }

    /// The state that [`Sink::checkpoint`] returned last is committed. Only from now on may the sink rely on it: a commit
    /// can fail.
    fn committed(&mut self) {}

    /// Whether a record that has arrived may be sent once more without a trace. The delivery loop then sends one along
    /// with those that come back, to see whether the far side takes anything at all.
    fn takes_repeats(&self) -> bool {
        false
    }

    /// Called about once a second while there is nothing to write: a chance to close idle files and connections.
    async fn idle(&mut self) {}
}

/// Where a sink goes on: its partitions, and the states that were committed with their offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Whether it is the only delivery of its sink: all states are its own, and the latest speaks of everything. Else the
    /// state of a partition speaks for what was written of that partition, and for nothing else.
    pub alone: bool,
    /// Every partition that it reads now.
    pub places: Vec<Placed>,
}

/// A partition and the state that was committed with its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The state, and a number that is higher for a later commit.
    pub state: Option<(i64, String)>,
}

impl Resumed {
    /// The latest state of all.
    #[must_use]
    pub fn latest(&self) -> Option<&str> {
        let states = self.places.iter().filter_map(|place| place.state.as_ref());
        states.max_by_key(|(sequence, _)| *sequence).map(|(_, state)| state.as_str())
    }
}

/// What became of the records that [`Sink::write`] was given: done, except those named here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Number of the record in the batch, rising, and its fate.
    pub exceptions: Vec<(usize, Outcome)>,
    /// Wait at least so long before those that are to come again.
    pub retry_after: Option<Duration>,
}

/// The fate of one record that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The far side did not take this one; send it again. It is given up when that goes on while others arrive.
    Again {
        /// The far side's words.
        reason: String,
    },
    /// It was not tried, or the far side takes nothing of its kind now; send it again, for as long as that lasts.
    NotNow {
        /// The far side's words.
        reason: String,
    },
    /// The far side refused it for good; it goes to the dead letters, unless all others are refused as well.
    Dead {
        /// The far side's words. What stands before the first colon names the cause.
        reason: String,
        /// Whether the far side says that the cause is in the record itself.
        own: bool,
    },
}

impl Outcome {
    /// The far side's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Again { reason } | Self::NotNow { reason } | Self::Dead { reason, .. } => reason,
        }
    }
}

impl Written {
    /// Every record arrived.
    #[must_use]
    pub fn done() -> Self {
        Self::default()
    }
}

/// Why none of the records arrived.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The far side is away or busy; all of it again later.
    #[error("{target}: {reason}")]
    NotNow {
        /// The far side: an address, a file.
        target: String,
        /// Its own words, or the system's.
        reason: String,
        /// The wait that it asked for.
        retry_after: Option<Duration>,
    },
    /// The whole was too large for the far side; the loop tries halves, and a single record is dead.
    #[error("{target}: too large: {reason}")]
    TooLarge {
        /// The far side.
        target: String,
        /// Its own words.
        reason: String,
    },
    /// The far side refused the whole for something in it, and does not say for what; the loop tries halves, until the
    /// records that it refuses alone are found: those are dead.
    #[error("{target}: {reason}")]
    Refused {
        /// The far side.
        target: String,
        /// Its own words.
        reason: String,
    },
    /// Only a person can help: wrong password, no such index, a folder that may not be written.
    /// Shown on `/health`, logged once, tried again at the longest backoff.
    #[error("{target}: {reason}; {hint}")]
    Fatal {
        /// The far side.
        target: String,
        /// Its own words.
        reason: String,
        /// What a person can do.
        hint: &'static str,
    },
}
