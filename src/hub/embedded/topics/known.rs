//! The settings of a topic that Kafka knows: names, types, Kafka's defaults, and what they are for.
//!
//! Source: Kafka documentation, "Topic-Level Configs"; the sentences are our own, and say what the hub does.

/// The type of a value, with its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Text(&'static [&'static str]),
    Int(i64, i64),
    /// -1, or from 1 to this.
    Level(i64),
    Long(i64, i64),
    Double,
    List(&'static [&'static str]),
}

impl Kind {
    /// Kafka's number for the type (`ConfigType`).
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text(_) => 2,
            Self::Int(..) | Self::Level(_) => 3,
            Self::Long(..) => 5,
            Self::Double => 6,
            Self::List(_) => 7,
        }
    }

    /// Whether it holds several values.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::List(_))
    }

    /// What is wrong with a value, in Kafka's words; `None` when nothing is.
    pub(crate) fn fault(self, value: &str) -> Option<String> {
        let among = |allowed: &[&str]| format!("String must be one of: {}", allowed.join(", "));
        match self {
            Self::Boolean if matches!(value, "true" | "false") => None,
            Self::Boolean => Some("Expected value to be either true or false".to_owned()),
            Self::Text(allowed) if allowed.contains(&value) => None,
            Self::Text(allowed) => Some(among(allowed)),
            Self::Int(least, most) => match value.trim().parse::<i32>() {
                Err(_) => Some("Not a number of type INT".to_owned()),
                Ok(number) => outside(i64::from(number), least, most),
            },
            Self::Level(most) => match value.trim().parse::<i32>() {
                Err(_) => Some("Not a number of type INT".to_owned()),
                Ok(number) => {
                    let is_right = number == -1 || (1..=most).contains(&i64::from(number));
                    let why = || format!("Value must be between 1 and {most} or equal to -1");
                    (!is_right).then(why)
                }
            },
            Self::Long(least, most) => match value.trim().parse::<i64>() {
                Err(_) => Some("Not a number of type LONG".to_owned()),
                Ok(number) => outside(number, least, most),
            },
            Self::Double => match value.trim().parse::<f64>() {
                Err(_) => Some("Not a number of type DOUBLE".to_owned()),
                Ok(number) if number < 0.0 => Some("Value must be at least 0".to_owned()),
                Ok(number) if number > 1.0 => Some("Value must be no more than 1".to_owned()),
                Ok(_) => None,
            },
            Self::List(allowed) => {
                let mut parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
                let strange = parts.any(|part| !allowed.is_empty() && !allowed.contains(&part));
                strange.then(|| among(allowed))
            }
        }
    }
}

fn outside(number: i64, least: i64, most: i64) -> Option<String> {
    if number < least {
        return Some(format!("Value must be at least {least}"));
    }
    (number > most).then(|| format!("Value must be no more than {most}"))
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What Kafka has where nobody has set it.
    pub(crate) default: &'static str,
    /// The name under which a broker has the value for all topics; empty for what it has under none.
    pub(crate) broker_name: &'static str,
    /// What it is for.
    pub(crate) documentation: &'static str,
}

const fn known(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker_name: &'static str,
    documentation: &'static str,
) -> Known {
    Known { name, kind, default, broker_name, documentation }
}

const LONG: Kind = Kind::Long(0, i64::MAX);
const FROM_MINUS_ONE: Kind = Kind::Long(-1, i64::MAX);
const FROM_MINUS_TWO: Kind = Kind::Long(-2, i64::MAX);
const INT_MAX: i64 = i32::MAX as i64;
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];
const POLICIES: &[&str] = &["compact", "delete"];
const TIMES: &[&str] = &["CreateTime", "LogAppendTime"];
const NEVER: &str = "9223372036854775807";

const KEPT: &str = "Checked, kept and shown for programs that set it; it means nothing here.";
const REPLICAS: &str = "Kept and shown: there are no replicas here.";
const REMOTE: &str = "Kept and shown: everything is on the hub's own disk.";

