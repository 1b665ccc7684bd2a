//! An authority with its certificates, clients with and without one, and connections from addresses of choice.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::support::SOON;

/// A folder with an authority and what it has signed.
pub(super) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// With a certificate `hub` for the agent and one `client` for a client.
    pub(super) fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        let authority = Self { folder: folder.to_owned(), issuer };
        authority.certify("hub");
        authority.certify("client");
        authority
    }

    /// Makes a certificate and its key, or a new one in its place.
    pub(super) fn certify(&self, file: &str) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{file}.pem")), certificate.pem()).unwrap();
        fs::write(self.file(&format!("{file}.key")), key.serialize_pem()).unwrap();
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The block `tls` of a listener, with what else it has.
    pub(super) fn tls(&self, more: &str) -> String {
        let folder = self.folder.display();
        format!("tls: {{ certificate: {folder}/hub.pem, key: {folder}/hub.key{more} }}")
    }

    /// The same that asks clients for certificates.
    pub(super) fn mutual(&self) -> String {
        self.tls(&format!(", client_ca: {}/ca.pem", self.folder.display()))
    }

    /// A connection with TLS, of a client with the certificate `own`, after its hands are shaken.
    ///
    /// # Errors
    /// What went wrong. With TLS 1.3 a client hears only afterwards that its certificate is refused.
    pub(super) fn connect(&self, port: u16, own: Option<&str>) -> std::io::Result<Secured> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let certificate =
                    CertificateDer::from_pem_file(self.file(&format!("{own}.pem"))).unwrap();
                let key = PrivateKeyDer::from_pem_file(self.file(&format!("{own}.key"))).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = StreamOwned::new(connection, plain(port)?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// Sends lines with `openssl s_client`, of a client with the certificate `own`.
    pub(super) fn openssl(&self, port: u16, own: Option<&str>, lines: &str) {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error"]);
        command.args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"]);
        command.arg(self.file("ca.pem"));
        if let Some(own) = own {
            command.arg("-cert").arg(self.file(&format!("{own}.pem")));
            command.arg("-key").arg(self.file(&format!("{own}.key")));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut client = command.spawn().unwrap();
        // One who is refused may be gone before he has read it.
        client.stdin.take().unwrap().write_all(lines.as_bytes()).ok();
        client.wait().unwrap();
    }
}

/// A client's end of a connection with TLS.
pub(super) type Secured = StreamOwned<ClientConnection, TcpStream>;

/// A connection whose reads do not wait for ever.
pub(super) fn plain(port: u16) -> std::io::Result<TcpStream> {
    from("127.0.0.1", port)
}

/// The same from another address of this machine.
pub(super) fn from(address: &str, port: u16) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let own: SocketAddr = format!("{address}:0").parse().unwrap();
    socket.bind(&own.into())?;
    socket.connect(&SocketAddr::from(([127, 0, 0, 1], port)).into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON))?;
    Ok(stream)
}

/// One request of HTTP on a connection that stays open, and the head of its answer.
///
/// # Errors
/// What went wrong, or that there was no answer.
pub(super) fn ask(
    stream: &mut (impl Read + Write),
    request: &str,
    body: &str,
) -> std::io::Result<String> {
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|text| text.lines().next());
    let mut body = vec![0; length.unwrap_or("0").parse().unwrap()];
    stream.read_exact(&mut body)?;
    Ok(head.lines().next().unwrap().to_owned() + " " + &String::from_utf8_lossy(&body))
}

/// A request of Kafka's protocol for the versions that are served, and whether it was answered.
pub(super) fn asks_for_versions(stream: &mut (impl Read + Write)) -> bool {
    // ApiVersions 0 with the correlation id 7 and no client id.
    const REQUEST: &[u8] = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x07\xff\xff";
    let mut head = [0; 8];
    stream.write_all(REQUEST).is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head.ends_with(b"\0\0\0\x07")
}

/// Whether the far side has closed without a word.
pub(super) fn is_closed(stream: &mut impl Read) -> bool {
    !matches!(stream.read(&mut [0]), Ok(1..))
}

/// A source, in its own topic of the same name, with its block.
pub(super) fn source(name: &str, block: &str) -> String {
    format!("  {name}: {{ topic: {name}, from: {{ {block} }} }}\n")
}

/// A sink that writes what comes of each source to `<name>.txt`, with all that is said of it.
pub(super) fn out(folder: &Path, names: &[&str]) -> String {
    format!(
        "sinks:\n  out: {{ topics: [{}], to: {{ file: {{ path: \"{}/{{topic}}.txt\" }} }} }}\n",
        names.join(", "),
        folder.display()
    )
}
