//! The blocks `admin` and `log`: how the agent is watched.

use anabranch_connectors::contract::secret::Secret;
use anabranch_connectors::shared::stream::activation;
use anabranch_connectors::shared::stream::allow::Network;
use anabranch_connectors::shared::stream::tls::TlsConfig;
use serde::{Deserialize, Deserializer};

use super::units;

/// Health, metrics and the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// `host:port`, `unix:/PATH` or `systemd:NAME` to listen on; `none` switches it off. Health and metrics are here, and the API where
    /// only this machine reaches it.
    #[serde(deserialize_with = "units::text_or_none")]
    pub listen: Option<String>,
    /// Where the API is, beside the socket in the data folder.
    pub api: ApiListen,
    /// What those have who may change something; one is made in the data folder when it is left out.
    pub token: Option<Secret>,
    /// Who those are who use the API, for access control.
    pub principal: String,
    /// Names by which the agent may be asked, beside its addresses and `localhost`.
    pub allowed_hosts: Vec<String>,
    /// Certificates of the addresses `host:port`; `None`: no TLS.
    pub tls: Option<TlsConfig>,
    /// Addresses and networks that may connect to them; empty: all.
    pub allow: Vec<Network>,
    /// Connections to them begin with the header of a proxy, which says for whom they are.
    pub proxy_protocol: bool,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: Some("127.0.0.1:9690".to_owned()),
            api: ApiListen::Auto,
            token: None,
            principal: "User:admin".to_owned(),
            allowed_hosts: Vec::new(),
            tls: None,
            allow: Vec::new(),
            proxy_protocol: false,
        }
    }
}

impl AdminConfig {
    /// Where commands may ask that know the token: `None` where that is not enough, or it is not known where.
    #[must_use]
    pub fn asked_at(&self) -> Option<&str> {
        let address = match &self.api {
            ApiListen::At(address) => address,
            ApiListen::Auto | ApiListen::None => self.listen.as_ref()?,
        };
        let asks_more = self.tls.is_some() || self.proxy_protocol;
        let is_open = address.starts_with("unix:") || !asks_more;
        (is_open && activation::name(address).is_none()).then_some(address)
    }
}

/// Where the API is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiListen {
    /// At `listen`, if only this machine reaches it.
    Auto,
    /// Only at the socket in the data folder.
    None,
    /// At this address, `host:port`, `unix:/PATH` or `systemd:NAME`.
    At(String),
}

impl<'de> Deserialize<'de> for ApiListen {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Ok(match text.as_str() {
            "auto" => Self::Auto,
            "none" => Self::None,
            _ => Self::At(text),
        })
    }
}

/// What the agent says about itself, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,anabranch::log=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

/// How a line of the agent's own log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
