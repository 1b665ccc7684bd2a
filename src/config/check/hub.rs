//! `data_dir`, `hub`, `admin` and `log`.

use anabranch_connectors::ByteSize;
use anabranch_connectors::shared::shown;

use super::address::is_host_port;
use super::findings::Findings;
use super::topic_name::topic_fault;
use crate::config::nearest::nearest;
use crate::config::{Config, EmbeddedConfig, Flush, HubConfig, KafkaConfig};
use crate::hub::kafka::{PROPERTIES, option_faults};

/// Smallest segment; below it the log is mostly files.
const SEGMENT_MIN: ByteSize = ByteSize::mib(1);
/// Largest segment: places in it are 31-bit numbers.
const SEGMENT_MAX: ByteSize = ByteSize((1 << 31) - 1);

pub(super) fn check(config: &Config, findings: &mut Findings) {
    if config.data_dir.as_os_str().is_empty() {
        findings.error(&["data_dir"], "is empty", "write a folder such as ./data");
    }
    match &config.hub {
        HubConfig::Embedded(embedded) => check_embedded(embedded, config, findings),
        HubConfig::Kafka(kafka) => check_kafka(kafka, config, findings),
    }
    super::log::check(&config.log, findings);
}

fn check_embedded(embedded: &EmbeddedConfig, config: &Config, findings: &mut Findings) {
    if let Flush::Every(interval) = embedded.flush
        && interval.is_zero()
    {
        let hint = "write `each` to wait for the disk every time, or a time such as 50ms";
        findings.error(&["hub", "embedded", "flush"], "is 0", hint);
    }
    super::clients::check(embedded, findings);
    super::acls::check(embedded, findings);
    segment(&["hub", "embedded", "segment_size"], embedded.segment_size, config, findings);
    for (name, topic) in &config.topics {
        let own = topic.segment_size != config.topic_defaults.segment_size;
        if let Some(size) = topic.segment_size.filter(|_| own) {
            segment(&["topics", name, "segment_size"], size, config, findings);
        }
    }
    if let Some(size) = config.topic_defaults.segment_size {
        segment(&["topic_defaults", "segment_size"], size, config, findings);
    }
}

fn segment(path: &[&str], size: ByteSize, config: &Config, findings: &mut Findings) {
    if size < SEGMENT_MIN {
        findings.error(path, format!("{size} is too small"), "write at least 1MiB");
    } else if size > SEGMENT_MAX {
        findings.error(path, format!("{size} is too large"), "write less than 2GiB");
    } else if size < config.producer.batch_size {
        let problem = format!("{size} is less than one batch ({})", config.producer.batch_size);
        findings.error(path, problem, "raise it, or lower producer.batch_size");
    }
}

fn check_kafka(kafka: &KafkaConfig, config: &Config, findings: &mut Findings) {
    let path = ["hub", "kafka", "bootstrap_servers"];
    if kafka.bootstrap_servers.is_empty() {
        findings.error(&path, "is empty", "write host:port of at least one broker");
    }
    for (index, server) in kafka.bootstrap_servers.iter().enumerate() {
        let entry = format!("[{index}]");
        if !is_host_port(server) {
            let [hub, kafka, servers] = path;
            let problem = format!("\"{}\" is not host:port", shown::address(server));
            findings.error(
                &[hub, kafka, servers, &entry],
                problem,
                "write, for example, broker-1:9092",
            );
        } else if server.ends_with(":0") {
            let [hub, kafka, servers] = path;
            let hint = "write the port that the broker listens on, such as 9092";
            findings.error(&[hub, kafka, servers, &entry], "nobody listens on port 0", hint);
        }
    }
    if kafka.replication_factor == 0 || kafka.replication_factor < -1 {
        let problem = format!("{} cannot be", kafka.replication_factor);
        let hint = "write 1 or more, or -1 for what the brokers have as default";
        findings.error(&["hub", "kafka", "replication_factor"], problem, hint);
    }
    if kafka.commit_interval.is_zero() {
        let hint = "write a time such as 100ms";
        findings.error(&["hub", "kafka", "commit_interval"], "is 0", hint);
    }
    for fault in option_faults(&kafka.options) {
        let path = ["hub", "kafka", "options", &fault.name];
        let hint = match nearest(&fault.name, PROPERTIES) {
            Some(meant) if fault.is_unknown => format!("did you mean `{meant}`?"),
            _ => fault.hint.to_owned(),
        };
        findings.error(&path, fault.problem, hint);
    }
    let positions = ["hub", "kafka", "positions_topic"];
    if let Some(fault) = topic_fault(&kafka.positions_topic) {
        findings.error(&positions, fault.0, fault.1);
    }
    if config.sources.values().any(|source| source.topic == kafka.positions_topic) {
        let problem = format!("`{}` is a source's topic, too", kafka.positions_topic);
        findings.error(&positions, problem, "give the positions a topic of their own");
    }
    if kafka.transactional && !config.producer.idempotence {
        let hint = "set producer.idempotence: true and producer.acks: all, or transactional: false";
        findings.error(
            &["hub", "kafka", "transactional"],
            "transactions need an idempotent producer",
            hint,
        );
    }
}
