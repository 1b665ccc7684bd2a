//! Does what a plan says, and keeps the agents running meanwhile.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::case::{Disk, Hub};
use crate::oracle::ON_ITS_WAY;
use crate::plan::{Act, Deed, Plan};
use crate::proxy::{Mode, Proxy};
use crate::rig::{Rig, Servers, Settings, Station};
use crate::stop;

/// What a power cut may cost beyond the time that the configuration says: a flush takes a while itself.
const SLACK: Duration = Duration::from_secs(1);

/// How long the system keeps what nobody syncs.
const SYSTEM: Duration = Duration::from_secs(30);

/// How long it takes until a side knows that the other has closed.
const MOMENT: Duration = Duration::from_secs(1);

/// Longest orderly stop; a disk or a far side may hold it up.
pub(crate) const STOP: Duration = Duration::from_secs(30);

/// What a power cut can cost at most with this `flush`.
pub fn window(flush: &str) -> Duration {
    match flush {
        "each" => Duration::ZERO,
        "os" => SYSTEM + SLACK,
        time => {
            let milliseconds = time.trim_end_matches("ms").parse().unwrap_or(1000);
            Duration::from_millis(milliseconds) + SLACK
        }
    }
}

impl Rig {
    /// Does everything at its time.
    ///
    /// # Errors
    /// What could not be done.
    pub fn drive(
        &mut self,
        plan: &Plan,
        settings: &Settings,
        servers: &mut Servers,
    ) -> Result<(), String> {
        let begun = Instant::now();
        for (at, act) in plan {
            while begun.elapsed() < *at {
                stop::check()?;
                self.keep_running();
                let left = at.saturating_sub(begun.elapsed());
                std::thread::sleep(left.min(Duration::from_millis(20)));
            }
            self.act(act, settings, servers)?;
        }
        while begun.elapsed() < settings.length {
            stop::check()?;
            self.keep_running();
            std::thread::sleep(Duration::from_millis(20));
        }
        self.heal(servers)
    }

    /// One that has ended by itself is noted, and started again after a moment.
    pub(crate) fn keep_running(&mut self) {
        for station in &mut self.stations {
            if station.agent.has_fallen() {
                self.oracle.disturbed(Duration::MAX);
                station.agent.start().ok();
            }
        }
    }

    fn act(&mut self, act: &Act, settings: &Settings, servers: &mut Servers) -> Result<(), String> {
        match act {
            Act::Kill(at) | Act::Stop(at) | Act::Start(at) => self.end(*at, act, settings)?,
            Act::Pause(at) | Act::Resume(at) | Act::Reload(at) => self.tell(*at, act)?,
            Act::SearchWay(mode) => self.search_way.iter().for_each(|way| way.set(*mode)),
            Act::PostWay(mode) => self.ways(*mode, |station| &station.post_way),
            Act::SyslogWay(mode) => self.ways(*mode, |station| &station.syslog_way),
            Act::Search(deed) => {
                if let Some(search) = &mut servers.own_search {
                    search.act(*deed)?;
                }
            }
            Act::Broker(number, deed) => {
                let count = servers.brokers.len().max(1);
                if let Some(broker) = servers.brokers.get_mut(number % count) {
                    broker.act(*deed)?;
                }
            }
            Act::BrokerWay(number, mode) => {
                let count = servers.brokers.len().max(1);
                let broker = servers.brokers.get(number % count);
                broker.and_then(|broker| broker.way.as_ref()).iter().for_each(|way| way.set(*mode));
            }
            Act::Disk(_) | Act::PowerCut | Act::Fill(_) | Act::Clock(_) => {
                self.machine(act, settings)?
            }
        }
        Ok(())
    }

    /// The agent ends, or begins.
    fn end(&mut self, at: usize, act: &Act, settings: &Settings) -> Result<(), String> {
        // What the agent has read waits there as long as it cannot store it.
        let slow = settings.case.disk != Disk::Plain || settings.case.hub != Hub::Embedded;
        let Some(station) = self.stations.get_mut(at) else { return Ok(()) };
        match act {
            Act::Start(_) => station.agent.start()?,
            Act::Stop(_) => {
                self.oracle.disturbed(MOMENT);
                station.agent.stop(STOP);
                self.oracle.disturbed(if slow { Duration::MAX } else { MOMENT });
            }
            _kill => {
                station.agent.kill();
                self.oracle.disturbed(if slow { Duration::MAX } else { ON_ITS_WAY });
            }
        }
        Ok(())
    }

    /// The agent is told something and goes on.
    fn tell(&mut self, at: usize, act: &Act) -> Result<(), String> {
        let Some(station) = self.stations.get_mut(at) else { return Ok(()) };
        match act {
            Act::Pause(_) => station.agent.signal(Signal::STOP),
            Act::Resume(_) => station.agent.signal(Signal::CONT),
            _reload if !station.agent.listens() => {}
            _reload => {
                station.turn += 1;
                station.configure()?;
                station.agent.signal(Signal::HUP);
                self.oracle.disturbed(MOMENT);
            }
        }
        Ok(())
    }

    /// Disk, power and clock of the first machine.
    fn machine(&mut self, act: &Act, settings: &Settings) -> Result<(), String> {
        let Some(station) = self.stations.first_mut() else { return Ok(()) };
        match (act, &station.disk, &station.small, &station.clock) {
            (Act::Disk(trouble), Some(disk), _, _) => {
                station.agent.may_refuse = trouble.is_some();
                disk.set(trouble.clone());
            }
            (Act::PowerCut, Some(disk), _, _) => {
                station.agent.kill();
                disk.cut();
                self.oracle.power_cut(window(&settings.flush));
            }
            (Act::Fill(left), _, Some(small), _) => small.fill(*left)?,
            (Act::Clock(seconds), _, _, Some(clock)) => clock.set(*seconds)?,
            _not_there => {}
        }
        Ok(())
    }

    fn ways(&self, mode: Mode, way: impl Fn(&Station) -> &Proxy) {
        // Of what is between, some is lost with the connection.
        self.oracle.disturbed(MOMENT);
        for station in &self.stations {
            way(station).set(mode);
        }
    }

    /// Everything works again.
    fn heal(&mut self, servers: &mut Servers) -> Result<(), String> {
        self.search_way.iter().for_each(|way| way.set(Mode::Pass));
        for station in &mut self.stations {
            station.post_way.set(Mode::Pass);
            station.syslog_way.set(Mode::Pass);
            station.disk.iter().for_each(|disk| disk.set(None));
            station.agent.may_refuse = false;
            station.small.iter().try_for_each(|small| small.fill(None))?;
            station.clock.iter().try_for_each(|clock| clock.set(0))?;
        }
        for server in servers.own_search.iter_mut().chain(&mut servers.brokers) {
            server.way.iter().for_each(|way| way.set(Mode::Pass));
            server.act(Deed::Start)?;
        }
        for server in servers.own_search.iter_mut().chain(&mut servers.brokers) {
            server.finish()?;
        }
        for station in &mut self.stations {
            station.agent.signal(Signal::CONT);
            station.agent.start()?;
        }
        Ok(())
    }
}
