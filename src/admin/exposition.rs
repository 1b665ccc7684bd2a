//! All metrics in Prometheus' text format (version 0.0.4). Written here since the known crates have no summaries with
//! quantiles of our own histograms.

use std::collections::BTreeSet;
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch_connectors::shared::stream::ConnectionMeter;

use anabranch_connectors::contract::clock::now_ms;

use crate::admin::Seen;
use crate::hub::{GroupLag, Lag, TopicInfo};
use crate::ledger::metrics::families;
use crate::ledger::rows::{Ledger, SourceRow};
use crate::metrics::{ClientMeter, Latency, Metrics, SinkMeter, memory};

const QUANTILES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];

/// Renders everything.
#[must_use]
pub fn render(metrics: &Metrics, seen: &Seen, (queued, queue_max): (usize, usize)) -> String {
    let mut text = Text::default();
    text.head("anabranch_build_info", "gauge", "The version that runs.");
    text.line("anabranch_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    sources(metrics, &mut text);
    sinks(metrics, seen, &mut text);
    text.head("anabranch_queue_bytes", "gauge", "Bytes of sources on their way to the hub.");
    text.line("anabranch_queue_bytes", &[], queued);
    text.head("anabranch_queue_max_bytes", "gauge", "Bytes at which sources wait (buffer_memory).");
    text.line("anabranch_queue_max_bytes", &[], queue_max);
    for (name, help, values) in memory::families(&metrics.memory) {
        text.head(name, "gauge", help);
        values.iter().for_each(|(labels, value)| text.line(name, labels, value));
    }
    text.head(
        "anabranch_hub_lost_records_total",
        "counter",
        "Records that were stored and cannot be read any more.",
    );
    text.line("anabranch_hub_lost_records_total", &[], metrics.hub_lost.load(Ordering::Relaxed));
    text.head(
        "anabranch_hub_renewed_clients_total",
        "counter",
        "Kafka clients that were built anew because they made no progress where a new one did.",
    );
    text.line(
        "anabranch_hub_renewed_clients_total",
        &[],
        metrics.hub_renewed.load(Ordering::Relaxed),
    );
    text.head(
        "anabranch_hub_damaged_records",
        "gauge",
        "Records that were found damaged or missing, until they are acknowledged (anabranch log ack).",
    );
    text.line("anabranch_hub_damaged_records", &[], metrics.hub_damaged.load(Ordering::Relaxed));
    clients(&metrics.clients, &mut text);
    connections(metrics, &mut text);
    if let Some(at) = seen.at {
        text.head(
            "anabranch_hub_seen_seconds_ago",
            "gauge",
            "Age of what is shown of the hub and of lags.",
        );
        text.line("anabranch_hub_seen_seconds_ago", &[], at.elapsed().as_secs_f64());
    }
    hub(&seen.topics, &mut text);
    ledger(metrics, seen, &mut text);
    process(&mut text);
    text.0
}

fn clients(meter: &ClientMeter, text: &mut Text) {
    for (name, kind, help, value) in [
        (
            "connections",
            "gauge",
            "Clients of Kafka's protocol that are connected.",
            &meter.connections,
        ),
        ("requests_total", "counter", "Their requests that were answered.", &meter.requests),
        ("refused_requests_total", "counter", "Requests that could not be read.", &meter.refused),
        (
            "produced_bytes_total",
            "counter",
            "Bytes of batches that they appended.",
            &meter.produced_bytes,
        ),
        (
            "fetched_bytes_total",
            "counter",
            "Bytes of batches that they fetched.",
            &meter.fetched_bytes,
        ),
    ] {
        let name = format!("anabranch_client_{name}");
        text.head(&name, kind, help);
        text.line(&name, &[], value.load(Ordering::Relaxed));
    }
}

/// Of every listener: the hub's together, admin's together, and those of each source.
fn connections(metrics: &Metrics, text: &mut Text) {
    let own = [("hub", &metrics.hub_connections), ("admin", &metrics.admin)];
    let own = own.map(|(name, meter)| (name.to_owned(), Arc::clone(meter)));
    let sources = metrics.sources();
    let sources = sources
        .iter()
        .map(|(name, meter)| (format!("sources.{name}"), Arc::clone(&meter.read.connections)));
    let all: Vec<_> = own.into_iter().chain(sources).filter(|(_, meter)| meter.max() > 0).collect();
    type Value = fn(&ConnectionMeter) -> u64;
    let values: [(&str, &str, &str, Value); 4] = [
        ("open", "gauge", "Connections that are open.", ConnectionMeter::open),
        ("max", "gauge", "Connections that may be open.", ConnectionMeter::max),
        ("accepted_total", "counter", "Connections that were let in.", ConnectionMeter::accepted),
        (
            "refused_total",
            "counter",
            "Times that the system could not give a connection (open files).",
            ConnectionMeter::refused,
        ),
    ];
    for (name, kind, help, value) in values {
        let name = format!("anabranch_connections_{name}");
        text.head(&name, kind, help);
        for (listener, meter) in &all {
            text.line(&name, &[("listener", listener)], value(meter));
        }
    }
    let name = "anabranch_connections_closed_total";
    text.head(name, "counter", "Connections that this side has ended, by reason.");
    for (listener, meter) in &all {
        for (why, count) in meter.ended() {
            text.line(name, &[("listener", listener), ("reason", why.name())], count);
        }
    }
}

fn sources(metrics: &Metrics, text: &mut Text) {
    let sources = metrics.sources();
    let mut counter =
        |name: &str, help: &str, value: &dyn Fn(&crate::metrics::SourceMeter) -> u64| {
            text.head(name, "counter", help);
            for (source, meter) in &sources {
                text.line(name, &[("source", source)], value(meter));
            }
        };
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    counter("anabranch_source_read_records_total", "Records that a source handed on.", &|meter| {
        load(&meter.read.records)
    });
    counter("anabranch_source_read_bytes_total", "Bytes of their values.", &|meter| {
        load(&meter.read.bytes)
    });
    counter("anabranch_source_stored_records_total", "Records that the hub has.", &|meter| {
        load(&meter.stored)
    });
    counter("anabranch_source_stored_bytes_total", "Bytes of their values.", &|meter| {
        load(&meter.stored_bytes)
    });
    counter(
        "anabranch_source_not_stored_records_total",
        "Records that the hub did not take; their source has them.",
        &|meter| load(&meter.not_stored),
    );
    let name = "anabranch_source_dropped_records_total";
    text.head(name, "counter", "Records that a source left out, by reason.");
    for (source, meter) in &sources {
        let dropped = meter.read.dropped.lock();
        for (reason, count) in dropped.iter() {
            text.line(name, &[("source", source), ("reason", reason)], count);
        }
    }
    let name = "anabranch_read_to_append_seconds";
    text.head(name, "summary", "From read to append, as durable as configured.");
    for (source, meter) in &sources {
        text.summary(name, ("source", source), &meter.latency);
    }
    let name = "anabranch_source_up";
    text.head(name, "gauge", "1 while the source works.");
    for (source, meter) in &sources {
        text.line(name, &[("source", source)], u8::from(meter.state.problem().is_none()));
    }
}

fn sinks(metrics: &Metrics, seen: &Seen, text: &mut Text) {
    let sinks = metrics.sinks();
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&SinkMeter) -> u64| {
        text.head(name, "counter", help);
        for (sink, meter) in &sinks {
            text.line(name, &[("sink", sink)], value(meter));
        }
    };
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    counter("anabranch_sink_delivered_records_total", "Records that arrived.", &|meter| {
        load(&meter.delivered)
    });
    counter(
        "anabranch_sink_delivered_bytes_total",
        "Bytes of those records as stored, decompressed.",
        &|meter| load(&meter.delivered_bytes),
    );
    counter(
        "anabranch_sink_dead_records_total",
        "Records that went to the dead letters.",
        &|meter| load(&meter.dead),
    );
    counter(
        "anabranch_sink_diverted_records_total",
        "Records that went to the sink's fallback.",
        &|meter| load(&meter.diverted),
    );
    counter("anabranch_sink_again_records_total", "Records that were sent again.", &|meter| {
        load(&meter.again)
    });
    counter("anabranch_sink_errors_total", "Writes that failed as a whole.", &|meter| {
        load(&meter.errors)
    });
    counter(
        "anabranch_sink_held_total",
        "Writes of which everything was refused, so that nothing went to the dead letters.",
        &|meter| load(&meter.held),
    );
    counter(
        "anabranch_sink_lost_records_total",
        "Records that were gone from the hub before they were read, or were destroyed before they were committed.",
        &|meter| load(&meter.lost),
    );
    let name = "anabranch_sink_paused";
    text.head(name, "gauge", "1 while an operator has paused the sink.");
    for (sink, meter) in &sinks {
        text.line(name, &[("sink", sink)], u8::from(meter.is_paused()));
    }
    lags(metrics, seen, text);
    let name = "anabranch_append_to_delivery_seconds";
    text.head(name, "summary", "From the records' append to their delivery.");
    for (sink, meter) in &sinks {
        text.summary(name, ("sink", sink), &meter.latency);
    }
    let name = "anabranch_sink_up";
    text.head(name, "gauge", "1 while the sink delivers.");
    for (sink, meter) in &sinks {
        text.line(name, &[("sink", sink)], u8::from(meter.state.problem().is_none()));
    }
}

