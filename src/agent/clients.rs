//! The way to those who talk Kafka's protocol, while it is in use.

use std::sync::Arc;

use crate::broker::{Addresses, Broker, Security};

/// What of the listeners can be replaced while they are in use.
pub(super) struct Clients {
    /// Also without listeners it knows what access control allows.
    pub(super) broker: Arc<Broker>,
    /// By the order of `listeners`.
    pub(super) security: Vec<Arc<Security>>,
    /// Where it listens, for `/health`.
    pub(super) listening: Addresses,
}
