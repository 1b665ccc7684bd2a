//! What librdkafka tells: its log lines, and the records that it could not deliver.

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use tracing::{debug, info, warn};

use crate::hub::HubError;

/// For clients that only ask: keeps what went wrong last, for whoever asks why.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<Option<String>>);

impl Quiet {
    /// Why the cluster at `servers` did not answer: the error, and what was said about a connection last.
    pub(super) fn trouble(&self, servers: &str, error: &KafkaError) -> HubError {
        let last = self.0.lock().clone();
        let last = last.map_or_else(String::new, |last| format!(" ({last})"));
        HubError::NotNow(format!("kafka at {servers}: {error}{last}"))
    }
}

impl ClientContext for Quiet {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility == "FAIL" {
            // In front stands the name of librdkafka's thread.
            let said = message.split_once("]: ").map_or(message, |(_, said)| said);
            *self.0.lock() = Some(said.to_owned());
        }
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka client reports an error");
        // That all are down says less than what was said of each.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.0.lock() = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for Quiet {}

/// Hands one of librdkafka's log lines on.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => warn!(facility, message, "kafka client"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            info!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Debug => debug!(facility, message, "kafka client"),
    }
}

/// A record that was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Undelivered {
    /// The number that it was sent with.
    pub(super) number: usize,
    /// Why.
    pub(super) code: RDKafkaErrorCode,
    /// Where to.
    pub(super) topic: String,
    /// Bytes of key and value.
    pub(super) size: usize,
}

/// For the client that writes: keeps what was not delivered, until it is asked.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<Vec<Undelivered>>);

impl Deliveries {
    /// Whether any record was not delivered.
    pub(super) fn any(&self) -> bool {
        !self.0.lock().is_empty()
    }

    /// What was not delivered since the last call.
    pub(super) fn take(&self) -> Vec<Undelivered> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(%error, reason, "kafka producer reports an error");
    }

    fn generate_oauth_token(
        &self,
        _settings: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        Err("tokens come from \"sasl.oauthbearer.method: oidc\" only".into())
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let Err((error, message)) = result else { return };
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        if matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) {
            return;
        }
        let size = message.payload().map_or(0, <[u8]>::len) + message.key().map_or(0, <[u8]>::len);
        let topic = message.topic().to_owned();
        let mut undelivered = self.0.lock();
        undelivered.push(Undelivered { number, code, topic, size });
    }
}
