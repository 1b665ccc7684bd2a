//! How many connections may be open, and whose turn it is; who has to go for another is in `crowd.rs`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::Peer;
use super::crowd::{Crowd, Rank, Seat};
use super::meter::{ConnectionMeter, Ended};
use super::process::{self, Share};
use crate::contract::memory::{Memory, Part, Taken};

/// Memory of a connection: its task, its buffers, what the system's library keeps for it.
const BYTES: usize = 12 << 10;
/// The same of one that is only waited for until it is closed.
const BYTES_LEAVING: usize = 2 << 10;
/// How often one who waits looks for somebody who has become silent.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// How often it is said that there is a crowd.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// All places of the process: where its open files run out, anybody's silent connection may have to go.
static ALL: LazyLock<Mutex<Vec<Weak<Places>>>> = LazyLock::new(Mutex::default);
/// A place of the process was given back, with its memory: whoever waits at any listener may have it.
static FREED: Notify = Notify::const_new();

/// The places of one listener, or of several that share them.
#[derive(Debug)]
pub struct Places {
    /// For the log: which listener it is.
    name: String,
    max: usize,
    /// Where their memory is from; `None` when they are kept back for those who look after the process, beyond its share
    /// for connections.
    memory: Option<Memory>,
    base: Instant,
    seats: Mutex<HashMap<u64, Arc<Seat>>>,
    next: AtomicU64,
    /// How many wait for a place.
    waiting: AtomicUsize,
    meter: Arc<ConnectionMeter>,
    /// When what was said last.
    said: Mutex<BTreeMap<Ended, Instant>>,
    crowd: Mutex<Crowd>,
}

