//! How brokers are reached, and who waits for them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::sasl::Sasl;
use super::tls::Tls;

/// How brokers are reached. The names are those of librdkafka's properties.
#[derive(Debug, Clone)]
pub struct Options {
    /// Brokers to begin with, as `host:port`.
    pub bootstrap_servers: Vec<String>,
    /// What the brokers see as the client's name.
    pub client_id: String,
    /// TLS, if the brokers speak it.
    pub tls: Option<Tls>,
    /// How the client says who it is, if it must.
    pub sasl: Option<Sasl>,
    /// Longest wait for a connection, with TLS and SASL.
    pub connect_timeout: Duration,
    /// Longest wait for an answer; then the connection is given up.
    pub request_timeout: Duration,
    /// How long the brokers' word on leaders counts.
    pub metadata_max_age: Duration,
    /// First and longest wait between tries.
    pub retry_backoff: (Duration, Duration),
    /// TCP keep-alive.
    pub keepalive: bool,
    /// Whether small packets wait for more (Nagle's algorithm).
    pub nagle: bool,
    /// The socket's send buffer, bytes; the system's choice when 0.
    pub send_buffer: usize,
    /// The socket's receive buffer, bytes; the system's choice when 0.
    pub receive_buffer: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["127.0.0.1:9092".to_owned()],
            client_id: "anabranch".to_owned(),
            tls: None,
            sasl: None,
            connect_timeout: Duration::from_secs(4),
            request_timeout: Duration::from_secs(30),
            metadata_max_age: Duration::from_secs(300),
            retry_backoff: (Duration::from_millis(50), Duration::from_secs(1)),
            keepalive: true,
            nagle: false,
            send_buffer: 0,
            receive_buffer: 0,
        }
    }
}

/// The one for whom the client waits.
pub trait Patience: Send + Sync {
    /// Whether nothing must be waited for any more.
    fn is_over(&self) -> bool;
    /// Rests for a while, or until waiting must end.
    fn rest(&self, time: Duration);
    /// Hears what keeps the client waiting.
    fn trouble(&self, why: &str);
}

/// Shared by all connections of a client.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) options: Arc<Options>,
    pub(super) patience: Arc<dyn Patience>,
}

impl fmt::Debug for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Context").field("options", &self.options).finish_non_exhaustive()
    }
}
