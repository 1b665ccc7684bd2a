//! What is tried: which hub, on which disk, with which faults.

/// Where the agent keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hub {
    /// The log in its own folder.
    Embedded,
    /// One broker of Apache Kafka.
    Kafka,
    /// Three brokers, each record on all, two needed; two agents in one group.
    Cluster,
}

/// What the data folder and the sink's files are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// The machine's own.
    Plain,
    /// A file system of the bench's own, which fails and forgets.
    Faulty,
    /// A small ext4 in a file.
    Small,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL, and a start after a while.
    Kill,
    /// SIGTERM, and a start after a while.
    Stop,
    /// SIGSTOP, and SIGCONT.
    Pause,
    /// SIGHUP with a changed configuration.
    Reload,
    /// The way to the search server.
    SearchWay,
    /// The way from those who post.
    PostWay,
    /// The way from those who log over TCP.
    SyslogWay,
    /// SIGKILL of the search server.
    SearchKill,
    /// SIGSTOP of the search server.
    SearchPause,
    /// Reads, writes, syncs or renames that fail, or a full disk.
    DiskTrouble,
    /// The disk forgets what was not synced, and the agent begins anew.
    PowerCut,
    /// Something else fills the disk.
    Fill,
    /// The wall clock jumps.
    Clock,
    /// SIGKILL of a broker.
    BrokerKill,
    /// SIGSTOP of a broker.
    BrokerPause,
    /// The way to a broker, from agents alone.
    BrokerWay,
}

/// A named set of faults.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name on the command line and in the table.
    pub name: &'static str,
    /// The hub.
    pub hub: Hub,
    /// The disk.
    pub disk: Disk,
    /// What happens; the more often it stands here, the more often.
    pub faults: &'static [Fault],
}

use Fault::{
    BrokerKill, BrokerPause, BrokerWay, Clock, DiskTrouble, Fill, Kill, Pause, PostWay, PowerCut,
    Reload, SearchKill, SearchPause, SearchWay, Stop, SyslogWay,
};

/// All of them.
pub const CASES: &[Case] = &[
    case("kill", Hub::Embedded, Disk::Plain, &[Kill]),
    case("process", Hub::Embedded, Disk::Plain, &[Kill, Kill, Stop, Pause, Reload]),
    case("reload", Hub::Embedded, Disk::Plain, &[Reload, Reload, Reload, Pause]),
    case("ways", Hub::Embedded, Disk::Plain, &[SearchWay, SearchWay, PostWay, SyslogWay, Kill]),
    case("search", Hub::Embedded, Disk::Plain, &[SearchKill, SearchPause, Kill]),
    case("disk", Hub::Embedded, Disk::Faulty, &[DiskTrouble, DiskTrouble, DiskTrouble, Kill, Stop]),
    case("power", Hub::Embedded, Disk::Faulty, &[PowerCut, PowerCut, Kill]),
    case("full", Hub::Embedded, Disk::Small, &[Fill, Fill, Kill, Reload]),
    case("clock", Hub::Embedded, Disk::Plain, &[Clock, Clock, Kill, Reload]),
    case(
        "mixed",
        Hub::Embedded,
        Disk::Faulty,
        &[Kill, Stop, Pause, Reload, SearchWay, PostWay, SyslogWay, DiskTrouble, SearchKill, Clock],
    ),
    case(
        "kafka",
        Hub::Kafka,
        Disk::Plain,
        &[Kill, Pause, Reload, BrokerKill, BrokerPause, BrokerWay, BrokerWay, SearchWay],
    ),
    case(
        "cluster",
        Hub::Cluster,
        Disk::Plain,
        &[Kill, Pause, Reload, BrokerKill, BrokerKill, BrokerPause, BrokerWay],
    ),
];

const fn case(name: &'static str, hub: Hub, disk: Disk, faults: &'static [Fault]) -> Case {
    Case { name, hub, disk, faults }
}

/// The case of that name.
///
/// # Errors
/// The names there are.
pub fn named(name: &str) -> Result<Case, String> {
    let names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    let found = CASES.iter().find(|case| case.name == name);
    found.copied().ok_or_else(|| format!("no case is named {name}; there are {}", names.join(", ")))
}