impl Places {
    /// So many places, as far as there is `memory` for them.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        max: usize,
        meter: Arc<ConnectionMeter>,
        memory: &Memory,
    ) -> Arc<Self> {
        Self::build(name.into(), max, Some(memory.clone()), meter)
    }

    /// So many places that are there also while the process's share for connections is used up; few, therefore.
    #[must_use]
    pub fn reserved(name: impl Into<String>, max: usize, meter: Arc<ConnectionMeter>) -> Arc<Self> {
        Self::build(name.into(), max, None, meter)
    }

    fn build(
        name: String,
        max: usize,
        memory: Option<Memory>,
        meter: Arc<ConnectionMeter>,
    ) -> Arc<Self> {
        let reserved = memory.is_none();
        let most = process::most();
        let wanted = u64::try_from(max).unwrap_or(u64::MAX);
        if wanted > most && !reserved {
            warn!(
                listener = name,
                max_connections = max,
                most,
                "fewer connections than max_connections can be open; raise the limit of open files"
            );
        }
        meter.max.store(wanted, Ordering::Relaxed);
        let places = Arc::new(Self {
            name,
            max,
            memory,
            base: Instant::now(),
            seats: Mutex::default(),
            next: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            meter,
            said: Mutex::default(),
            crowd: Mutex::default(),
        });
        let mut all = ALL.lock();
        all.retain(|places| places.strong_count() > 0);
        all.push(Arc::downgrade(&places));
        places
    }

    /// What is counted here.
    #[must_use]
    pub fn meter(&self) -> &ConnectionMeter {
        &self.meter
    }

    /// A place; when all are taken, whoever was silent for longest has to go, and that is waited for. Where several
    /// listeners wait, each gets one in its turn.
    ///
    /// Cancel safe.
    pub async fn take(self: &Arc<Self>) -> Place {
        if let Some(place) = self.try_take() {
            return place;
        }
        let _waiting = Waiting::new(&self.waiting);
        let count = self.crowd.lock().comes();
        let mut in_line = pin!(self.memory_in_line());
        let mut memory: Option<Option<Taken>> = None;
        let mut look_at = Instant::now();
        loop {
            let freed = FREED.notified();
            if let Some(place) =
                memory.as_mut().and_then(|memory| self.seat(|| Some(memory.take())))
            {
                return place;
            }
            if Instant::now() >= look_at {
                self.make_room(count);
                // When that was of no use, somebody may be silent by then.
                look_at = Instant::now() + LOOK_AGAIN;
            }
            tokio::select! {
                taken = &mut in_line, if memory.is_none() => memory = Some(taken),
                () = freed => {}
                () = sleep_until(look_at) => {}
            }
        }
    }

    async fn memory_in_line(&self) -> Option<Taken> {
        match &self.memory {
            Some(memory) => Some(memory.take(Part::Connections, BYTES).await),
            None => None,
        }
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        self.seat(|| match &self.memory {
            Some(memory) => memory.try_take(Part::Connections, BYTES).map(Some),
            None => Some(None),
        })
    }

    /// A place in the memory that is `taken`, if all else is there.
    fn seat(self: &Arc<Self>, taken: impl FnOnce() -> Option<Option<Taken>>) -> Option<Place> {
        let mut seats = self.seats();
        if seats.len() >= self.max {
            return None;
        }
        let share = match &self.memory {
            Some(_) => Some(Share::take()?),
            None => None,
        };
        let memory = taken()?;
        let seat = Arc::new(Seat {
            heard_ms: AtomicU64::new(self.now_ms()),
            said_ms: AtomicU64::new(self.now_ms()),
            come: AtomicU64::new(0),
            spoke: AtomicBool::new(false),
            work: AtomicUsize::new(0),
            is_leaving: AtomicBool::new(false),
            leave: CancellationToken::new(),
        });
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        seats.insert(number, Arc::clone(&seat));
        self.meter.open.fetch_add(1, Ordering::Relaxed);
        self.meter.accepted.fetch_add(1, Ordering::Relaxed);
        Some(Place { places: Arc::clone(self), number, seat, share, memory: Mutex::new(memory) })
    }

    /// Sends the most silent away, at most so many: of these, or where the process has no more, of all.
    pub(super) fn make_room(&self, count: usize) {
        if self.memory.is_none() || self.seats().len() >= self.max {
            let mut found = Vec::new();
            self.add_silent(&mut found);
            return send_away(found, count);
        }
        let all = ALL.lock();
        let all: Vec<Arc<Self>> = all.iter().filter_map(Weak::upgrade).collect();
        let mut found = Vec::new();
        for places in all.iter().filter(|places| places.memory.is_some()) {
            places.add_silent(&mut found);
        }
        send_away(found, count);
    }

    fn add_silent<'a>(&'a self, found: &mut Vec<Silent<'a>>) {
        let now_ms = self.now_ms();
        let seats = self.seats();
        found.extend(seats.values().filter_map(|seat| {
            let rank = seat.rank(now_ms)?;
            Some(Silent { rank, seat: Arc::clone(seat), places: self })
        }));
    }

    fn sends_away(&self, rank: Rank, seat: &Seat) {
        seat.leave.cancel();
        self.meter.count(Ended::Crowded);
        debug!(listener = self.name, silence = ?rank.silence, "a connection is closed for another");
        if self.is_to_say(Ended::Crowded) {
            let [(_, closed), ..] = self.meter.ended();
            warn!(
                listener = self.name,
                open = self.meter.open(),
                max_connections = self.max,
                closed,
                "too many connections: those that are silent for longest are closed to let others in"
            );
        }
    }

    /// Counts one who is not served for what he is or has begun with, and says so now and then.
    pub(super) fn refuses(&self, why: Ended, peer: Peer, cause: &dyn Display) {
        self.meter.count(why);
        let (listener, why_name) = (&self.name, why.name());
        if self.is_to_say(why) {
            warn!(
                listener,
                %peer,
                why = why_name,
                %cause,
                "a connection is refused; others like it are only counted for a minute"
            );
        } else {
            debug!(listener, %peer, why = why_name, %cause, "a connection is refused");
        }
    }

    /// Whether something is to be said in the log that was said a while ago at the latest.
    fn is_to_say(&self, why: Ended) -> bool {
        let mut said = self.said.lock();
        let is_to_say = said.get(&why).is_none_or(|at| at.elapsed() >= SAY_AGAIN);
        if is_to_say {
            said.insert(why, Instant::now());
        }
        is_to_say
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<u64, Arc<Seat>>> {
        self.seats.lock()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A connection that may be closed for another.
struct Silent<'a> {
    rank: Rank,
    seat: Arc<Seat>,
    places: &'a Places,
}

/// Sends away those of the highest ranks.
fn send_away(mut found: Vec<Silent<'_>>, count: usize) {
    found.sort_unstable_by_key(|silent| Reverse(silent.rank));
    for Silent { rank, seat, places } in found.into_iter().take(count) {
        places.sends_away(rank, &seat);
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    number: u64,
    seat: Arc<Seat>,
    share: Option<Share>,
    memory: Mutex<Option<Taken>>,
}

impl Place {
    /// Notes that the far side has said something, of so many bytes.
    pub fn heard(&self, bytes: usize) {
        self.seat.come.fetch_add(bytes as u64, Ordering::Relaxed);
        self.seat.heard_ms.store(self.places.now_ms(), Ordering::Relaxed);
        self.seat.spoke.store(true, Ordering::Relaxed);
    }

    /// Notes that what the far side has said is whole: a request, a message.
    pub fn said(&self) {
        self.seat.said_ms.store(self.places.now_ms(), Ordering::Relaxed);
        self.seat.come.store(0, Ordering::Relaxed);
    }

    /// Notes that the far side has got all that it gets: what is left to do takes next to no memory, and may be cut short.
    pub(super) fn leaves(&self) {
        self.seat.is_leaving.store(true, Ordering::Relaxed);
        self.heard(0);
        if let Some(memory) = &mut *self.memory.lock() {
            memory.shrink_to(BYTES_LEAVING);
        }
        FREED.notify_waiters();
    }

    /// Whether somebody waits for a place: then a far side that could come again is better told to go.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.places.waiting.load(Ordering::Relaxed) > 0
    }

    /// Notes that something is done for the far side, which waits for it, until the [`Work`] is dropped.
    #[must_use]
    pub fn work(&self) -> Work {
        self.seat.work.fetch_add(1, Ordering::AcqRel);
        Work(Arc::clone(&self.seat))
    }

    /// Ready when the connection has to go because another wants in. Cancel safe.
    pub async fn is_wanted(&self) {
        self.seat.leave.cancelled().await;
    }

    /// Counts and says that the connection is not served, and why.
    pub fn refuses(&self, why: Ended, peer: Peer, cause: &dyn Display) {
        self.places.refuses(why, peer, cause);
    }

    /// Counts and says that this side ends the connection.
    pub fn ends(&self, why: Ended, peer: impl Display) {
        self.places.meter.count(why);
        if why == Ended::Memory && self.places.is_to_say(why) {
            let listener = &self.places.name;
            warn!(
                listener,
                %peer,
                "there is no memory for what is not whole yet: connections are closed, those that hold much of it first; raise memory"
            );
        }
        debug!(listener = self.places.name, %peer, why = why.name(), "a connection is closed");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.seats().remove(&self.number);
        self.places.meter.open.fetch_sub(1, Ordering::Relaxed);
        // Before anybody looks.
        let memory = self.memory.get_mut().take();
        drop((self.share.take(), memory));
        FREED.notify_waiters();
    }
}

/// While it is there, a connection is worked for.
#[derive(Debug)]
pub struct Work(Arc<Seat>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.work.fetch_sub(1, Ordering::AcqRel);
    }
}
