//! From a seed, what happens when.

use std::time::Duration;

use crate::case::{Case, Fault, Hub};
use crate::disk::Trouble;
use crate::proxy::Mode;
use crate::random::{Random, number_of};

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// SIGKILL of agent number N.
    Kill(usize),
    /// SIGTERM.
    Stop(usize),
    /// A start, if it does not run.
    Start(usize),
    /// SIGSTOP.
    Pause(usize),
    /// SIGCONT.
    Resume(usize),
    /// Another configuration and SIGHUP.
    Reload(usize),
    /// What becomes of connections to the search server.
    SearchWay(Mode),
    /// … of those who post.
    PostWay(Mode),
    /// … of those who log.
    SyslogWay(Mode),
    /// The search server is killed, started again, stopped and continued.
    Search(Deed),
    /// The same for broker number N.
    Broker(usize, Deed),
    /// What becomes of connections to broker number N.
    BrokerWay(usize, Mode),
    /// The disk misbehaves from now on, or does not.
    Disk(Option<Trouble>),
    /// The agent is killed and what was not synced is gone.
    PowerCut,
    /// The disk is full but for this many kB, or is not.
    Fill(Option<u64>),
    /// The clock is this many seconds off.
    Clock(i64),
}

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// SIGKILL.
    Kill,
    /// Started on its data.
    Start,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
}

/// Acts with their times since the beginning, in order.
pub type Plan = Vec<(Duration, Act)>;

/// When the first fault comes.
const QUIET_MS: u64 = 500;

/// What happens in `length`, as the seed says.
pub fn plan(case: Case, seed: u64, length: Duration) -> Plan {
    let mut random = Random::of(&[seed, number_of(case.name), 0x91a4]);
    let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let agents = if case.hub == Hub::Cluster { 2 } else { 1 };
    let mut acts = Vec::new();
    let mut at = QUIET_MS + random.up_to(1500);
    while at < length_ms {
        let Some(fault) = random.pick(case.faults).copied() else { break };
        let agent = random.size(agents);
        let (lasts, begin, end) = one(fault, agent, &mut random);
        acts.push((Duration::from_millis(at), begin));
        if let Some(end) = end {
            acts.push((Duration::from_millis(at + lasts), end));
        }
        // One in four begins before the last one is over.
        at += quiet(fault, &mut random) + if random.chance(25) { 0 } else { lasts };
    }
    acts.sort_by_key(|(at, _act)| *at);
    acts
}

/// How long it is quiet afterwards, in milliseconds. Between two power cuts there is time for a snapshot now and then.
fn quiet(fault: Fault, random: &mut Random) -> u64 {
    let long = fault == Fault::PowerCut && random.chance(40);
    if long { random.between(10_500, 13_000) } else { random.between(200, 3500) }
}

/// How long a fault lasts in milliseconds, its beginning and its end.
fn one(fault: Fault, agent: usize, random: &mut Random) -> (u64, Act, Option<Act>) {
    let moment = random.between(50, 2500);
    let longer = random.between(500, 6000);
    let broker = random.size(3);
    match fault {
        Fault::Kill => (moment / 2, Act::Kill(agent), Some(Act::Start(agent))),
        Fault::Stop => (moment / 2, Act::Stop(agent), Some(Act::Start(agent))),
        Fault::Pause => (moment, Act::Pause(agent), Some(Act::Resume(agent))),
        Fault::Reload => (0, Act::Reload(agent), None),
        Fault::SearchWay => {
            (longer, Act::SearchWay(mode(random)), Some(Act::SearchWay(Mode::Pass)))
        }
        Fault::PostWay => (moment, Act::PostWay(mode(random)), Some(Act::PostWay(Mode::Pass))),
        Fault::SyslogWay => {
            (moment, Act::SyslogWay(mode(random)), Some(Act::SyslogWay(Mode::Pass)))
        }
        Fault::SearchKill => (longer, Act::Search(Deed::Kill), Some(Act::Search(Deed::Start))),
        Fault::SearchPause => (longer, Act::Search(Deed::Pause), Some(Act::Search(Deed::Resume))),
        Fault::DiskTrouble => {
            (longer, Act::Disk(Some(Trouble::any(random))), Some(Act::Disk(None)))
        }
        Fault::PowerCut => (moment / 2, Act::PowerCut, Some(Act::Start(0))),
        Fault::Fill => (longer, Act::Fill(Some(random.up_to(600))), Some(Act::Fill(None))),
        Fault::Clock => (0, Act::Clock(jump(random)), None),
        Fault::BrokerKill => {
            (longer, Act::Broker(broker, Deed::Kill), Some(Act::Broker(broker, Deed::Start)))
        }
        Fault::BrokerWay => {
            (longer, Act::BrokerWay(broker, mode(random)), Some(Act::BrokerWay(broker, Mode::Pass)))
        }
        Fault::BrokerPause => {
            (longer, Act::Broker(broker, Deed::Pause), Some(Act::Broker(broker, Deed::Resume)))
        }
    }
}

fn mode(random: &mut Random) -> Mode {
    let modes = [Mode::Refuse, Mode::Slow, Mode::Hole, Mode::HalfOpen];
    random.pick(&modes).copied().unwrap_or(Mode::Refuse)
}

/// Seconds by which the clock is off: a little, an hour (somebody's summer), or days; back or forth.
fn jump(random: &mut Random) -> i64 {
    let sizes = [2, 61, 3600, 90_000, 864_000];
    let size = random.pick(&sizes).copied().unwrap_or(0);
    if random.chance(50) { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CASES;

    #[test]
    fn a_seed_repeats_its_plan_and_another_has_another() {
        let minute = Duration::from_secs(60);
        for case in CASES {
            assert_eq!(plan(*case, 1, minute), plan(*case, 1, minute));
            assert_ne!(plan(*case, 1, minute), plan(*case, 2, minute));
            assert!(plan(*case, 1, minute).len() > 8, "{}", case.name);
        }
    }
}
