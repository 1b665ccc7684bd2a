//! Handshakes over a pair of pipes, with certificates made for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsConnector;

use super::tls::{PrincipalPart, Tls, TlsConfig};

/// An authority, and a folder with what it has signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a certificate for `localhost` with this subject; writes `<name>.pem` and `<name>.key`.
    fn sign(&self, name: &str, subject: &[(DnType, &str)]) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    /// A listener with the certificate `name`.
    fn listener(&self, name: &str, client_ca: Option<PathBuf>) -> TlsConfig {
        TlsConfig {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            client_ca,
            principal: PrincipalPart::Subject,
        }
    }

    /// A client that trusts this authority and may have a certificate of its own.
    fn client(&self, own: Option<(&Path, &Path)>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_file(certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        TlsConnector::from(Arc::new(config))
    }
}

/// Connects, sends a word there and back; gives the principal and the certificate that the client was shown.
async fn meet(tls: &Tls, client: TlsConnector) -> Result<(Option<String>, Vec<u8>), String> {
    let (near, far): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
    let serve = async {
        let mut stream = tls.shared().accept(far).await.map_err(|error| error.to_string())?;
        let principal = tls.principal(stream.get_ref().1).map_err(|error| error.to_string())?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await.map_err(|error| error.to_string())?;
        stream.write_all(&word).await.map_err(|error| error.to_string())?;
        stream.flush().await.map_err(|error| error.to_string())?;
        Ok::<_, String>(principal)
    };
    let ask = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = client.connect(name, near).await.map_err(|error| error.to_string())?;
        stream.write_all(b"hello").await.map_err(|error| error.to_string())?;
        let mut word = [0; 5];
        stream.read_exact(&mut word).await.map_err(|error| error.to_string())?;
        let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        Ok::<_, String>((word, shown))
    };
    let (principal, asked) = tokio::join!(serve, ask);
    let (principal, (word, shown)) = (principal?, asked?);
    assert_eq!(&word, b"hello");
    Ok((principal, shown))
}

const ALICE: [(DnType, &str); 3] = [
    (DnType::CountryName, "DE"),
    (DnType::OrganizationName, "Example, Inc."),
    (DnType::CommonName, "alice"),
];

#[tokio::test]
async fn without_client_ca_a_client_needs_no_certificate_and_is_nobody() {
    let authority = Authority::new();
    authority.sign("hub", &[]);
    authority.sign("alice", &ALICE);
    let tls = Tls::load(&authority.listener("hub", None)).unwrap();
    let (principal, _) = meet(&tls, authority.client(None)).await.unwrap();
    assert_eq!(principal, None);
    let (certificate, key) = (authority.path("alice.pem"), authority.path("alice.key"));
    let alice = authority.client(Some((&certificate, &key)));
    assert_eq!(meet(&tls, alice).await.unwrap().0, None);
    let stranger = Authority::new();
    meet(&tls, stranger.client(None)).await.unwrap_err();
}

#[tokio::test]
async fn with_client_ca_only_its_certificates_are_let_in_and_name_the_principal() {
    let authority = Authority::new();
    authority.sign("hub", &[]);
    authority.sign("alice", &ALICE);
    authority.sign("nobody", &[]);
    let mut config = authority.listener("hub", Some(authority.path("ca.pem")));
    let tls = Tls::load(&config).unwrap();
    let own = |from: &Authority, name: &str| {
        let files = ["pem", "key"].map(|end| from.path(&format!("{name}.{end}")));
        authority.client(Some((&files[0], &files[1])))
    };
    let principal = meet(&tls, own(&authority, "alice")).await.unwrap().0;
    assert_eq!(principal.as_deref(), Some("User:CN=alice,O=Example\\, Inc.,C=DE"));
    config.principal = PrincipalPart::CommonName;
    tls.reload(&config).unwrap();
    let principal = meet(&tls, own(&authority, "alice")).await.unwrap().0;
    assert_eq!(principal.as_deref(), Some("User:alice"));

    let refused = meet(&tls, own(&authority, "nobody")).await.unwrap_err();
    assert_eq!(refused, "the subject of the client's certificate names nobody");
    meet(&tls, authority.client(None)).await.unwrap_err();
    let stranger = Authority::new();
    stranger.sign("alice", &ALICE);
    meet(&tls, own(&stranger, "alice")).await.unwrap_err();
}

#[tokio::test]
async fn a_reload_serves_the_new_certificate_and_a_wrong_one_keeps_the_old() {
    let authority = Authority::new();
    authority.sign("hub", &[]);
    let config = authority.listener("hub", None);
    let tls = Tls::load(&config).unwrap();
    let (_, first) = meet(&tls, authority.client(None)).await.unwrap();
    authority.sign("hub", &[]);
    let (_, unread) = meet(&tls, authority.client(None)).await.unwrap();
    assert_eq!(unread, first);
    tls.reload(&config).unwrap();
    let (_, second) = meet(&tls, authority.client(None)).await.unwrap();
    assert_ne!(second, first);
    fs::write(&config.certificate, "half a certif").unwrap();
    let refused = tls.reload(&config).unwrap_err();
    assert_eq!(refused.setting, "certificate");
    let (_, third) = meet(&tls, authority.client(None)).await.unwrap();
    assert_eq!(third, second);
}

#[test]
fn files_that_cannot_be_used_are_told_by_setting_and_name() {
    let authority = Authority::new();
    authority.sign("hub", &[]);
    authority.sign("other", &[]);
    fs::write(authority.path("text"), "not PEM\n").unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(authority.path("broken.pem"), broken).unwrap();
    let with = |change: &dyn Fn(&mut TlsConfig)| {
        let mut config = authority.listener("hub", Some(authority.path("ca.pem")));
        change(&mut config);
        let refused = Tls::load(&config).unwrap_err();
        assert_eq!(config.faults(), std::slice::from_ref(&refused));
        let folder = format!("{}/", authority.folder.path().display());
        (refused.setting, refused.problem.replace(&folder, ""))
    };
    let gone = |name: &str| format!("cannot read {name}: no such file");
    let found = with(&|config| config.certificate = authority.path("gone"));
    assert_eq!(found, ("certificate", gone("gone")));
    let found = with(&|config| config.certificate = authority.path("text"));
    assert_eq!(found, ("certificate", "text has no certificate in PEM".to_owned()));
    let found = with(&|config| config.key = authority.path("gone"));
    assert_eq!(found, ("key", gone("gone")));
    let found = with(&|config| config.key = authority.path("hub.pem"));
    assert_eq!(found, ("key", "hub.pem has no private key in PEM".to_owned()));
    let (setting, problem) = with(&|config| config.key = authority.path("other.key"));
    assert_eq!(setting, "key");
    assert!(problem.starts_with("other.key and hub.pem do not work together: "), "{problem}");
    let found = with(&|config| config.client_ca = Some(authority.path("text")));
    assert_eq!(found, ("client_ca", "text has no certificate in PEM".to_owned()));
    let (setting, problem) = with(&|config| config.client_ca = Some(authority.path("broken.pem")));
    assert_eq!(setting, "client_ca");
    assert!(problem.starts_with("broken.pem has a certificate that cannot be a root"), "{problem}");
    let mut config = authority.listener("gone", Some(authority.path("text")));
    let settings = |config: &TlsConfig| -> Vec<&str> {
        config.faults().iter().map(|fault| fault.setting).collect()
    };
    assert_eq!(settings(&config), ["certificate", "key", "client_ca"]);
    config = authority.listener("hub", None);
    assert_eq!(settings(&config), [""; 0]);
}
