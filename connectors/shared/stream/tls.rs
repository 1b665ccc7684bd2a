//! TLS of a listener: certificate, key, and with `client_ca` a certificate that every client must have.
//!
//! TLS 1.2 and 1.3. Files are read when it is loaded and when it is reloaded, and never between.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Weak};

use parking_lot::{Mutex, RwLock};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::contract::build::BuildError;

/// What is loaded by [`Tls::kept`], so that [`renew`] finds it.
static KEPT: LazyLock<Mutex<Vec<Kept>>> = LazyLock::new(Mutex::default);

struct Kept {
    /// The block that `tls` stands in.
    block: String,
    config: TlsConfig,
    tls: Weak<Tls>,
}

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
}

impl TlsConfig {
    /// Reads every file; gives all that is wrong, each with its setting such as `tls.key`.
    #[must_use]
    pub fn faults(&self) -> Vec<BuildError> {
        let certificate = certificates(CERTIFICATE, &self.certificate).map(drop);
        let key = private_key(&self.key).map(drop);
        let client_ca =
            self.client_ca.as_deref().map_or(Ok(()), |ca| client_verifier(ca).map(drop));
        let each = [certificate, key, client_ca].into_iter().filter_map(Result::err);
        let faults: Vec<BuildError> = each.collect();
        if faults.is_empty() { Tls::load(self).err().into_iter().collect() } else { faults }
    }
}

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "tls.client_ca";

/// What accepts TLS at one listener.
pub struct Tls {
    current: RwLock<TlsAcceptor>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`BuildError`] names the file that is missing or wrong, or says that the key is another one's; its setting is such
    /// as `tls.key`.
    pub fn load(config: &TlsConfig) -> Result<Self, BuildError> {
        Ok(Self { current: RwLock::new(acceptor(config)?) })
    }

    /// The same for a listener that stays as it is over a reload of the configuration: [`renew`] reads its files anew.
    /// `block` is where `tls` stands, such as `sources.web.from.http`.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn kept(config: &TlsConfig, block: impl Into<String>) -> Result<Arc<Self>, BuildError> {
        let tls = Arc::new(Self::load(config)?);
        let (block, config) = (block.into(), config.clone());
        let mut kept = KEPT.lock();
        kept.retain(|kept| kept.tls.strong_count() > 0);
        kept.push(Kept { block, config, tls: Arc::downgrade(&tls) });
        Ok(tls)
    }

    /// Reads the files anew, for connections from now on.
    ///
    /// # Errors
    /// As [`Tls::load`]; what was loaded before stays.
    pub fn reload(&self, config: &TlsConfig) -> Result<(), BuildError> {
        let acceptor = acceptor(config)?;
        *self.current.write() = acceptor;
        Ok(())
    }

    /// Shakes hands. The caller sets a time limit. Not cancel safe: a stream whose handshake is dropped is closed.
    ///
    /// # Errors
    /// What went wrong in the handshake.
    pub async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = self.current.read().clone();
        acceptor.accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tls")
    }
}

/// Reads anew what every listener of the process was given that [`Tls::kept`] has loaded; reads files, so not on the
/// runtime's threads. Gives what could not be read, each with its setting; there all stays as it was.
#[must_use]
pub fn renew() -> Vec<String> {
    let mut kept = KEPT.lock();
    kept.retain(|kept| kept.tls.strong_count() > 0);
    let failed = kept.iter().filter_map(|Kept { block, config, tls }| {
        let BuildError { setting, problem, hint } = tls.upgrade()?.reload(config).err()?;
        Some(format!("{block}.{setting}: {problem}; {hint}"))
    });
    failed.collect()
}

fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, BuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificates = certificates(CERTIFICATE, &config.certificate)?;
    let key = private_key(&config.key)?;
    let verifier = config.client_ca.as_deref().map(client_verifier).transpose()?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(config, &error))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let server =
        builder.with_single_cert(certificates, key).map_err(|error| unusable(config, &error))?;
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, BuildError> {
    let pem = read(KEY, path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_secret| BuildError {
        setting: KEY,
        problem: format!("{} has no private key in PEM", path.display()),
        hint: "name a file with a PRIVATE KEY that has no passphrase",
    })
}

fn unusable(config: &TlsConfig, error: &rustls::Error) -> BuildError {
    let (certificate, key) = (config.certificate.display(), config.key.display());
    BuildError {
        setting: KEY,
        problem: format!("{key} and {certificate} do not work together: {error}"),
        hint: "name a certificate and its own key",
    }
}

fn client_verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, BuildError> {
    let refused = |error: String| BuildError {
        setting: CLIENT_CA,
        problem: format!("{} has a certificate that cannot be a root: {error}", path.display()),
        hint: "name a file with the certificates of authorities",
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, path)? {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| refused(error.to_string()))
}

fn certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, BuildError> {
    let refused = |problem: String| BuildError {
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

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, BuildError> {
    fs::read(path).map_err(|cause| unreadable(setting, path, &cause))
}

/// A file that cannot be read.
fn unreadable(setting: &'static str, path: &Path, cause: &io::Error) -> BuildError {
    let cause = if cause.kind() == io::ErrorKind::NotFound {
        "no such file".to_owned()
    } else {
        cause.to_string()
    };
    BuildError {
        setting,
        problem: format!("cannot read {}: {cause}", path.display()),
        hint: "name a file that the agent's user can read",
    }
}
