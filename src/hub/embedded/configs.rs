//! The settings of a topic under Kafka's names: what a client may set, and how it reads back.
//!
//! Names that Kafka knows and that mean nothing here (replicas, page flushes) are checked, kept and shown, so that
//! programs which set them work. Source: Kafka documentation, "Topic-Level Configs".

use std::collections::BTreeMap;
use std::time::Duration;

use super::settings::{Cleanup, TopicSettings};
use crate::wire::Codec;

/// What clients have set, by topic; and the rest is the configuration's.
pub(crate) type Overrides = BTreeMap<String, String>;

/// The type of a value, with Kafka's number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Text(&'static [&'static str]),
    Int(i64, i64),
    Long(i64, i64),
    Double,
    List(&'static [&'static str]),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    default: &'static str,
}

const fn known(name: &'static str, kind: Kind, default: &'static str) -> Known {
    Known { name, kind, default }
}

const LONG: Kind = Kind::Long(0, i64::MAX);
const FROM_MINUS_ONE: Kind = Kind::Long(-1, i64::MAX);
const INT_MAX: i64 = i32::MAX as i64;
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// Every setting of a topic that Kafka 4 knows, by name.
pub(crate) const KNOWN: &[Known] = &[
    known("cleanup.policy", Kind::List(&["compact", "delete"]), "delete"),
    known("compression.gzip.level", Kind::Int(-1, 9), "-1"),
    known("compression.lz4.level", Kind::Int(1, 17), "9"),
    known("compression.type", Kind::Text(CODECS), "producer"),
    known("compression.zstd.level", Kind::Int(-131_072, 22), "3"),
    known("delete.retention.ms", LONG, "86400000"),
    known("file.delete.delay.ms", LONG, "60000"),
    known("flush.messages", Kind::Long(1, i64::MAX), "9223372036854775807"),
    known("flush.ms", LONG, "9223372036854775807"),
    known("follower.replication.throttled.replicas", Kind::List(&[]), ""),
    known("index.interval.bytes", Kind::Int(0, INT_MAX), "4096"),
    known("leader.replication.throttled.replicas", Kind::List(&[]), ""),
    known("local.retention.bytes", Kind::Long(-2, i64::MAX), "-2"),
    known("local.retention.ms", Kind::Long(-2, i64::MAX), "-2"),
    known("max.compaction.lag.ms", Kind::Long(1, i64::MAX), "9223372036854775807"),
    known("max.message.bytes", Kind::Int(0, INT_MAX), "1048588"),
    known("message.timestamp.after.max.ms", LONG, "3600000"),
    known("message.timestamp.before.max.ms", LONG, "9223372036854775807"),
    known("message.timestamp.type", Kind::Text(&["CreateTime", "LogAppendTime"]), "CreateTime"),
    known("min.cleanable.dirty.ratio", Kind::Double, "0.5"),
    known("min.compaction.lag.ms", LONG, "0"),
    known("min.insync.replicas", Kind::Int(1, INT_MAX), "1"),
    known("preallocate", Kind::Boolean, "false"),
    known("remote.log.copy.disable", Kind::Boolean, "false"),
    known("remote.log.delete.on.disable", Kind::Boolean, "false"),
    known("remote.storage.enable", Kind::Boolean, "false"),
    known("retention.bytes", FROM_MINUS_ONE, "-1"),
    known("retention.ms", FROM_MINUS_ONE, "604800000"),
    known("segment.bytes", Kind::Int(1_048_576, INT_MAX), "1073741824"),
    known("segment.index.bytes", Kind::Int(4, INT_MAX), "10485760"),
    known("segment.jitter.ms", LONG, "0"),
    known("segment.ms", Kind::Long(1, i64::MAX), "604800000"),
    known("unclean.leader.election.enable", Kind::Boolean, "false"),
];

/// Finds a setting by name.
pub(crate) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