/// Every setting of a topic that Kafka 4 knows, by name.
#[rustfmt::skip]
pub(crate) const KNOWN: &[Known] = &[
    known("cleanup.policy", Kind::List(POLICIES), "delete", "log.cleanup.policy", "What happens to old records: delete removes them by age and size, compact keeps the last one of each key; both are possible."),
    known("compression.gzip.level", Kind::Level(9), "-1", "compression.gzip.level", KEPT),
    known("compression.lz4.level", Kind::Int(1, 17), "9", "compression.lz4.level", KEPT),
    known("compression.type", Kind::Text(CODECS), "producer", "compression.type", "The codec that batches are stored with; producer keeps them as they came."),
    known("compression.zstd.level", Kind::Int(-131_072, 22), "3", "compression.zstd.level", KEPT),
    known("delete.retention.ms", LONG, "86400000", "log.cleaner.delete.retention.ms", "How long a record without a value stays in a compacted topic, so that readers see it."),
    known("file.delete.delay.ms", LONG, "60000", "log.segment.delete.delay.ms", KEPT),
    known("flush.messages", Kind::Long(1, i64::MAX), NEVER, "log.flush.interval.messages", "Kept and shown: the hub's own setting flush says when records are made durable."),
    known("flush.ms", LONG, NEVER, "log.flush.interval.ms", "Kept and shown: the hub's own setting flush says when records are made durable."),
    known("follower.replication.throttled.replicas", Kind::List(&[]), "", "", REPLICAS),
    known("index.interval.bytes", Kind::Int(0, INT_MAX), "4096", "log.index.interval.bytes", KEPT),
    known("leader.replication.throttled.replicas", Kind::List(&[]), "", "", REPLICAS),
    known("local.retention.bytes", FROM_MINUS_TWO, "-2", "log.local.retention.bytes", REMOTE),
    known("local.retention.ms", FROM_MINUS_TWO, "-2", "log.local.retention.ms", REMOTE),
    known("max.compaction.lag.ms", Kind::Long(1, i64::MAX), NEVER, "log.cleaner.max.compaction.lag.ms", "Records of a compacted topic that are older than this are compacted, however few they are."),
    known("max.message.bytes", Kind::Int(0, INT_MAX), "1048588", "message.max.bytes", "The largest batch that is taken, in bytes as it comes, compressed or not."),
    known("message.timestamp.after.max.ms", LONG, "3600000", "log.message.timestamp.after.max.ms", "How far ahead of the hub's clock a record's own time may be."),
    known("message.timestamp.before.max.ms", LONG, NEVER, "log.message.timestamp.before.max.ms", "How far behind the hub's clock a record's own time may be."),
    known("message.timestamp.type", Kind::Text(TIMES), "CreateTime", "log.message.timestamp.type", "Whether records keep their own time, or get that of their append."),
    known("min.cleanable.dirty.ratio", Kind::Double, "0.5", "log.cleaner.min.cleanable.ratio", "Which part of a compacted topic must be new before it is compacted again."),
    known("min.compaction.lag.ms", LONG, "0", "log.cleaner.min.compaction.lag.ms", "Records of a compacted topic that are younger than this stay."),
    known("min.insync.replicas", Kind::Int(1, INT_MAX), "1", "min.insync.replicas", REPLICAS),
    known("preallocate", Kind::Boolean, "false", "log.preallocate", KEPT),
    known("remote.log.copy.disable", Kind::Boolean, "false", "", REMOTE),
    known("remote.log.delete.on.disable", Kind::Boolean, "false", "", REMOTE),
    known("remote.storage.enable", Kind::Boolean, "false", "", "Cannot be set: everything is on the hub's own disk."),
    known("retention.bytes", FROM_MINUS_ONE, "-1", "log.retention.bytes", "Bytes of a partition beyond which the oldest records go, if every sink has read them; -1 is no limit."),
    known("retention.ms", FROM_MINUS_ONE, "604800000", "log.retention.ms", "Records older than this go, if every sink has read them; -1 is no limit."),
    known("segment.bytes", Kind::Int(1_048_576, INT_MAX), "1073741824", "log.segment.bytes", "Bytes of one file of a partition, 1 GiB at most; old records go in whole files."),
    known("segment.index.bytes", Kind::Int(4, INT_MAX), "10485760", "log.index.size.max.bytes", KEPT),
    known("segment.jitter.ms", LONG, "0", "log.roll.jitter.ms", KEPT),
    known("segment.ms", Kind::Long(1, i64::MAX), "604800000", "log.roll.ms", "The age at which the file that is written of a compacted topic is closed, so that it can be compacted."),
    known("unclean.leader.election.enable", Kind::Boolean, "false", "unclean.leader.election.enable", REPLICAS),
];

impl Known {
    /// Whether Kafka's default stands under the broker's name, too; some have it only under one for hours.
    pub(crate) fn has_broker_default(&self) -> bool {
        let hours = ["flush.ms", "retention.ms", "segment.jitter.ms", "segment.ms"];
        !self.broker_name.is_empty() && !hours.contains(&self.name)
    }
}

/// Finds a setting by name.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Finds a setting by the name that a broker has for it.
pub(crate) fn find_by_broker_name(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.broker_name == name && !name.is_empty())
}
