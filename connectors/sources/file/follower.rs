//! All that the source knows while it follows files.

use super::heard::Heard;
use super::identity::Identity;
use super::links::Links;
use super::reading::Desk;
use super::refused::Refused;
use super::settings::Settings;
use super::siblings::Folders;
use super::stored::Stored;
use super::tails::Tails;
use super::under_way::Flights;
use super::waiting::Room;
use super::watch::Watch;
use crate::contract::memory::Part;
use crate::{Emitter, Taken};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Most bytes on their way to the hub.
pub(super) const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;

/// Longest time of reading before events and receipts are looked at again.
pub(super) const ROUND: Duration = Duration::from_millis(20);

/// Wait before a file that could not be read, or whose batch was not stored, is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);

/// Follows all files of a source.
pub(super) struct Follower {
    /// What was configured.
    pub(super) settings: Settings,
    /// The way into the producer.
    pub(super) emitter: Emitter,
    /// Set when it is to end.
    pub(super) stop: CancellationToken,
    /// Every file that is known.
    pub(super) tails: Tails,
    /// The memory of what is known of files.
    pub(super) known: Taken,
    /// Where paths lead.
    pub(super) paths: HashMap<Arc<Path>, Identity>,
    /// The files of each path that records are known by, in the order in which they are read.
    pub(super) lineages: HashMap<Arc<Path>, Vec<Identity>>,
    /// Positions of files that have not been seen in this life.
    pub(super) stored: Stored,
    /// Files that have lost their last path.
    pub(super) lost: Vec<Identity>,
    /// Paths that cannot be read; each was told once.
    pub(super) refused: BTreeMap<PathBuf, Refused>,
    /// The watches, where they can be had.
    pub(super) watch: Option<Watch>,
    /// Which paths lead over links.
    pub(super) links: Links,
    /// When the folders are looked through next.
    pub(super) reconcile_at: Instant,
    /// And not before this moment, whatever happens.
    pub(super) reconcile_not_before: Instant,
    /// Whether some folder could not be watched.
    pub(super) watch_incomplete: bool,
    /// When this life began.
    pub(super) started: Instant,
    /// Handles that are open.
    pub(super) opened: usize,
    /// How many are kept open without need.
    pub(super) opened_max: usize,
    pub(super) ready: VecDeque<Identity>,
    pub(super) timers: BinaryHeap<Reverse<(Instant, Identity)>>,
    /// Batches on their way.
    pub(super) flights: Flights,
    pub(super) looked_at: Instant,
    /// Names that came or went.
    pub(super) heard: Heard,
    /// A file that has come beside one that is followed, perhaps a copy, after which that is truncated; until then what it
    /// gets is read at once.
    pub(super) haste: Option<(PathBuf, Instant)>,
    /// What reading needs.
    pub(super) desk: Desk,
    /// For what was read and waits.
    pub(super) room: Room,
    /// What is beside files that are looked for.
    pub(super) folders: Folders,
}

impl Follower {
    /// Knows nothing yet.
    pub(super) fn new(settings: Settings, emitter: Emitter, stop: CancellationToken) -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let opened_max = limit.map_or(usize::MAX, |limit| usize::try_from(limit / 2).unwrap_or(0));
        let now = Instant::now();
        let known = emitter.memory().nothing(Part::Files);
        Self {
            settings,
            emitter,
            stop,
            tails: Tails::default(),
            known,
            paths: HashMap::new(),
            lineages: HashMap::new(),
            stored: Stored::default(),
            lost: Vec::new(),
            refused: BTreeMap::new(),
            watch: None,
            links: Links::default(),
            reconcile_at: now,
            reconcile_not_before: now,
            watch_incomplete: false,
            started: now,
            opened: 0,
            opened_max: opened_max.max(16),
            ready: VecDeque::new(),
            timers: BinaryHeap::new(),
            flights: Flights::default(),
            looked_at: now,
            heard: Heard::default(),
            haste: None,
            desk: Desk::new(IN_FLIGHT_BYTES_MAX / super::reading::QUANTUM + 2),
            room: Room::new(IN_FLIGHT_BYTES_MAX),
            folders: Folders::default(),
        }
    }
}
