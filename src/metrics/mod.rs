//! What the program counts: at the two ends of the middle (sources, sinks) and in the hub, never inside connectors.

mod lag;
pub mod memory;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use anabranch_connectors::Memory;
use anabranch_connectors::contract::counters::{Account, SourceCounters};
use anabranch_connectors::shared::stream::ConnectionMeter;
use anabranch_record::Amount;
use hdrhistogram::Histogram;
use parking_lot::Mutex;

pub use lag::Lag;
pub use state::State;

/// Everything that is counted, shared by all parts of the program.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Who holds how much of the memory.
    pub memory: Memory,
    sources: Mutex<BTreeMap<String, Arc<SourceMeter>>>,
    /// Of every source that there is or ever was.
    counters: Mutex<Counters>,
    sinks: Mutex<BTreeMap<String, Arc<SinkMeter>>>,
    /// Records that were on disk and cannot be read any more, damaged or removed before they were read.
    pub hub_lost: AtomicU64,
    /// Records that were found damaged or missing and that nobody has acknowledged.
    pub hub_damaged: AtomicU64,
    /// Clients of a Kafka cluster that were built anew because they made no progress where they could.
    pub hub_renewed: Arc<AtomicU64>,
    /// What clients of Kafka's protocol do.
    pub clients: ClientMeter,
    /// Connections to the hub's listeners.
    pub hub_connections: Arc<ConnectionMeter>,
    /// Connections to the admin listener.
    pub admin: Arc<ConnectionMeter>,
}

/// The counters of sources, and what earlier lives of the program have counted.
#[derive(Debug, Default)]
struct Counters {
    sources: BTreeMap<String, Arc<SourceCounters>>,
    /// Whether the hub has told what it keeps.
    are_kept: bool,
}

/// What clients of Kafka's protocol do at the hub's listeners.
#[derive(Debug, Default)]
pub struct ClientMeter {
    /// Connections that are open.
    pub connections: AtomicU64,
    /// Requests that were answered.
    pub requests: AtomicU64,
    /// Requests that could not be read, after which the connection was closed.
    pub refused: AtomicU64,
    /// Bytes of batches that clients have appended.
    pub produced_bytes: AtomicU64,
    /// Bytes of batches that clients have fetched.
    pub fetched_bytes: AtomicU64,
}

/// What becomes of a source's records.
#[derive(Debug)]
pub struct SourceMeter {
    /// What the source itself counts: read, and dropped by reason.
    pub read: Arc<SourceCounters>,
    /// Records that the hub has.
    pub stored: AtomicU64,
    /// Bytes of their values.
    pub stored_bytes: AtomicU64,
    /// Records that were handed back because the hub did not take them.
    pub not_stored: AtomicU64,
    /// From read to append.
    pub latency: Latency,
    /// What keeps it from running, for `/health`.
    pub state: State,
}

/// What becomes of the records that a sink gets.
#[derive(Debug)]
pub struct SinkMeter {
    /// Records that arrived.
    pub delivered: AtomicU64,
    /// Bytes of their values.
    pub delivered_bytes: AtomicU64,
    /// Records that went to the dead letters.
    pub dead: AtomicU64,
    /// Records that went to the sink that is its fallback.
    pub diverted: AtomicU64,
    /// Records that were sent again.
    pub again: AtomicU64,
    /// Writes that failed as a whole, and other steps that failed.
    pub errors: AtomicU64,
    /// Writes of which everything was refused, so that nothing of it went to the dead letters.
    pub held: AtomicU64,
    /// Records that were lost in the hub before this sink read them, or destroyed where it wrote them before they were
    /// committed.
    pub lost: AtomicU64,
    /// Whether an operator has paused it.
    pub paused: AtomicBool,
    /// From append (the record's time) to delivery.
    pub latency: Latency,
    /// Lag by partition, as its deliveries last told.
    lag: Mutex<Vec<Lag>>,
    /// What keeps it from delivering, for `/health`.
    pub state: State,
}

/// A latency histogram: microseconds, 1 µs to 1 h, two digits.
#[derive(Debug)]
pub struct Latency {
    histogram: Mutex<Histogram<u64>>,
    sum_us: AtomicI64,
}

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, 3_600_000_000, 2);
        let fallback = || Histogram::new(1).unwrap_or_else(|_| unreachable!("1 digit is valid"));
        let histogram = Mutex::new(histogram.unwrap_or_else(|_| fallback()));
        Self { histogram, sum_us: AtomicI64::new(0) }
    }
}

impl Latency {
    /// Notes that `records` took `latency`.
    pub fn record(&self, latency: Duration, records: u64) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).clamp(1, 3_600_000_000);
        let mut histogram = self.histogram.lock();
        histogram.saturating_record_n(us, records);
        let sum = us.saturating_mul(records);
        self.sum_us.fetch_add(i64::try_from(sum).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Seconds at each quantile, the sum of all in seconds, and how many.
    #[must_use]
    pub fn summary(&self, quantiles: &[f64]) -> (Vec<f64>, f64, u64) {
        let histogram = self.histogram.lock();
        let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
        let values =
            quantiles.iter().map(|quantile| seconds(histogram.value_at_quantile(*quantile)));
        let values = values.collect();
        let sum = u64::try_from(self.sum_us.load(Ordering::Relaxed)).unwrap_or(0);
        (values, seconds(sum), histogram.len())
    }
}

