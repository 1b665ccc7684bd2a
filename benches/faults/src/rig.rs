//! All that one run needs: folders, disks, agents, proxies, writers; gone when dropped.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tempfile::TempDir;

use crate::agent::Agent;
use crate::case::{Case, Disk as DiskKind, Fault, Hub};
use crate::clock::Clock;
use crate::config::{Folders, Parts, Ports};
use crate::disk::Disk;
use crate::load::files::{Log, Rotation};
use crate::load::{Desk, Writers, posts, syslog};
use crate::oracle::Oracle;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::servers::Server;
use crate::small::Small;
use crate::{ports, search};

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The agent.
    pub program: PathBuf,
    /// Where the run's folder is made.
    pub folder: PathBuf,
    /// What is tried.
    pub case: Case,
    /// `flush` of the embedded hub.
    pub flush: String,
    /// The seed of lines and faults.
    pub seed: u64,
    /// How long faults go on.
    pub length: Duration,
    /// Percent of the usual pause between two writes.
    pub pace: u64,
    /// Whether the folder stays when the run has failed.
    pub keep: bool,
}

/// Servers that several runs share.
#[derive(Debug, Default)]
pub struct Servers {
    /// `host:port` of a search server.
    pub search: Option<String>,
    /// The same, when it is the bench's own and may be killed.
    pub own_search: Option<Server>,
    /// Brokers of Kafka, one or three.
    pub brokers: Vec<Server>,
}

/// One agent with its disk and what stands before it.
#[derive(Debug)]
pub struct Station {
    pub(crate) agent: Agent,
    pub(crate) parts: Parts,
    pub(crate) turn: usize,
    pub(crate) data: PathBuf,
    pub(crate) out: PathBuf,
    logs: PathBuf,
    beside: PathBuf,
    ports: Ports,
    pub(crate) post_way: Proxy,
    pub(crate) syslog_way: Proxy,
    pub(crate) clock: Option<Clock>,
    pub(crate) disk: Option<Disk>,
    pub(crate) small: Option<Small>,
}

/// A run.
#[derive(Debug)]
pub struct Rig {
    pub(crate) stations: Vec<Station>,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) desk: Desk,
    pub(crate) writers: Writers,
    pub(crate) search_way: Option<Proxy>,
    pub(crate) id: String,
    /// Notes for the table, such as what could not be done here.
    pub(crate) notes: Vec<String>,
    folder: TempDir,
}

