//! The `syslog` block of a source.

use std::fmt;
use std::net::SocketAddr;
use std::net::ToSocketAddrs as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

use crate::ByteSize;
use crate::contract::build::BuildError;
use crate::shared::stream::activation;
use crate::shared::stream::allow::Network;
use crate::shared::stream::tls::TlsConfig;

/// Largest `max_message_bytes`.
const MESSAGE_MAX: ByteSize = ByteSize::mib(64);

/// What an address begins with that is the name of a socket of systemd, for TLS.
const PASSED_TLS: &str = "systemd+tls:";

/// The port of syslog over TLS (RFC 5425, 4.1).
const TLS_PORT: u16 = 6514;

/// The `syslog` block of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Where to listen: `udp://HOST:PORT`, `tcp://HOST:PORT`, `tls://HOST[:PORT]` (RFC 5425), `unix:///PATH` (stream),
    /// `unixgram:///PATH`, `systemd:NAME`, `systemd+tls:NAME`.
    pub listen: Vec<Listen>,
    /// Longer messages are cut into marked pieces.
    #[serde(default = "SourceConfig::max_message_bytes")]
    pub max_message_bytes: ByteSize,
    /// What the kernel may hold for each UDP socket before it drops. More than `net.core.rmem_max` needs
    /// `CAP_NET_ADMIN`.
    #[serde(default = "SourceConfig::receive_buffer")]
    pub receive_buffer: ByteSize,
    /// Most connections at a time, over all stream listeners; further ones wait to be accepted.
    #[serde(default = "SourceConfig::max_connections")]
    pub max_connections: usize,
    /// Connections that are silent for so long are closed; `null` is never.
    #[serde(default = "SourceConfig::idle_timeout", with = "humantime_serde")]
    pub idle_timeout: Option<Duration>,
    /// Sockets for each UDP address, among which the kernel spreads the senders.
    #[serde(default = "SourceConfig::udp_sockets")]
    pub udp_sockets: usize,
    /// Permissions of unix sockets, octal.
    #[serde(default = "SourceConfig::socket_mode")]
    pub socket_mode: String,
    /// Certificates of the `tls://` addresses.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Addresses and networks that may connect and whose datagrams are taken; empty: all.
    #[serde(default)]
    pub allow: Vec<Network>,
    /// Connections of TCP begin with the header of a proxy, which says for whom they are.
    #[serde(default)]
    pub proxy_protocol: bool,
}

impl SourceConfig {
    /// With its defaults.
    #[must_use]
    pub fn new(listen: Vec<Listen>) -> Self {
        Self {
            listen,
            max_message_bytes: Self::max_message_bytes(),
            receive_buffer: Self::receive_buffer(),
            max_connections: Self::max_connections(),
            idle_timeout: Self::idle_timeout(),
            udp_sockets: Self::udp_sockets(),
            socket_mode: Self::socket_mode(),
            tls: None,
            allow: Vec::new(),
            proxy_protocol: false,
        }
    }

    const fn max_message_bytes() -> ByteSize {
        ByteSize::kib(64)
    }

    const fn receive_buffer() -> ByteSize {
        ByteSize::mib(8)
    }

    const fn max_connections() -> usize {
        1024
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what the setting is when it is left out")]
    const fn idle_timeout() -> Option<Duration> {
        Some(Duration::from_secs(3600))
    }

    const fn udp_sockets() -> usize {
        2
    }

    fn socket_mode() -> String {
        "0666".to_owned()
    }

    /// The permissions as a number.
    pub(super) fn mode(&self) -> Option<u32> {
        u32::from_str_radix(&self.socket_mode, 8).ok().filter(|mode| *mode <= 0o777)
    }

    /// Looks for settings that cannot work.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let wrong = |setting, problem: String, hint| Err(BuildError { setting, problem, hint });
        if self.listen.is_empty() {
            return wrong("listen", "is empty".to_owned(), "name an address: udp://0.0.0.0:514");
        }
        if self.max_message_bytes.0 == 0 || self.max_message_bytes > MESSAGE_MAX {
            let problem = format!("is {}", self.max_message_bytes);
            return wrong("max_message_bytes", problem, "set 1 byte to 64MiB");
        }
        if self.max_connections == 0 {
            return wrong("max_connections", "is 0".to_owned(), "set 1 or more");
        }
        if !(1..=64).contains(&self.udp_sockets) {
            return wrong("udp_sockets", format!("is {}", self.udp_sockets), "set 1 to 64");
        }
        if self.mode().is_none() {
            let problem = format!("is \"{}\"", self.socket_mode);
            return wrong(
                "socket_mode",
                problem,
                "set an octal number in quotes, such as \"0660\"",
            );
        }
        let has = |kind: fn(&Listen) -> bool| self.listen.iter().any(kind);
        match (has(Listen::is_tls), &self.tls) {
            (true, None) => {
                let problem = "is missing, and `listen` has a tls:// address".to_owned();
                return wrong("tls", problem, "add tls: { certificate: FILE, key: FILE }");
            }
            (false, Some(_)) => {
                let problem = "is there, and `listen` has no tls:// address".to_owned();
                return wrong("tls", problem, "write tls://HOST:6514 in `listen`, or remove tls");
            }
            _ => {}
        }
        if self.proxy_protocol && !has(Listen::is_tcp) {
            let problem = "is set, and `listen` has no address of TCP".to_owned();
            return wrong("proxy_protocol", problem, "add a tcp:// address, or remove it");
        }
        Ok(())
    }
}

