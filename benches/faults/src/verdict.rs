//! Waits until everything that can arrive has arrived, and judges.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::agent::sum_of;
use crate::case::Hub;
use crate::drive::STOP;
use crate::judge::{Count, Place, Seen};
use crate::rig::{Rig, Servers, Settings, Station};
use crate::{flood, read, stop};

/// How long nothing may move before the wait is given up.
const STILL: Duration = Duration::from_secs(60);

/// How long a lag may still be shown when the files have everything.
const SHOWN_LATE: Duration = Duration::from_secs(20);

/// The verdict on one place.
#[derive(Debug, Clone)]
pub struct Finding {
    /// `file`, `search`, `hub` or `dead`.
    pub place: String,
    /// The numbers.
    pub count: Count,
    /// The first few faults.
    pub examples: Vec<String>,
}

/// What is looked at while it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Progress {
    stored: f64,
    lag: f64,
    delivered: usize,
}

impl Rig {
    /// Waits until all that is due is in the sinks, or nothing has moved for a minute.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn catch_up(&mut self, settings: &Settings) -> Result<(), String> {
        let mut last = None;
        let mut since = Instant::now();
        while since.elapsed() < STILL {
            stop::check()?;
            self.keep_running();
            let (progress, due) = self.progress(settings)?;
            if progress.lag == 0.0 && due == 0 {
                return Ok(());
            }
            if due == 0 && since.elapsed() > SHOWN_LATE {
                self.notes
                    .push(format!("a lag of {} is shown, though all has arrived", progress.lag));
                return Ok(());
            }
            if last != Some(progress) {
                since = Instant::now();
                last = Some(progress);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        self.notes.push(format!("nothing moved for {STILL:?}: {last:?}"));
        Ok(())
    }

    /// Waits until something of every file is in the sink: a log that is rotated away before is not known to be one.
    ///
    /// # Errors
    /// When that takes too long.
    pub fn wait_for_first(&mut self, settings: &Settings) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < STILL {
            let mut all = true;
            for station in &self.stations {
                let mut seen = Seen::default();
                if station.out.exists() {
                    read::files(&station.out, settings.seed, &mut seen)?;
                }
                all &= seen.has_all_files(&self.oracle, 3 * self.stations.len());
            }
            if all {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let logs = self.stations.iter().flat_map(|station| station.agent.logs());
        Err(format!("no line of some file has arrived: {}", logs.collect::<String>()))
    }

    fn progress(&self, settings: &Settings) -> Result<(Progress, usize), String> {
        let mut progress = Progress { stored: 0.0, lag: 0.0, delivered: 0 };
        let mut due = 0;
        for station in &self.stations {
            let metrics = station.agent.metrics().unwrap_or_default();
            progress.stored +=
                sum_of("anabranch_source_stored_records_total", &metrics).unwrap_or(0.0);
            // One that does not answer, or has not seen its groups, is not done.
            progress.lag += sum_of("anabranch_group_lag_records", &metrics).unwrap_or(1.0);
        }
        for finding in self.files(settings)? {
            progress.delivered += finding.count.delivered;
            due += finding.count.lost;
        }
        Ok((progress, due))
    }

    fn files(&self, settings: &Settings) -> Result<Vec<Finding>, String> {
        let place = if settings.case.hub == Hub::Cluster { Place::Shared } else { Place::All };
        let mut findings = Vec::new();
        for station in &self.stations {
            let mut seen = Seen::default();
            if station.out.exists() {
                read::files(&station.out, settings.seed, &mut seen)?;
            }
            findings.push(self.judged("file", &seen, place));
        }
        Ok(findings)
    }

    fn judged(&self, name: &str, seen: &Seen, place: Place) -> Finding {
        let (count, examples) = seen.judge(&self.oracle, place);
        Finding { place: name.to_owned(), count, examples }
    }

    /// Ends the agents in order and judges every place.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn judge(
        &mut self,
        settings: &Settings,
        servers: &Servers,
    ) -> Result<Vec<Finding>, String> {
        for station in &mut self.stations {
            station.agent.stop(STOP);
        }
        let seed = settings.seed;
        let mut findings = self.files(settings)?;
        let Some(station) = self.stations.first() else { return Ok(findings) };
        let hub = match settings.case.hub {
            Hub::Embedded => ["--data-dir".to_owned(), station.data.to_string_lossy().into_owned()],
            Hub::Kafka | Hub::Cluster => {
                ["--bootstrap".to_owned(), station.parts.brokers.join(",")]
            }
        };
        let place = if settings.case.hub == Hub::Cluster { Place::Shared } else { Place::All };
        let kept = read::topics(&settings.program, &hub, &station.parts.topics(), seed)?;
        findings.push(self.judged("hub", &kept, place));
        if let Some(search) = &servers.search {
            let found = read::index(search, &self.id, seed)?;
            findings.push(self.judged("search", &found, Place::Search));
            let topic = format!("{}.dlq", station.parts.finder());
            let dead = read::topics(&settings.program, &hub, &[topic], seed);
            // A topic of dead letters is made with the first of them.
            findings.push(self.judged("dead", &dead.unwrap_or_default(), Place::Dead));
        }
        Ok(findings)
    }

    /// The life of an agent with the most log lines of one kind in a minute.
    pub fn flood(&self) -> (usize, String) {
        let most = |station: &Station| {
            let logs = station.agent.logs();
            let events = station.turn + self.desk.rotations.load(Ordering::Relaxed);
            logs.iter().map(|log| flood::most(log, events)).max().unwrap_or_default()
        };
        self.stations.iter().map(most).max().unwrap_or_default()
    }
}
