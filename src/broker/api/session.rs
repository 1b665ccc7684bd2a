//! Who is at the other end of a connection, and one request of theirs.

use std::net::SocketAddr;
use std::sync::Arc;

use kafka_protocol::messages::ApiKey;

use crate::broker::Broker;
use crate::hub::embedded::Embedded;

/// One connection.
#[derive(Debug)]
pub(in crate::broker) struct Session {
    pub(super) broker: Arc<Broker>,
    pub(super) peer: SocketAddr,
    /// Host and port that clients are told to connect to.
    pub(super) advertised: (String, u16),
}

impl Session {
    pub(in crate::broker) const fn new(
        broker: Arc<Broker>,
        peer: SocketAddr,
        advertised: (String, u16),
    ) -> Self {
        Self { broker, peer, advertised }
    }
}

/// One request.
#[derive(Debug)]
pub(in crate::broker) struct Call {
    pub(super) session: Arc<Session>,
    pub(super) key: ApiKey,
    pub(super) version: i16,
    pub(super) flexible: bool,
    pub(super) correlation: i32,
    pub(super) client_id: String,
}

impl Call {
    pub(super) fn broker(&self) -> &Broker {
        &self.session.broker
    }

    pub(super) fn hub(&self) -> &Embedded {
        &self.session.broker.hub
    }
}