impl Known {
    /// The name under which a broker has the default for all topics; `None` for what it has under none.
    pub(crate) fn broker_name(&self) -> Option<String> {
        let own = match self.name {
            "max.message.bytes" => "message.max.bytes",
            "message.timestamp.after.max.ms"
            | "message.timestamp.before.max.ms"
            | "message.timestamp.type"
            | "cleanup.policy"
            | "delete.retention.ms"
            | "index.interval.bytes"
            | "preallocate"
            | "retention.bytes"
            | "retention.ms"
            | "segment.bytes" => return Some(format!("log.{}", self.name)),
            "flush.messages" => "log.flush.interval.messages",
            "flush.ms" => "log.flush.interval.ms",
            "file.delete.delay.ms" => "log.segment.delete.delay.ms",
            "max.compaction.lag.ms" => "log.cleaner.max.compaction.lag.ms",
            "min.compaction.lag.ms" => "log.cleaner.min.compaction.lag.ms",
            "min.cleanable.dirty.ratio" => "log.cleaner.min.cleanable.ratio",
            "segment.index.bytes" => "log.index.size.max.bytes",
            "segment.jitter.ms" => "log.roll.jitter.ms",
            "segment.ms" => "log.roll.ms",
            "compression.type" | "min.insync.replicas" | "unclean.leader.election.enable" => {
                self.name
            }
            _ => return None,
        };
        Some(own.to_owned())
    }
}

impl Kind {
    /// Kafka's number for the type (`ConfigType`).
    pub(crate) const fn code(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::Text(_) => 2,
            Self::Int(..) => 3,
            Self::Long(..) => 5,
            Self::Double => 6,
            Self::List(_) => 7,
        }
    }

    /// Whether it holds several values.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::List(_))
    }
}

/// Whether `value` may be set for `name`.
///
/// # Errors
/// What is wrong, in Kafka's words.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(known) = find(name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    let problem =
        |why: String| Err(format!("Invalid value {value} for configuration {name}: {why}"));
    match known.kind {
        Kind::Boolean if matches!(value, "true" | "false") => Ok(()),
        Kind::Boolean => problem("Expected value to be either true or false".to_owned()),
        Kind::Text(allowed) if allowed.contains(&value) => Ok(()),
        Kind::Text(allowed) => problem(format!("String must be one of: {}", allowed.join(", "))),
        Kind::Int(least, most) | Kind::Long(least, most) => match value.trim().parse::<i64>() {
            Err(_) => problem("Not a number of that type".to_owned()),
            Ok(number) if number < least => problem(format!("Value must be at least {least}")),
            Ok(number) if number > most => problem(format!("Value must be no more than {most}")),
            Ok(_) => Ok(()),
        },
        Kind::Double => match value.trim().parse::<f64>() {
            Ok(number) if (0.0..=1.0).contains(&number) => Ok(()),
            _ => problem("Value must be between 0 and 1".to_owned()),
        },
        Kind::List(allowed) => {
            let strange = |part: &&str| !allowed.is_empty() && !allowed.contains(&part.trim());
            match value.split(',').find(strange) {
                None => Ok(()),
                Some(_) => problem(format!("String must be one of: {}", allowed.join(", "))),
            }
        }
    }
}

/// The settings of a topic with what clients have set.
pub(crate) fn apply(base: &TopicSettings, overrides: &Overrides) -> TopicSettings {
    let mut settings = base.clone();
    for (name, value) in overrides {
        set(&mut settings, name, value);
    }
    settings
}

fn set(settings: &mut TopicSettings, name: &str, value: &str) {
    let number = value.trim().parse::<i64>().unwrap_or(-1);
    let limit = u64::try_from(number).ok();
    match name {
        "retention.ms" => settings.retention_time = limit.map(Duration::from_millis),
        "retention.bytes" => settings.retention_size = limit,
        "segment.bytes" => {
            settings.segment_size = limit.unwrap_or(settings.segment_size).min(1 << 30);
        }
        "max.message.bytes" => settings.max_message_bytes = usize::try_from(number).unwrap_or(0),
        "message.timestamp.type" => settings.append_time = value == "LogAppendTime",
        "message.timestamp.before.max.ms" => settings.timestamp_before_ms = number,
        "message.timestamp.after.max.ms" => settings.timestamp_after_ms = number,
        "delete.retention.ms" => {
            settings.delete_retention = Duration::from_millis(limit.unwrap_or(0));
        }
        "min.cleanable.dirty.ratio" => {
            let ratio = value.trim().parse::<f64>().unwrap_or(0.5).clamp(0.0, 1.0);
            let per_mille = (0..1000u16).find(|parts| f64::from(*parts) >= ratio * 1000.0);
            settings.min_dirty_per_mille = per_mille.unwrap_or(1000);
        }
        "min.compaction.lag.ms" => {
            settings.min_compaction_lag = Duration::from_millis(limit.unwrap_or(0));
        }
        "max.compaction.lag.ms" => {
            let lag = limit.filter(|limit| i64::try_from(*limit) != Ok(i64::MAX));
            settings.max_compaction_lag = lag.map(Duration::from_millis);
        }
        "segment.ms" => {
            settings.segment_time = limit.map_or(settings.segment_time, Duration::from_millis);
        }
        "compression.type" => settings.compression = codec(value),
        "cleanup.policy" => {
            let has = |policy| value.split(',').any(|part| part.trim() == policy);
            settings.cleanup = Cleanup { delete: has("delete"), compact: has("compact") };
        }
        _ => {}
    }
}

