//! What the Kafka hub is told, and how that reads in librdkafka's properties.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use tokio::time::Instant;

use crate::hub::Acks;
use crate::metrics::Metrics;

/// How long an open transaction may last before the broker gives it up. It bounds how long readers of committed
/// records wait for an agent that has died and does not come back.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Most requests on their way to one broker with which an idempotent producer keeps order.
const ORDERED_IN_FLIGHT_MAX: u32 = 5;

/// Records that wait in librdkafka; each takes some hundred bytes beside its own.
const QUEUE_RECORDS: &str = "65536";

/// The same in bytes. A single record that does not fit could never be sent.
pub(super) const QUEUE_BYTES: usize = 128 << 20;

/// Everything that the Kafka hub is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Brokers to begin with, as `host:port`.
    pub bootstrap_servers: Vec<String>,
    /// Properties of librdkafka, for every client that is made; they have the last word.
    pub options: BTreeMap<String, String>,
    /// What the brokers see as the client's name.
    pub client_id: String,
    /// Partitions of topics that are made on first use.
    pub partitions: u32,
    /// The same, for single topics.
    pub topic_partitions: BTreeMap<String, u32>,
    /// Replicas of topics that are made on first use; -1 leaves it to the broker.
    pub replication_factor: i32,
    /// The compacted topic that keeps the positions of sources; empty for a client, which has none.
    pub positions_topic: String,
    /// Whether records and positions are stored in transactions; only with [`Acks::All`].
    pub transactional: bool,
    /// Names this agent and no other, the same in each of its lives: its transactions and its positions go by it.
    pub transactional_id: String,
    /// Whose word counts as stored.
    pub acks: Acks,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// How long librdkafka waits for a batch to fill.
    pub linger: Duration,
    /// Largest batch of records, bytes before compression.
    pub batch_size: usize,
    /// Requests on their way to one broker at a time; more than 5 count as 5 when order is promised.
    pub max_in_flight: u32,
    /// How long one try to deliver a record may take; then it is tried again.
    pub delivery_timeout: Option<Duration>,
    /// The time between two commits, unless there is little to commit.
    pub commit_interval: Duration,
    /// Where what is kept of sources is counted on; `None` for who has none.
    pub metrics: Option<Arc<Metrics>>,
    /// Counts clients that were built anew because they made no progress where they could.
    pub renewed: Arc<AtomicU64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["127.0.0.1:9092".to_owned()],
            options: BTreeMap::new(),
            client_id: "anabranch".to_owned(),
            partitions: 4,
            topic_partitions: BTreeMap::new(),
            replication_factor: -1,
            positions_topic: "anabranch-positions".to_owned(),
            transactional: true,
            transactional_id: "anabranch".to_owned(),
            acks: Acks::All,
            compression: "lz4".to_owned(),
            linger: Duration::from_millis(5),
            batch_size: 1 << 20,
            max_in_flight: ORDERED_IN_FLIGHT_MAX,
            delivery_timeout: None,
            commit_interval: Duration::from_millis(100),
            metrics: None,
            renewed: Arc::default(),
        }
    }
}

impl Settings {
    /// Whether appends go in transactions.
    #[must_use]
    pub fn transactions(&self) -> bool {
        self.transactional && self.acks == Acks::All
    }

    /// When a round that begins now is to be closed; the one before was stored at `stored`.
    pub(super) fn due(&self, stored: Instant) -> Instant {
        let lone = Instant::now() + self.linger;
        if self.transactions() { lone.max(stored + self.commit_interval) } else { lone }
    }

    /// Requests on their way to one broker at a time, at least 1, and few enough to keep what order is promised.
    pub(super) fn in_flight(&self) -> usize {
        let in_flight = match self.acks {
            Acks::All => self.max_in_flight.min(ORDERED_IN_FLIGHT_MAX),
            Acks::Leader | Acks::None => self.max_in_flight,
        };
        usize::try_from(in_flight).unwrap_or(usize::MAX).max(1)
    }

    /// How many partitions `topic` is made with.
    pub(super) fn partitions_of(&self, topic: &str) -> u32 {
        if topic == self.positions_topic {
            return 1;
        }
        self.topic_partitions.get(topic).copied().unwrap_or(self.partitions).max(1)
    }

    /// For librdkafka's client that writes.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.common();
        config
            .set("linger.ms", self.linger.as_millis().to_string())
            .set("batch.size", self.batch_size.to_string())
            .set("batch.num.messages", "1000000")
            .set("queue.buffering.max.messages", QUEUE_RECORDS)
            .set("queue.buffering.max.kbytes", (QUEUE_BYTES >> 10).to_string())
            .set("message.max.bytes", "1000000000")
            .set("compression.codec", &self.compression)
            .set("delivery.report.only.error", "true");
        let acks = match self.acks {
            Acks::All => "all",
            Acks::Leader => "1",
            Acks::None => "0",
        };
        config
            .set("acks", acks)
            .set("enable.idempotence", (self.acks == Acks::All).to_string())
            .set("max.in.flight.requests.per.connection", self.in_flight().to_string());
        let mut timeout = self.delivery_timeout.map(|timeout| timeout.as_millis().max(1000));
        if self.transactions() {
            let most = TRANSACTION_TIMEOUT.as_millis();
            timeout = timeout.map(|timeout| timeout.min(most));
            config
                .set("transactional.id", &self.transactional_id)
                .set("transaction.timeout.ms", most.to_string());
        }
        if let Some(timeout) = timeout {
            config.set("message.timeout.ms", timeout.to_string());
        }
        self.with_options(config)
    }

    /// For a member of `group`, or for someone who only looks (an empty name).
    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.common();
        if !group.is_empty() {
            config.set("group.id", group);
        }
        config
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "range")
            .set("session.timeout.ms", "15000")
            // A topic that comes, or gets partitions, is read soon after.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "32768");
        self.with_options(config)
    }

    /// For a client that reads everything there is up to the end, and is told of the end.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.consumer(&format!("{}-reader", self.transactional_id));
        config.set("enable.partition.eof", "true");
        config
    }

    /// For the client that makes and deletes topics.
    pub(super) fn admin(&self) -> ClientConfig {
        self.with_options(self.common())
    }

    fn common(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.bootstrap_servers.join(","))
            .set("client.id", &self.client_id)
            .set("allow.auto.create.topics", "false")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("log.connection.close", "false")
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    fn with_options(&self, mut config: ClientConfig) -> ClientConfig {
        for (name, value) in &self.options {
            config.set(name, value);
        }
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_last_word() {
        let options = [("linger.ms".to_owned(), "77".to_owned())].into();
        let config = Settings { options, ..Settings::default() }.producer();
        assert_eq!(config.get("linger.ms"), Some("77"));
        assert_eq!(config.get("transactional.id"), Some("anabranch"));
    }

    #[test]
    fn weaker_acks_are_neither_transactional_nor_idempotent() {
        let settings = Settings { acks: Acks::Leader, max_in_flight: 9, ..Settings::default() };
        let config = settings.producer();
        assert!(!settings.transactions());
        assert_eq!(config.get("transactional.id"), None);
        assert_eq!(config.get("enable.idempotence"), Some("false"));
        assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("9"));
    }

    #[test]
    fn a_delivery_may_not_outlast_its_transaction() {
        let delivery_timeout = Some(Duration::from_secs(3600));
        let config = Settings { delivery_timeout, ..Settings::default() }.producer();
        assert_eq!(config.get("message.timeout.ms"), Some("60000"));
    }
}