impl Rig {
    /// The folder stays, with a copy of what is mounted in it.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
        for station in self.stations.iter().filter(|station| station.disk.is_some()) {
            let copy = station.agent.folder.join("disk-kept");
            let mut command = Command::new("cp");
            command.arg("-r").args([station.agent.folder.join("disk"), copy]);
            // A copy that is not whole is still something to look at.
            command.status().ok();
        }
    }

    /// Makes everything; nothing runs yet.
    ///
    /// # Errors
    /// What could not be made.
    pub fn build(settings: &Settings, servers: &Servers) -> Result<Self, String> {
        let folder = tempfile::Builder::new()
            .prefix("faults-")
            .tempdir_in(&settings.folder)
            .map_err(|error| format!("{}: {error}", settings.folder.display()))?;
        let id = format!(
            "{}-{:x}",
            settings.case.name,
            Random::of(&[settings.seed, process()]).number()
        );
        let oracle = Arc::new(Oracle::new(settings.seed, servers.search.is_some()));
        let search_way = match &servers.search {
            Some(address) => {
                search::make_index(address, &id)?;
                Some(Proxy::start(address_of(address)?)?)
            }
            None => None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let rotations = Arc::default();
        let desk = Desk { oracle: Arc::clone(&oracle), stop, rotations, pace: settings.pace };
        let mut rig = Self {
            stations: Vec::new(),
            oracle,
            desk,
            writers: Writers::default(),
            search_way,
            id,
            notes: Vec::new(),
            folder,
        };
        let agents = if settings.case.hub == Hub::Cluster { 2 } else { 1 };
        for number in 0..agents {
            let station = rig.station(settings, servers, number)?;
            rig.stations.push(station);
        }
        Ok(rig)
    }

    fn station(
        &mut self,
        settings: &Settings,
        servers: &Servers,
        number: usize,
    ) -> Result<Station, String> {
        let folder = self.folder.path().join(format!("agent-{number}"));
        let mut random = Random::of(&[settings.seed, 0x57a7, u64::try_from(number).unwrap_or(0)]);
        let [logs, beside, disk_path] = ["logs", "beside", "disk"].map(|name| folder.join(name));
        for made in [&logs, &beside, &disk_path] {
            std::fs::create_dir_all(made)
                .map_err(|error| format!("{}: {error}", made.display()))?;
        }
        let (mut disk, mut small) = (None, None);
        match settings.case.disk {
            DiskKind::Plain => {}
            DiskKind::Faulty => disk = Some(Disk::mount(&disk_path, settings.seed)?),
            DiskKind::Small => small = Some(Small::mount(&disk_path)?),
        }
        let wants_clock = settings.case.faults.contains(&Fault::Clock);
        let clock = if wants_clock { Clock::found(&folder) } else { None };
        if wants_clock && clock.is_none() {
            self.notes.push("no libfaketime here: the clock did not jump".to_owned());
        }
        let ports = Ports { admin: ports::free()?, posts: ports::free()?, syslog: ports::free()? };
        let parts = Parts {
            id: self.id.clone(),
            hub: settings.case.hub,
            brokers: servers.brokers.iter().map(|broker| broker.address.clone()).collect(),
            flush: settings.flush.clone(),
            search: self.search_way.as_ref().map(|way| way.address.to_string()),
            agent: number,
            rotate: random.chance(40),
            copies: settings.case.faults.contains(&Fault::PowerCut),
            renamed: random.chance(30),
        };
        let admin = format!("127.0.0.1:{}", ports.admin);
        let mut agent = Agent::new(settings.program.clone(), folder.clone(), admin);
        agent.environment = clock.as_ref().map(Clock::environment).unwrap_or_default();
        let station = Station {
            agent,
            parts,
            turn: 0,
            data: disk_path.join("data"),
            out: disk_path.join("out"),
            logs,
            beside,
            ports,
            post_way: Proxy::start(local(ports.posts))?,
            syslog_way: Proxy::start(local(ports.syslog))?,
            clock,
            disk,
            small,
        };
        station.configure()?;
        Ok(station)
    }

    /// Starts the writers of every station.
    pub fn start_writers(&mut self) {
        for (number, station) in self.stations.iter().enumerate() {
            let rotations =
                [("r", Rotation::Renamed), ("c", Rotation::Copied), ("l", Rotation::Linked)];
            for (name, rotation) in rotations {
                let (folder, beside) = (station.logs.clone(), station.beside.clone());
                let (name, wide) = (format!("{name}{number}"), station.parts.copies);
                let log = Log { name, folder, beside, rotation, wide };
                let desk = self.desk.clone();
                self.writers.start(move || log.grow(&desk));
            }
            for writer in 0..2 {
                let desk = self.desk.clone();
                let address = station.post_way.address.to_string();
                self.writers
                    .start(move || posts::post(&desk, &format!("h{number}.{writer}"), &address));
                let desk = self.desk.clone();
                let address = station.syslog_way.address;
                self.writers
                    .start(move || syslog::log(&desk, &format!("s{number}.{writer}"), address));
            }
        }
    }
}

impl Station {
    /// Writes the configuration of the present turn.
    pub(crate) fn configure(&self) -> Result<(), String> {
        let folders =
            Folders { data: &self.data, out: &self.out, logs: &self.logs, beside: &self.beside };
        let text = self.parts.text(self.ports, folders, self.turn);
        let path = self.agent.config();
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

fn process() -> u64 {
    u64::from(std::process::id())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn address_of(text: &str) -> Result<SocketAddr, String> {
    let bare = text.trim_start_matches("http://").trim_end_matches('/');
    bare.parse().map_err(|error| format!("{text}: {error}"))
}