fn codec(name: &str) -> Option<Codec> {
    match name {
        "uncompressed" => Some(Codec::None),
        "gzip" => Some(Codec::Gzip),
        "snappy" => Some(Codec::Snappy),
        "lz4" => Some(Codec::Lz4),
        "zstd" => Some(Codec::Zstd),
        _ => None,
    }
}

/// How a setting reads for a topic that is kept as `settings` says and of which nobody has set `known`.
pub(crate) fn value(known: &Known, settings: &TopicSettings) -> String {
    let limit = |limit: Option<u64>| limit.map_or_else(|| "-1".to_owned(), |most| most.to_string());
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    match known.name {
        "retention.ms" => limit(settings.retention_time.map(ms)),
        "retention.bytes" => limit(settings.retention_size),
        "segment.bytes" => settings.segment_size.to_string(),
        "cleanup.policy" => match settings.cleanup {
            Cleanup { delete: true, compact: true } => "compact,delete".to_owned(),
            Cleanup { compact: true, .. } => "compact".to_owned(),
            Cleanup { .. } => "delete".to_owned(),
        },
        _ => known.default.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_checked_applied_and_read_back() {
        let base = TopicSettings::default();
        let set = |pairs: &[(&str, &str)]| -> Overrides {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let settings = apply(
            &base,
            &set(&[
                ("retention.ms", "-1"),
                ("retention.bytes", "5000"),
                ("cleanup.policy", "compact,delete"),
                ("message.timestamp.type", "LogAppendTime"),
                ("compression.type", "zstd"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("min.compaction.lag.ms", "5"),
                ("max.compaction.lag.ms", "7"),
                ("segment.ms", "6"),
            ]),
        );
        assert_eq!((settings.retention_time, settings.retention_size), (None, Some(5000)));
        assert_eq!(settings.cleanup, Cleanup { delete: true, compact: true });
        assert_eq!((settings.append_time, settings.compression), (true, Some(Codec::Zstd)));
        assert_eq!(settings.min_dirty_per_mille, 10);
        let times = (settings.min_compaction_lag, settings.segment_time);
        assert_eq!(times, (Duration::from_millis(5), Duration::from_millis(6)));
        assert_eq!(settings.max_compaction_lag, Some(Duration::from_millis(7)));
        let never = apply(&base, &set(&[("max.compaction.lag.ms", "9223372036854775807")]));
        assert_eq!(never.max_compaction_lag, None);
        let shown = |name| value(find(name).unwrap(), &settings);
        assert_eq!(shown("retention.ms"), "-1");
        assert_eq!(shown("cleanup.policy"), "compact,delete");
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
        for known in KNOWN {
            assert_eq!(check(known.name, &value(known, &base)), Ok(()), "{}", known.name);
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (name, value) in [
            ("retention.mss", "1"),
            ("retention.ms", "-2"),
            ("retention.ms", "a"),
            ("segment.bytes", "99999999999"),
            ("cleanup.policy", "delete,shred"),
            ("compression.type", "rar"),
            ("preallocate", "yes"),
            ("min.cleanable.dirty.ratio", "1.5"),
        ] {
            assert!(check(name, value).is_err(), "{name}={value}");
        }
    }
}
