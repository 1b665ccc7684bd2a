//! One run from beginning to end.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::case::Fault;
use crate::plan::{Plan, plan};
use crate::rig::{Rig, Servers, Settings};
use crate::verdict::Finding;
use crate::{flood, ledger, search};

/// Longest first start.
const FIRST: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What it was.
    pub settings: Settings,
    /// Faults that were done.
    pub acts: usize,
    /// Lines sent, and those of them that were acknowledged.
    pub sent: (usize, usize),
    /// What every place has.
    pub findings: Vec<Finding>,
    /// What the ledger says.
    pub ledger: String,
    /// Ends of an agent that nobody asked for.
    pub exits: Vec<String>,
    /// Most log lines of one kind in a minute, and which.
    pub flood: (usize, String),
    /// What else is to be said.
    pub notes: Vec<String>,
    /// From the first start to the verdict.
    pub took: Duration,
}

/// Runs a case once.
///
/// # Errors
/// What kept the bench itself from doing it; faults of the agent are in the outcome.
pub fn run(settings: &Settings, servers: &mut Servers) -> Result<Outcome, String> {
    let begun = Instant::now();
    let mut rig = Rig::build(settings, servers)?;
    let acts = plan(settings.case, settings.seed, settings.length);
    let done = one(&mut rig, &acts, settings, servers);
    rig.desk.stop.store(true, Ordering::Relaxed);
    let findings = done?;
    let refused: u32 = rig.stations.iter().map(|station| station.agent.refused).sum();
    if refused > 0 {
        rig.notes.push(format!("{refused} starts were refused while the disk failed"));
    }
    let outcome = Outcome {
        settings: settings.clone(),
        acts: acts.len(),
        sent: rig.oracle.sent(),
        ledger: rig.ledger(settings, &findings, loses(settings)),
        exits: rig.stations.iter().flat_map(|station| station.agent.exits.clone()).collect(),
        flood: rig.flood(),
        notes: rig.notes.clone(),
        findings,
        took: begun.elapsed(),
    };
    if let Some(address) = &servers.search {
        // Its room is all that it costs.
        search::remove_index(address, &rig.id).ok();
    }
    if settings.keep && !outcome.faults().is_empty() {
        rig.keep();
    }
    Ok(outcome)
}

fn one(
    rig: &mut Rig,
    acts: &Plan,
    settings: &Settings,
    servers: &mut Servers,
) -> Result<Vec<Finding>, String> {
    for station in &mut rig.stations {
        station.agent.start()?;
        if !station.agent.wait_healthy(FIRST) {
            return Err(format!(
                "the agent is not well at its start: {:?}",
                station.agent.logs().last()
            ));
        }
    }
    rig.start_writers();
    rig.wait_for_first(settings)?;
    rig.drive(acts, settings, servers)?;
    // What was posted last is still sent until it is acknowledged.
    std::thread::sleep(Duration::from_secs(1));
    rig.desk.stop.store(true, Ordering::Relaxed);
    std::mem::take(&mut rig.writers).join()?;
    rig.catch_up(settings)?;
    rig.judge(settings, servers)
}

/// Whether a power cut may take what was acknowledged.
fn loses(settings: &Settings) -> bool {
    settings.case.faults.contains(&Fault::PowerCut) && settings.flush != "each"
}

impl Outcome {
    /// Everything that must not be, as sentences; none when the run is good.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for Finding { place, count, examples } in &self.findings {
            // What a sink had before the cut comes again with the lines that the log lost, and what the hub has of a
            // file comes again as its copy, when what was known of the copy is lost.
            let may_repeat = loses(&self.settings) && ["file", "hub"].contains(&place.as_str());
            let twice = if may_repeat { count.in_window } else { 0 };
            if count.lost > 0 || count.altered > 0 || count.disorder > 0 || count.twice > twice {
                faults.push(format!("{place}: {count:?}; {}", examples.join("; ")));
            }
        }
        faults.extend(self.exits.iter().cloned());
        if self.flood.0 > flood::MOST {
            faults.push(format!("{} log lines in a minute: {}", self.flood.0, self.flood.1));
        }
        if self.ledger != ledger::BALANCED {
            faults.push(format!("ledger: {}", self.ledger));
        }
        faults.extend(self.notes.iter().filter(|note| note.starts_with("nothing moved")).cloned());
        faults
    }
}