/// How far each sink of the configuration is behind, whatever state it is in.
fn lags(metrics: &Metrics, seen: &Seen, text: &mut Text) {
    let (sinks, now_ms) = (metrics.sinks(), now_ms());
    let seconds = |lag: &Lag| match (lag.records, lag.oldest_ms) {
        (0, _) => Some(0.0),
        (_, Some(oldest_ms)) => {
            let since = u64::try_from(now_ms.saturating_sub(oldest_ms)).unwrap_or(0);
            Some(std::time::Duration::from_millis(since).as_secs_f64())
        }
        (_, None) => None,
    };
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&SinkMeter, &Lag) -> Option<String>| {
        text.head(name, "gauge", help);
        for GroupLag { group, partitions } in &seen.lags {
            // What was seen may be older than the configuration: a sink that was taken out is shown no more.
            let Some((_, meter)) = sinks.iter().find(|(name, _)| name == group) else { continue };
            for lag in partitions {
                let Some(value) = value(meter, lag) else { continue };
                let number = lag.partition.to_string();
                let labels =
                    [("group", group.as_str()), ("topic", &lag.topic), ("partition", &number)];
                text.line(name, &labels, value);
            }
        }
    };
    let records = "Records that a group has not committed yet.";
    gauge("anabranch_group_lag_records", records, &|meter, lag| {
        Some(meter.records_behind(lag).to_string())
    });
    let bytes = "About how many bytes of the log they are.";
    gauge("anabranch_group_lag_bytes", bytes, &|_, lag| lag.bytes.map(|bytes| bytes.to_string()));
    let time = "Age of the oldest of them by its own time, seconds.";
    gauge("anabranch_group_lag_seconds", time, &|_, lag| seconds(lag).map(|age| age.to_string()));
}

