//! From the configuration to the settings of the hub and the producer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::identity;
use super::parts::selectors;
use crate::config::{Config, EmbeddedConfig, HubConfig, KafkaConfig, ProducerConfig, TopicConfig};
use crate::hub::embedded::{self, Embedded};
use crate::hub::kafka::{self, Kafka};
use crate::hub::{Hub, HubError, TopicSelector};
use crate::metrics::Metrics;
use crate::producer;

/// Opens the hub that `config` describes.
///
/// # Errors
/// [`HubError`] when it cannot be opened or reached.
pub async fn open(config: &Config, metrics: Arc<Metrics>) -> Result<Arc<dyn Hub>, HubError> {
    open_both(config, metrics).await.map(|(hub, _)| hub)
}

/// The hub, and once more as what it is if it is embedded.
pub(super) async fn open_both(
    config: &Config,
    metrics: Arc<Metrics>,
) -> Result<(Arc<dyn Hub>, Option<Arc<Embedded>>), HubError> {
    match &config.hub {
        HubConfig::Embedded(embedded) => {
            let hub = open_embedded(settings(config, embedded)?, metrics).await?;
            Ok((Arc::<Embedded>::clone(&hub), Some(hub)))
        }
        HubConfig::Kafka(kafka) => {
            let renewed = Arc::clone(&metrics.hub_renewed);
            let settings = kafka_settings(config, kafka);
            let settings = kafka::Settings { renewed, metrics: Some(metrics), ..settings };
            let connected = tokio::task::spawn_blocking(move || Kafka::connect(settings)).await;
            let hub = connected.map_err(|error| HubError::Fatal(error.to_string()))??;
            Ok((hub, None))
        }
    }
}

async fn open_embedded(
    settings: embedded::Settings,
    metrics: Arc<Metrics>,
) -> Result<Arc<Embedded>, HubError> {
    let opened = tokio::task::spawn_blocking(move || Embedded::open(settings, metrics)).await;
    opened.map_err(|error| HubError::Fatal(error.to_string()))?
}

/// As [`open_both`], but waits while there is no room on the disk: a full disk is a state, also at the start.
pub(super) async fn open_when_there_is_room(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<(Arc<dyn Hub>, Option<Arc<Embedded>>), HubError> {
    if matches!(config.hub, HubConfig::Kafka(_)) {
        identity::keep(config);
    }
    let mut is_told = false;
    loop {
        match open_both(config, Arc::clone(metrics)).await {
            Err(HubError::NotNow(problem)) if matches!(config.hub, HubConfig::Embedded(_)) => {
                if !std::mem::replace(&mut is_told, true) {
                    warn!("cannot start yet, will retry every second: {problem}");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            opened => return opened,
        }
    }
}

/// The settings of an embedded hub.
///
/// # Errors
/// [`HubError::Fatal`] when a sink's topics cannot be understood.
pub fn settings(
    config: &Config,
    embedded: &EmbeddedConfig,
) -> Result<embedded::Settings, HubError> {
    let topic = |topic: &TopicConfig| topic_settings(topic, embedded);
    let topics: BTreeMap<String, embedded::TopicSettings> =
        config.topics.iter().map(|(name, block)| (name.clone(), topic(block))).collect();
    // A pattern that does not parse was refused when the configuration was checked.
    for name in config.sinks.keys() {
        selectors(name, config)?;
    }
    Ok(embedded::Settings {
        data_dir: config.data_dir.clone(),
        flush: embedded.flush,
        min_free: embedded.min_free.0,
        acks: config.producer.acks,
        max_in_flight: usize::try_from(config.producer.max_in_flight).unwrap_or(usize::MAX),
        compression: (config.producer.compression.codec(), config.producer.compression_level),
        topic_defaults: topic(&config.topic_defaults),
        topics,
        groups: groups(config),
        group_min_session_timeout: embedded.group_min_session_timeout,
        internal_max_bytes: 16 << 20,
    })
}

/// The groups that retention waits for, and what they read.
pub(super) fn groups(config: &Config) -> Vec<(String, Vec<TopicSelector>)> {
    let group = |name: &String| (name.clone(), selectors(name, config).unwrap_or_default());
    config.sinks.keys().map(group).collect()
}

fn topic_settings(topic: &TopicConfig, embedded: &EmbeddedConfig) -> embedded::TopicSettings {
    embedded::TopicSettings {
        partitions: topic.partitions,
        retention_time: topic.retention.time,
        retention_size: topic.retention.size.map(|size| size.0),
        hard_size: topic.retention.hard_size.map(|size| size.0),
        when_full: topic.retention.when_full,
        segment_size: topic.segment_size.unwrap_or(embedded.segment_size).0,
        cleanup: topic.cleanup,
        ..embedded::TopicSettings::default()
    }
}

/// The settings of the producer.
pub(super) fn producer_settings(config: &ProducerConfig) -> producer::Settings {
    producer::Settings {
        linger: config.linger,
        batch_size: config.batch_size.bytes(),
        retries: config.retries,
        retry_backoff: (config.retry_backoff, config.retry_backoff_max),
        delivery_timeout: config.delivery_timeout,
        partitioner: config.partitioner,
        workers: usize::try_from(config.workers).unwrap_or(usize::MAX),
    }
}

/// The settings of a Kafka hub.
#[must_use]
pub fn kafka_settings(config: &Config, kafka: &KafkaConfig) -> kafka::Settings {
    let partitions = |(name, topic): (&String, &TopicConfig)| (name.clone(), topic.partitions);
    kafka::Settings {
        bootstrap_servers: kafka.bootstrap_servers.clone(),
        options: kafka.options.clone(),
        client_id: "anabranch".to_owned(),
        partitions: config.topic_defaults.partitions,
        topic_partitions: config.topics.iter().map(partitions).collect(),
        replication_factor: kafka.replication_factor,
        positions_topic: kafka.positions_topic.clone(),
        transactional: kafka.transactional,
        transactional_id: identity::of(config),
        acks: config.producer.acks,
        compression: format!("{:?}", config.producer.compression).to_lowercase(),
        linger: config.producer.linger,
        batch_size: config.producer.batch_size.bytes(),
        max_in_flight: config.producer.max_in_flight,
        delivery_timeout: config.producer.delivery_timeout,
        commit_interval: kafka.commit_interval,
        metrics: None,
        renewed: Arc::default(),
    }
}