impl Metrics {
    /// Nothing yet, of a process that may have so much memory.
    #[must_use]
    pub fn new(memory: Memory) -> Self {
        Self { memory, ..Self::default() }
    }

    /// The meter of a source; made when it is new.
    #[must_use]
    pub fn source(&self, name: &str) -> Arc<SourceMeter> {
        let mut sources = self.sources.lock();
        let meter = sources.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(SourceMeter {
                read: self.counters(name),
                stored: AtomicU64::new(0),
                stored_bytes: AtomicU64::new(0),
                not_stored: AtomicU64::new(0),
                latency: Latency::default(),
                state: State::default(),
            })
        });
        Arc::clone(meter)
    }

    /// What is counted of a source, whether it has a meter or not.
    #[must_use]
    pub fn counters(&self, name: &str) -> Arc<SourceCounters> {
        let mut counters = self.counters.lock();
        let found = counters.sources.entry(name.to_owned()).or_default();
        if name.contains(':') {
            // Dead letters and what is diverted: nothing that has to begin first.
            found.is_ready.store(true, Ordering::Release);
        }
        Arc::clone(found)
    }

    /// Adds what earlier lives of the program have counted, once.
    pub fn take_up(&self, kept: &BTreeMap<String, Account>) {
        let mut counters = self.counters.lock();
        if std::mem::replace(&mut counters.are_kept, true) {
            return;
        }
        for (name, account) in kept {
            counters.sources.entry(name.clone()).or_default().take_up(account);
        }
    }

    /// What has become of all that each source has ever read, by name.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<String, Account> {
        let counters = self.counters.lock();
        let account = |(name, one): (&String, &Arc<SourceCounters>)| (name.clone(), one.account());
        counters.sources.iter().map(account).collect()
    }

    /// The meter of a sink; made when it is new.
    #[must_use]
    pub fn sink(&self, name: &str) -> Arc<SinkMeter> {
        let mut sinks = self.sinks.lock();
        let meter = sinks.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(SinkMeter {
                delivered: AtomicU64::new(0),
                delivered_bytes: AtomicU64::new(0),
                dead: AtomicU64::new(0),
                diverted: AtomicU64::new(0),
                again: AtomicU64::new(0),
                errors: AtomicU64::new(0),
                held: AtomicU64::new(0),
                lost: AtomicU64::new(0),
                paused: AtomicBool::new(false),
                latency: Latency::default(),
                lag: Mutex::default(),
                state: State::default(),
            })
        });
        Arc::clone(meter)
    }

    /// Shows a source no more that was taken out of the configuration.
    pub fn forget_source(&self, name: &str) {
        let gone = self.sources.lock().remove(name);
        if let Some(gone) = gone {
            // Its counters stay, for the ledger.
            gone.read.is_ready.store(false, Ordering::Release);
        }
    }

    /// Shows a sink no more that was taken out of the configuration.
    pub fn forget_sink(&self, name: &str) {
        self.sinks.lock().remove(name);
    }

    /// Every source, by name.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, Arc<SourceMeter>)> {
        let sources = self.sources.lock();
        sources.iter().map(|(name, meter)| (name.clone(), Arc::clone(meter))).collect()
    }

    /// Every sink, by name.
    #[must_use]
    pub fn sinks(&self) -> Vec<(String, Arc<SinkMeter>)> {
        let sinks = self.sinks.lock();
        sinks.iter().map(|(name, meter)| (name.clone(), Arc::clone(meter))).collect()
    }
}

impl SinkMeter {
    /// Notes whether it is paused; one that is has no trouble.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
        if paused {
            self.state.ok();
        }
    }

    /// Whether an operator has paused it.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Takes in what one delivery knows of the partitions that it reads; others tell of theirs.
    pub fn note_lag(&self, told: Vec<Lag>) {
        let mut known = self.lag.lock();
        for lag in told {
            let same = |one: &&mut Lag| one.topic == lag.topic && one.partition == lag.partition;
            match known.iter_mut().find(same) {
                Some(before) => *before = lag,
                None => known.push(lag),
            }
        }
    }

    /// Records that `lag` says are not delivered, less those at the end that are for nobody, if a delivery has come so
    /// far: on Kafka the hub's offsets count marks of transactions as well.
    #[must_use]
    pub fn records_behind(&self, lag: &Lag) -> u64 {
        let known = self.lag.lock();
        let same = |one: &&Lag| one.topic == lag.topic && one.partition == lag.partition;
        let told = known.iter().find(same).filter(|told| told.end == lag.end);
        told.map_or(lag.records, |told| told.records.min(lag.records))
    }
}

impl SourceMeter {
    /// Whether it does what it is there for, or has not come so far yet.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.read.is_ready.load(Ordering::Acquire)
    }

    /// What it cannot reach while it works otherwise.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.read.trouble.lock().clone()
    }

    /// Notes that the hub has so much more.
    pub fn stored(&self, stored: Amount, latency: Duration) {
        self.stored.fetch_add(stored.records, Ordering::Relaxed);
        self.stored_bytes.fetch_add(stored.bytes, Ordering::Relaxed);
        if stored.records > 0 {
            self.latency.record(latency, stored.records);
        }
    }
}
