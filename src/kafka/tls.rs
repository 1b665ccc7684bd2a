//! TLS towards brokers: whom to trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::error::Error;

/// Where systems keep the certificates that they trust.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How TLS is spoken.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(super) config: Arc<ClientConfig>,
}

/// What TLS is told. The names are those of librdkafka's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// `ssl.ca.location`: a PEM file, or a folder of them; the system's when empty.
    pub ca_location: String,
    /// `ssl.ca.pem`: certificates in PEM, in place of a file.
    pub ca_pem: String,
    /// `ssl.certificate.location`: the client's certificate, PEM.
    pub certificate_location: String,
    /// `ssl.key.location`: its key, PEM.
    pub key_location: String,
    /// `enable.ssl.certificate.verification`.
    pub verify: bool,
    /// `ssl.endpoint.identification.algorithm`: whether the broker's name must be in its certificate.
    pub verify_name: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            ca_location: String::new(),
            ca_pem: String::new(),
            certificate_location: String::new(),
            key_location: String::new(),
            verify: true,
            verify_name: true,
        }
    }
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// [`Error::Setting`] names the setting, and what is wrong with it.
    pub fn new(settings: &TlsSettings) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|cause| Error::Setting(format!("TLS: {cause}")))?;
        let roots = roots(settings)?;
        let builder = if settings.verify && settings.verify_name {
            builder.with_root_certificates(roots)
        } else {
            let verifier = Lenient::new(roots, provider, settings.verify)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        };
        let config = if settings.certificate_location.is_empty() {
            builder.with_no_client_auth()
        } else {
            let path = &settings.certificate_location;
            let chain = certificates("ssl.certificate.location", Path::new(path))?;
            let key = PrivateKeyDer::from_pem_file(&settings.key_location)
                .map_err(|cause| unusable("ssl.key.location", &settings.key_location, &cause))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|cause| unusable("ssl.certificate.location", path, &cause))?
        };
        Ok(Self { config: Arc::new(config) })
    }
}

fn unusable(setting: &str, value: &str, cause: &impl ToString) -> Error {
    let cause = cause.to_string();
    Error::Setting(format!("hub.kafka.options \"{setting}\": cannot use {value}: {cause}"))
}

fn roots(settings: &TlsSettings) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    if !settings.ca_pem.is_empty() {
        let all: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(settings.ca_pem.as_bytes()).collect();
        let all = all.map_err(|cause| unusable("ssl.ca.pem", "it", &cause))?;
        add(&mut roots, all, "ssl.ca.pem", "it")?;
        return Ok(roots);
    }
    let location = &settings.ca_location;
    if !location.is_empty() && location != "probe" {
        for file in files(Path::new(location))
            .map_err(|cause| unusable("ssl.ca.location", location, &cause))?
        {
            let all = certificates("ssl.ca.location", &file)?;
            add(&mut roots, all, "ssl.ca.location", location)?;
        }
        return Ok(roots);
    }
    for bundle in SYSTEM_BUNDLES.map(Path::new).into_iter().filter(|bundle| bundle.exists()) {
        let (added, _strange) =
            roots.add_parsable_certificates(certificates("ssl.ca.location", bundle)?);
        if added > 0 {
            return Ok(roots);
        }
    }
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    Ok(roots)
}

fn add(
    roots: &mut RootCertStore,
    all: Vec<CertificateDer<'static>>,
    setting: &str,
    value: &str,
) -> Result<(), Error> {
    let (added, _strange) = roots.add_parsable_certificates(all);
    if added == 0 {
        return Err(unusable(setting, value, &"there is no certificate in it"));
    }
    Ok(())
}

/// The file, or the files of the folder.
fn files(location: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    if !location.is_dir() {
        return Ok(vec![location.to_owned()]);
    }
    let entries: Result<Vec<_>, _> = std::fs::read_dir(location)?.collect();
    let files = entries?.into_iter().map(|entry| entry.path()).filter(|path| path.is_file());
    Ok(files.collect())
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    all.map_err(|cause| unusable(setting, &path.display().to_string(), &cause))
}

/// Trusts more than it should, because it was told to.
#[derive(Debug)]
struct Lenient {
    provider: Arc<CryptoProvider>,
    /// Who is believed about the chain; nobody is asked when `None`.
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Lenient {
    fn new(
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
        verify: bool,
    ) -> Result<Self, Error> {
        if !verify {
            return Ok(Self { provider, chain: None });
        }
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|cause| Error::Setting(format!("TLS: {cause}")))?;
        Ok(Self { provider, chain: Some(chain) })
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
