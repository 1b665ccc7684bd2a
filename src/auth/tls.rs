//! TLS of one listener: certificate, key, and with `client_ca` a certificate that every client must have.
//!
//! TLS 1.2 and 1.3. Files are read when it is loaded and when it is reloaded, and never between.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Refused, USER_PREFIX, subject, unreadable};

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
    /// Reads every file; gives all that is wrong.
    pub(crate) fn faults(&self) -> Vec<Refused> {
        let certificate = certificates("certificate", &self.certificate).map(drop);
        let key = private_key(&self.key).map(drop);
        let client_ca =
            self.client_ca.as_deref().map_or(Ok(()), |ca| client_verifier(ca).map(drop));
        let each = [certificate, key, client_ca].into_iter().filter_map(Result::err);
        let faults: Vec<Refused> = each.collect();
        if faults.is_empty() { Tls::load(self).err().into_iter().collect() } else { faults }
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
pub(crate) struct Tls {
    current: RwLock<Loaded>,
}

/// Files that have been read.
#[derive(Clone)]
struct Loaded {
    acceptor: TlsAcceptor,
    principal: PrincipalPart,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Refused`] names the file that is missing or wrong, or says that the key is another one's.
    pub(crate) fn load(config: &TlsConfig) -> Result<Self, Refused> {
        Ok(Self { current: RwLock::new(Loaded::new(config)?) })
    }

    /// Reads the files anew, for connections from now on.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was loaded before stays.
    pub(crate) fn reload(&self, config: &TlsConfig) -> Result<(), Refused> {
        let loaded = Loaded::new(config)?;
        *self.current.write() = loaded;
        Ok(())
    }

    /// Shakes hands; gives the stream and the principal of the client's certificate, if it has shown one. The caller
    /// sets a time limit. Not cancel safe: a stream whose handshake is dropped is closed.
    ///
    /// # Errors
    /// What went wrong in the handshake, or a certificate whose subject names nobody.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<String>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Loaded { acceptor, principal } = self.current.read().clone();
        let stream = acceptor.accept(stream).await?;
        let principal = principal_of(stream.get_ref().1, principal)?;
        Ok((stream, principal))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tls")
    }
}

impl Loaded {
    fn new(config: &TlsConfig) -> Result<Self, Refused> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates = certificates("certificate", &config.certificate)?;
        let key = private_key(&config.key)?;
        let verifier = config.client_ca.as_deref().map(client_verifier).transpose()?;
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(config, &error))?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let server = builder
            .with_single_cert(certificates, key)
            .map_err(|error| unusable(config, &error))?;
        let acceptor = TlsAcceptor::from(Arc::new(server));
        Ok(Self { acceptor, principal: config.principal })
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Refused> {
    let pem = read("key", path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_secret| Refused {
        setting: "key",
        problem: format!("{} has no private key in PEM", path.display()),
        hint: "name a file with a PRIVATE KEY that has no passphrase",
    })
}

fn unusable(config: &TlsConfig, error: &rustls::Error) -> Refused {
    let (certificate, key) = (config.certificate.display(), config.key.display());
    Refused {
        setting: "key",
        problem: format!("{key} and {certificate} do not work together: {error}"),
        hint: "name a certificate and its own key",
    }
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Refused> {
    let refused = |error: String| Refused {
        setting: "client_ca",
        problem: format!("{} has a certificate that cannot be a root: {error}", path.display()),
        hint: "name a file with the certificates of authorities",
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca", path)? {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refused(error.to_string()))
}

fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Refused> {
    let refused = |problem: String| Refused {
        setting,
        problem,
        hint: "name a file with a CERTIFICATE in PEM",
    };
    let pem = read(setting, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let at = path.display();
    let found = found.map_err(|error| refused(format!("{at} is not PEM: {error}")))?;
    if found.is_empty() {
        return Err(refused(format!("{at} has no certificate in PEM")));
    }
    Ok(found)
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, Refused> {
    fs::read(path).map_err(|cause| unreadable(setting, path, &cause))
}

/// The principal in the certificate that the client has shown; `None` when it has shown none.
fn principal_of(connection: &ServerConnection, part: PrincipalPart) -> io::Result<Option<String>> {
    let Some(certificate) = connection.peer_certificates().and_then(<[_]>::first) else {
        return Ok(None);
    };
    let certificate = webpki::EndEntityCert::try_from(certificate).map_err(io::Error::other)?;
    let name = match part {
        PrincipalPart::Subject => subject::distinguished_name(certificate.subject()),
        PrincipalPart::CommonName => subject::common_name(certificate.subject()),
    };
    let nobody = || io::Error::other("the subject of the client's certificate names nobody");
    name.map(|name| Some(format!("{USER_PREFIX}{name}"))).ok_or_else(nobody)
}
