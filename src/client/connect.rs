//! From a description of a hub to the hub.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{ClientError, ProducerSettings};
use crate::hub::embedded::{Embedded, Settings};
use crate::hub::kafka::{self, Kafka};
use crate::hub::{Hub, HubError};

/// Which hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The log in a data folder, which then belongs to this process alone; made when it is not there.
    Embedded(PathBuf),
    /// A Kafka cluster.
    Kafka {
        /// `host:port` of some of its brokers.
        bootstrap: Vec<String>,
        /// Properties of librdkafka, such as `security.protocol`.
        options: BTreeMap<String, String>,
    },
}

impl Connection {
    /// A Kafka cluster at `bootstrap`, several brokers separated by commas.
    #[must_use]
    pub fn kafka(bootstrap: &str) -> Self {
        let bootstrap = bootstrap.split(',').map(|broker| broker.trim().to_owned()).collect();
        Self::Kafka { bootstrap, options: BTreeMap::new() }
    }
}

/// A connected hub, shared by any number of producers, consumers and admins. Cheap to clone.
#[derive(Clone)]
pub struct HubHandle {
    hub: Arc<dyn Hub>,
}

impl fmt::Debug for HubHandle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HubHandle").field("state", &self.hub.state()).finish()
    }
}

impl From<Arc<dyn Hub>> for HubHandle {
    fn from(hub: Arc<dyn Hub>) -> Self {
        Self { hub }
    }
}

impl HubHandle {
    /// The hub behind it.
    #[must_use]
    pub fn hub(&self) -> &Arc<dyn Hub> {
        &self.hub
    }

    /// Makes everything durable and lets the hub go. Close producers first.
    pub async fn close(&self) {
        self.hub.close().await;
    }
}

/// Connects with the default settings.
///
/// # Errors
/// [`ClientError::Hub`] when the data folder is in use or cannot be opened, or the brokers' settings cannot be right.
/// A Kafka cluster that is away is no error: what is asked of it then waits.
pub async fn connect(connection: Connection) -> Result<HubHandle, ClientError> {
    connect_with(connection, &ProducerSettings::default()).await
}

/// Connects; `acks`, `compression`, `max_in_flight` and `delivery_timeout` of `settings` hold for all that is
/// produced over this connection.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(
    connection: Connection,
    settings: &ProducerSettings,
) -> Result<HubHandle, ClientError> {
    let settings = settings.clone();
    let opened = tokio::task::spawn_blocking(move || open(connection, &settings)).await;
    let hub = opened.map_err(|error| HubError::Fatal(error.to_string()))??;
    Ok(HubHandle { hub })
}

fn open(connection: Connection, settings: &ProducerSettings) -> Result<Arc<dyn Hub>, HubError> {
    match connection {
        Connection::Embedded(folder) => {
            let hub = Embedded::open(
                Settings {
                    acks: settings.acks,
                    compression: (settings.compression.codec(), None),
                    max_in_flight: settings.max_in_flight,
                    ..Settings::new(folder)
                },
                Arc::default(),
            )?;
            Ok(hub)
        }
        Connection::Kafka { bootstrap, options } => {
            let settings = kafka_settings(bootstrap, options, settings);
            Ok(Kafka::connect(settings)?)
        }
    }
}

/// What brokers see as the name of those who are no agent.
const CLIENT_ID: &str = "anabranch-client";

/// How clients use a cluster: without transactions and positions, which belong to an agent.
#[must_use]
pub(crate) fn kafka_settings(
    bootstrap_servers: Vec<String>,
    options: BTreeMap<String, String>,
    settings: &ProducerSettings,
) -> kafka::Settings {
    kafka::Settings {
        bootstrap_servers,
        options,
        client_id: CLIENT_ID.to_owned(),
        transactional: false,
        positions_topic: String::new(),
        partitions: 1,
        acks: settings.acks,
        compression: format!("{:?}", settings.compression).to_lowercase(),
        linger: settings.linger,
        batch_size: settings.batch_size,
        max_in_flight: u32::try_from(settings.max_in_flight).unwrap_or(u32::MAX),
        delivery_timeout: Some(settings.delivery_timeout),
        ..kafka::Settings::default()
    }
}
