//! What the program asks of a `syslog` source before it runs.

use super::config::{Listen, SourceConfig};
use super::source::SyslogSource;
use crate::Source;
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::settings::{Card, Described, Doubt, SourceSettings};
use crate::shared::stream::terms::doubt;
use crate::shared::stream::tls::TlsConfig;

impl Described for SourceConfig {
    const CARD: Card = Card {
        also: &["tcp", "udp", "unix", "socket", "rsyslog"],
        settings: &["listen", "address"],
        guarantee: "what had not been stored yet is lost",
    };
}

impl SourceSettings for SourceConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(SyslogSource::new(self.clone(), around)?))
    }

    fn faults(&self) -> Vec<BuildError> {
        self.tls.as_ref().map(TlsConfig::faults).unwrap_or_default()
    }

    fn doubts(&self) -> Vec<Doubt> {
        doubt(self.proxy_protocol, &self.allow).into_iter().collect()
    }

    fn try_it(&self) -> Option<String> {
        let tcp = self.listen.iter().find_map(|listen| match listen {
            Listen::Tcp(address) => Some(address),
            Listen::Udp(_) | Listen::Tls(_) | Listen::Unix(_) | Listen::Unixgram(_) => None,
            Listen::Passed(_) | Listen::PassedTls(_) => None,
        });
        let (host, port) = tcp?.rsplit_once(':')?;
        Some(format!("logger --server {host} --port {port} --tcp --rfc5424 hello"))
    }

    fn listens(&self) -> Vec<String> {
        let name = |listen: &Listen| match listen {
            Listen::Unix(path) | Listen::Unixgram(path) => format!("unix:{}", path.display()),
            Listen::Passed(name) | Listen::PassedTls(name) => format!("systemd:{name}"),
            Listen::Udp(_) | Listen::Tcp(_) | Listen::Tls(_) => listen.to_string(),
        };
        self.listen.iter().map(name).collect()
    }
}
