//! Who has to go when there are more than there are places for, and how many at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Silence for so long makes a connection one that may be closed for another.
const SILENT: Duration = Duration::from_secs(1);
/// What takes so long to say one thing may be closed for another, too, when nobody is silent.
const SLOW: Duration = Duration::from_secs(10);
/// What comes so slowly for so long may be closed for another before that: less than a byte in a millisecond.
const TRICKLES: Duration = Duration::from_millis(200);
/// Who has got his answer has so long to read it.
const LEAVES: Duration = Duration::from_millis(250);
/// Where places run out again and again, each time within this time, more than one has to go at once: else each newcomer
/// would wait until one of them is gone.
const STORM: Duration = Duration::from_millis(250);
/// Twice as many each time, up to this power of two.
const GO_MAX_BITS: u32 = 8;

/// What is known of one connection; shared by its [`Place`](super::Place) and those who look for the most silent.
#[derive(Debug)]
pub(super) struct Seat {
    /// When it was heard last, or came: milliseconds since the base.
    pub(super) heard_ms: AtomicU64,
    /// When it had said something whole last, or came: milliseconds since the base.
    pub(super) said_ms: AtomicU64,
    /// Bytes that came since.
    pub(super) come: AtomicU64,
    /// Whether it was ever heard.
    pub(super) spoke: AtomicBool,
    /// How many are at work for it.
    pub(super) work: AtomicUsize,
    /// Whether all was said to it, and it is only waited for until it closes.
    pub(super) is_leaving: AtomicBool,
    /// Cancelled when it has to go.
    pub(super) leave: CancellationToken,
}

impl Seat {
    /// The rank of one who may go: first those who never said anything, then those who were silent for longest, then those
    /// who take longest to say one thing.
    pub(super) fn rank(&self, now_ms: u64) -> Option<Rank> {
        let since = |at: &AtomicU64| {
            Duration::from_millis(now_ms.saturating_sub(at.load(Ordering::Relaxed)))
        };
        let (silence, slowness) = (since(&self.heard_ms), since(&self.said_ms));
        let is_leaving = self.is_leaving.load(Ordering::Relaxed);
        let is_silent = silence >= if is_leaving { LEAVES } else { SILENT };
        let come = Duration::from_millis(self.come.load(Ordering::Relaxed));
        let trickles = slowness >= TRICKLES && !come.is_zero() && come < slowness;
        let may_go = is_silent || slowness >= SLOW || trickles;
        let is_free = || self.work.load(Ordering::Acquire) == 0 && !self.leave.is_cancelled();
        let never_spoke = !self.spoke.load(Ordering::Relaxed);
        (may_go && is_free()).then_some(Rank { is_silent, never_spoke, silence, slowness })
    }
}

/// Compared by its fields in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    is_silent: bool,
    never_spoke: bool,
    pub(super) silence: Duration,
    slowness: Duration,
}

/// How fast places run out.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    since: Option<Instant>,
    /// How often they have run out, each time soon after the time before.
    times: u32,
}

impl Crowd {
    /// Somebody comes for whom there is no place: for how many there must be room, as many as will come before he is let in.
    pub(super) fn comes(&mut self) -> usize {
        let again = self.since.replace(Instant::now()).is_some_and(|at| at.elapsed() < STORM);
        self.times = if again { self.times.saturating_add(1) } else { 0 };
        1 << self.times.saturating_sub(1).min(GO_MAX_BITS)
    }
}