/// One address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// `udp://HOST:PORT`
    Udp(String),
    /// `tcp://HOST:PORT`
    Tcp(String),
    /// `tls://HOST:PORT`, where the port may be left out
    Tls(String),
    /// `unix:///PATH`, connections
    Unix(PathBuf),
    /// `unixgram:///PATH`, datagrams
    Unixgram(PathBuf),
    /// `systemd:NAME`, whatever sockets systemd has opened of that name
    Passed(String),
    /// `systemd+tls:NAME`, of TCP and with TLS
    PassedTls(String),
}

impl Listen {
    /// Whether connections there are of TLS.
    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::PassedTls(_))
    }

    /// Whether connections of TCP come there, as far as can be known.
    const fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Tls(_) | Self::Passed(_) | Self::PassedTls(_))
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || {
            format!(
                "\"{text}\" is no address to listen on; write udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, \
                 unixgram:///PATH or systemd:NAME"
            )
        };
        if let Some(name) = activation::name(text) {
            return Ok(Self::Passed(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix(PASSED_TLS).filter(|name| !name.contains([':', '/']))
        {
            return Ok(Self::PassedTls(name.to_owned()));
        }
        let (scheme, place) = text.split_once("://").ok_or_else(problem)?;
        let port = place.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        let has_port = matches!(port, Some(Ok(_)));
        if has_port && place.starts_with(':') {
            return Err(format!(
                "\"{text}\" has no host; write {scheme}://0.0.0.0{place} for every address of the machine"
            ));
        }
        if scheme == "tls" && port.is_none() && !place.is_empty() {
            return Ok(Self::Tls(format!("{place}:{TLS_PORT}")));
        }
        match scheme {
            "tls" if has_port => Ok(Self::Tls(place.to_owned())),
            "udp" if has_port => Ok(Self::Udp(place.to_owned())),
            "tcp" if has_port => Ok(Self::Tcp(place.to_owned())),
            "unix" if place.starts_with('/') => Ok(Self::Unix(place.into())),
            "unixgram" if place.starts_with('/') => Ok(Self::Unixgram(place.into())),
            _ => Err(problem()),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(place) => write!(out, "udp://{place}"),
            Self::Tcp(place) => write!(out, "tcp://{place}"),
            Self::Tls(place) => write!(out, "tls://{place}"),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Unixgram(path) => write!(out, "unixgram:{}", path.display()),
            Self::Passed(name) => write!(out, "systemd:{name}"),
            Self::PassedTls(name) => write!(out, "{PASSED_TLS}{name}"),
        }
    }
}

/// The first address of `HOST:PORT`.
pub(super) fn resolve(place: &str) -> std::io::Result<SocketAddr> {
    let mut addresses = place.to_socket_addrs()?;
    addresses.next().ok_or_else(|| std::io::Error::other("the name has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::settings::SourceSettings as _;

    #[test]
    fn addresses_are_read_with_their_scheme() {
        for text in ["udp://0.0.0.0:514", "tcp://[::]:601", "tcp://localhost:0", "tls://a:1"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
        assert_eq!("tls://0.0.0.0".parse(), Ok(Listen::Tls("0.0.0.0:6514".to_owned())));
        assert_eq!("systemd:net".parse(), Ok(Listen::Passed("net".to_owned())));
        let passed = "systemd+tls:net".parse::<Listen>().unwrap();
        assert!(passed.is_tls() && passed.to_string() == "systemd+tls:net");
        assert_eq!("unix:///run/a.sock".parse(), Ok(Listen::Unix("/run/a.sock".into())));
        assert_eq!("unixgram:///dev/log".parse(), Ok(Listen::Unixgram("/dev/log".into())));
        let problem = "udp://:514".parse::<Listen>().unwrap_err();
        assert!(problem.contains("write udp://0.0.0.0:514"), "{problem}");
        for text in
            ["0.0.0.0:514", "udp://0.0.0.0", "tls://", "unix://a", "tcp://a:99999", "systemd:", ""]
        {
            let problem = text.parse::<Listen>().unwrap_err();
            assert!(problem.contains("is no address to listen on"), "{problem}");
        }
    }

    #[test]
    fn settings_have_their_defaults_and_unknown_ones_are_errors() {
        let config: SourceConfig = serde_json::from_str(
            r#"{"listen": ["udp://0.0.0.0:514", "unixgram:///dev/log"], "idle_timeout": "5m"}"#,
        )
        .unwrap();
        let log = Listen::Unixgram("/dev/log".into());
        let mut expected = SourceConfig::new(vec![Listen::Udp("0.0.0.0:514".to_owned()), log]);
        expected.idle_timeout = Some(Duration::from_secs(300));
        assert_eq!(config, expected);
        assert_eq!(config.listens(), ["udp://0.0.0.0:514", "unix:/dev/log"]);
        assert!(serde_json::from_str::<SourceConfig>(r#"{"listen": [], "port": 1}"#).is_err());
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let good = SourceConfig::new(vec![Listen::Udp("0.0.0.0:0".to_owned())]);
        assert_eq!(good.check(), Ok(()));
        let tls = Some(TlsConfig { certificate: "c".into(), key: "k".into(), client_ca: None });
        for (setting, config) in [
            ("listen", SourceConfig::new(Vec::new())),
            ("max_message_bytes", SourceConfig { max_message_bytes: ByteSize(0), ..good.clone() }),
            ("max_connections", SourceConfig { max_connections: 0, ..good.clone() }),
            ("udp_sockets", SourceConfig { udp_sockets: 65, ..good.clone() }),
            ("socket_mode", SourceConfig { socket_mode: "rw".to_owned(), ..good.clone() }),
            ("tls", SourceConfig::new(vec![Listen::Tls("0.0.0.0:0".to_owned())])),
            ("tls", SourceConfig { tls, ..good.clone() }),
            ("proxy_protocol", SourceConfig { proxy_protocol: true, ..good }),
        ] {
            assert_eq!(config.check().unwrap_err().setting, setting);
        }
    }
}
