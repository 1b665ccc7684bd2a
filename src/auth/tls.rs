//! TLS of one of the hub's listeners: that of every listener, and the principal in the certificate of a client.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anabranch_connectors::shared::stream::tls;
use parking_lot::RwLock;
use rustls::ServerConnection;
use serde::Deserialize;

use super::{Refused, USER_PREFIX, subject};

/// The block `tls` of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The listener's certificate (PEM) and those between it and a root.
    pub certificate: PathBuf,
    /// Its key (PEM).
    pub key: PathBuf,
    /// Roots (PEM) that the certificates of clients must lead to; `None`: clients need none.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// What of a client's certificate is its principal.
    #[serde(default)]
    pub principal: PrincipalPart,
}

impl TlsConfig {
    /// What every listener has of it.
    fn shared(&self) -> tls::TlsConfig {
        tls::TlsConfig {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
        }
    }

    /// Reads every file; gives all that is wrong.
    pub(crate) fn faults(&self) -> Vec<Refused> {
        self.shared().faults().into_iter().map(Refused::from).collect()
    }
}

/// What of a client's certificate is its principal, behind `User:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalPart {
    /// The whole subject, as in Kafka: `CN=alice,O=example`.
    #[default]
    Subject,
    /// The common name alone: `alice`.
    CommonName,
}

/// What accepts TLS at one listener.
#[derive(Debug)]
pub(crate) struct Tls {
    shared: Arc<tls::Tls>,
    principal: RwLock<PrincipalPart>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Refused`] names the file that is missing or wrong, or says that the key is another one's.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, Refused> {
        let shared = Arc::new(tls::Tls::load(&config.shared())?);
        Ok(Self { shared, principal: RwLock::new(config.principal) })
    }

    /// Reads the files anew, for connections from now on.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was loaded before stays.
    pub(crate) fn reload(&self, config: &TlsConfig) -> Result<(), Refused> {
        self.shared.reload(&config.shared())?;
        *self.principal.write() = config.principal;
        Ok(())
    }

    /// What shakes hands.
    pub(crate) const fn shared(&self) -> &Arc<tls::Tls> {
        &self.shared
    }

    /// The principal in the certificate that the client has shown; `None` when it has shown none.
    ///
    /// # Errors
    /// A certificate that cannot be read, or whose subject names nobody.
    pub(crate) fn principal(&self, connection: &ServerConnection) -> io::Result<Option<String>> {
        let Some(certificate) = connection.peer_certificates().and_then(<[_]>::first) else {
            return Ok(None);
        };
        let certificate = webpki::EndEntityCert::try_from(certificate).map_err(io::Error::other)?;
        let part = *self.principal.read();
        let name = match part {
            PrincipalPart::Subject => subject::distinguished_name(certificate.subject()),
            PrincipalPart::CommonName => subject::common_name(certificate.subject()),
        };
        let nobody = || io::Error::other("the subject of the client's certificate names nobody");
        name.map(|name| Some(format!("{USER_PREFIX}{name}"))).ok_or_else(nobody)
    }
}