fn hub(topics: &[TopicInfo], text: &mut Text) {
    type Value = fn(&crate::hub::PartitionInfo) -> Option<i64>;
    let gauges: [(&str, &str, Value); 3] = [
        ("anabranch_partition_start_offset", "First offset that is kept.", |partition| {
            Some(partition.start)
        }),
        ("anabranch_partition_end_offset", "Offset after the last record.", |partition| {
            Some(partition.end)
        }),
        ("anabranch_partition_size_bytes", "Bytes on disk.", |partition| {
            partition.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))
        }),
    ];
    for (name, help, value) in gauges {
        text.head(name, "gauge", help);
        for topic in topics {
            for (number, partition) in topic.partitions.iter().enumerate() {
                let Some(value) = value(partition) else { continue };
                let number = number.to_string();
                text.line(name, &[("topic", &topic.name), ("partition", &number)], value);
            }
        }
    }
}

/// What became of all records, over restarts.
fn ledger(metrics: &Metrics, seen: &Seen, text: &mut Text) {
    // The ledger itself also has those that were taken out of the configuration.
    let mut sources = metrics.accounts();
    let here: BTreeSet<String> = metrics.sources().into_iter().map(|(name, _)| name).collect();
    sources.retain(|name, _| here.contains(name));
    let sources = sources.iter().map(|(name, account)| SourceRow::new(name, account)).collect();
    for family in families(&Ledger::new(sources, seen.sinks.clone())) {
        text.head(family.name, "gauge", family.help);
        for (labels, value) in family.values {
            let labels: Vec<_> =
                labels.iter().map(|(label, text)| (*label, text.as_str())).collect();
            text.line(family.name, &labels, value);
        }
    }
}

/// What the system knows of this process; Linux only.
fn process(text: &mut Text) {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return };
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field =
        |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    text.head("process_cpu_seconds_total", "counter", "User and system time, seconds.");
    text.line("process_cpu_seconds_total", &[], (field(11) + field(12)) / 100.0);
    text.head("process_resident_memory_bytes", "gauge", "Resident memory.");
    text.line("process_resident_memory_bytes", &[], field(21) * 4096.0);
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (number, (label, text)) in labels.iter().enumerate() {
            self.0.push(if number == 0 { '{' } else { ',' });
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.0, "{label}=\"{text}\"").ok();
        }
        self.0.push_str(if labels.is_empty() { " " } else { "} " });
        writeln!(self.0, "{value}").ok();
    }

    fn summary(&mut self, name: &str, (label, text): (&str, &str), latency: &Latency) {
        let (values, sum, count) = latency.summary(&QUANTILES);
        for (quantile, value) in QUANTILES.iter().zip(values) {
            self.line(name, &[(label, text), ("quantile", &quantile.to_string())], value);
        }
        self.line(&format!("{name}_sum"), &[(label, text)], sum);
        self.line(&format!("{name}_count"), &[(label, text)], count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_counted_is_shown_with_its_labels() {
        let metrics = Metrics::default();
        let meter = metrics.source("a\"b");
        meter.stored(anabranch_record::Amount::new(3, 30), Duration::from_millis(2));
        let text = render(&metrics, &Seen::default(), (5, 10));
        assert!(
            text.contains("anabranch_source_stored_records_total{source=\"a\\\"b\"} 3\n"),
            "{text}"
        );
        assert!(
            text.contains("anabranch_read_to_append_seconds_count{source=\"a\\\"b\"} 3\n"),
            "{text}"
        );
        assert!(text.contains("anabranch_queue_bytes 5\n"), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
