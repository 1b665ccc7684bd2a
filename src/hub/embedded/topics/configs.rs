//! The settings of a topic under Kafka's names: what a client may set, and how it reads back.
//!
//! Names that Kafka knows and that mean nothing here (replicas, page flushes) are checked, kept and shown, so that
//! programs which set them work. Source: Kafka documentation, "Topic-Level Configs".

use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) use super::known::{KNOWN, Kind, Known, find, find_by_broker_name};
use super::settings::{Cleanup, TopicSettings};
use crate::wire::Codec;

/// What clients have set, by topic; and the rest is the configuration's.
pub(crate) type Overrides = BTreeMap<String, String>;

/// Whether `value` may be set for `name`.
///
/// # Errors
/// What is wrong, in Kafka's words.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some(known) = find(name) else {
        return Err(format!("Unknown topic config name: {name}"));
    };
    if name == "remote.storage.enable" && value == "true" {
        let why = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
        return Err(why.to_owned());
    }
    check_kind(known.kind, name, value)
}

/// Whether `value` may be set for `name`, which is of that kind.
///
/// # Errors
/// What is wrong, in Kafka's words.
pub(crate) fn check_kind(kind: Kind, name: &str, value: &str) -> Result<(), String> {
    match kind.fault(value) {
        None => Ok(()),
        Some(why) => Err(format!("Invalid value {value} for configuration {name}: {why}")),
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
