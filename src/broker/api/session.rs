//! Who is at the other end of a connection, and one request of theirs.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use kafka_protocol::messages::ApiKey;
use parking_lot::Mutex;

use crate::auth;
use crate::auth::acl::{Operation, Resource, ResourceType};
use crate::auth::sasl::SaslServer;
use crate::broker::Broker;
use crate::broker::security::Security;
use crate::hub::embedded::Embedded;

/// "Not told", where operations that a client may do were not asked for.
pub(super) const NOT_TOLD: i32 = i32::MIN;

/// One connection.
#[derive(Debug)]
pub(in crate::broker) struct Session {
    pub(super) broker: Arc<Broker>,
    pub(super) peer: SocketAddr,
    /// Host and port that clients are told to connect to.
    pub(super) advertised: (String, u16),
    pub(super) security: Arc<Security>,
    pub(super) login: Mutex<Login>,
    /// Who it is, once that is known; it stays so.
    principal: OnceLock<String>,
}

impl Session {
    /// A connection with the principal of its certificate, if it has shown one; a listener that asks for passwords
    /// waits for who logs in.
    pub(in crate::broker) fn new(
        broker: Arc<Broker>,
        security: Arc<Security>,
        (peer, advertised): (SocketAddr, (String, u16)),
        certificate: Option<String>,
    ) -> Self {
        let principal = OnceLock::new();
        if security.sasl.is_none() {
            let name = certificate.unwrap_or_else(|| auth::ANONYMOUS.to_owned());
            principal.get_or_init(|| name);
        }
        let login = Mutex::new(Login::default());
        Self { broker, peer, advertised, security, login, principal }
    }

    /// Whether it is known who the client is; until then it can do nothing but log in.
    pub(in crate::broker) fn is_known(&self) -> bool {
        self.principal.get().is_some()
    }

    /// Lets the client in.
    pub(super) fn admit(&self, principal: String) {
        self.principal.get_or_init(|| principal);
    }

    /// Takes the state of the login; the caller puts back what follows from it.
    pub(super) fn take_login(&self) -> Login {
        std::mem::take(&mut *self.login.lock())
    }

    pub(super) fn set_login(&self, login: Login) {
        *self.login.lock() = login;
    }

    fn principal(&self) -> &str {
        self.principal.get().map_or(auth::ANONYMOUS, String::as_str)
    }
}

/// How far a client has got with logging in.
#[derive(Debug, Default)]
pub(in crate::broker) enum Login {
    /// It has not said by which mechanism.
    #[default]
    Unbegun,
    /// It exchanges messages of a mechanism, without headers if they are raw.
    Exchange { server: Box<SaslServer>, raw: bool },
    /// It has failed, or is in.
    Over,
}

/// One request.
#[derive(Debug)]
pub(in crate::broker) struct Call {
    pub(super) session: Arc<Session>,
    pub(super) key: ApiKey,
    pub(super) version: i16,
    /// The version by which it is decoded and its answer is encoded.
    pub(super) coded: i16,
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

    /// Whether the client may do that, by the rules as they are now.
    pub(super) fn may(&self, operation: Operation, resource: Resource<'_>) -> bool {
        let principal = self.session.principal();
        let allowed = self.broker().access().allows(principal, operation, resource);
        if !allowed {
            let (operation, kind) = (operation.name(), resource.kind.name());
            tracing::debug!(principal, operation, kind, name = resource.name, "denied to a client");
        }
        allowed
    }

    /// Whether the client may do that with anything of this type.
    pub(super) fn may_some(&self, operation: Operation, kind: ResourceType) -> bool {
        self.broker().access().allows_some(self.session.principal(), operation, kind)
    }

    /// What the client may do, as bits, if it has `asked`; nothing where it may not even look.
    pub(super) fn authorized(&self, asked: bool, resource: Resource<'_>) -> i32 {
        let (access, principal) = (self.broker().access(), self.session.principal());
        match asked {
            false => NOT_TOLD,
            true if access.allows(principal, Operation::Describe, resource) => {
                access.authorized_operations(principal, resource)
            }
            true => 0,
        }
    }
}
