//! The `elasticsearch` block of a sink.

use std::time::Duration;

use elasticsearch::auth::{ClientCertificate, Credentials};
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::Url;
use elasticsearch::http::headers::{AUTHORIZATION, HeaderMap};
use elasticsearch::http::transport::{SingleNodeConnectionPool, Transport, TransportBuilder};
use serde::Deserialize;

use crate::ByteSize;
use crate::contract::build::BuildError;
use crate::shared::http::client::{Auth, Tls, bad_pem};
use crate::shared::http::responses::Responses;
use crate::shared::shown;
use crate::shared::template::Template;

/// The `elasticsearch` block of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Addresses such as `http://127.0.0.1:9200`; they take turns, and one that fails is left out for a while.
    pub endpoints: Vec<String>,
    /// Index or data stream, a template; see [`crate::shared::template`].
    #[serde(default = "SinkConfig::default_index")]
    pub index: String,
    /// Who the sink is.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// Ingest pipeline that each document goes through.
    #[serde(default)]
    pub pipeline: Option<String>,
    /// How requests are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Longest wait for an answer.
    #[serde(default = "SinkConfig::default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// Whom the sink trusts.
    #[serde(default)]
    pub tls: Tls,
    /// Largest request, before compression; more records are sent in several.
    #[serde(default = "SinkConfig::default_max_bytes")]
    pub max_bytes: ByteSize,
    /// What is done with each document.
    #[serde(default)]
    pub action: Action,
    /// What answers mean, where it is not their default.
    #[serde(default)]
    pub responses: Responses,
}

impl SinkConfig {
    fn default_index() -> String {
        "logs-{topic}-{date}".to_owned()
    }

    const fn default_timeout() -> Duration {
        Duration::from_secs(60)
    }

    const fn default_max_bytes() -> ByteSize {
        ByteSize::mib(10)
    }
}

/// How requests are compressed; less on the wire for more work on both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip at its fastest level.
    Gzip,
}

/// What is done with each document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `create`: a document that is there already is left alone. The only one that data streams take.
    #[default]
    Create,
    /// `index`: a document that is there already is replaced by the same.
    Index,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
        }
    }
}

/// A configuration that was looked at: everything in it can work.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) index: Template,
    /// Address and client of each endpoint.
    pub(super) transports: Vec<(String, Transport)>,
    /// Sent with each request.
    pub(super) headers: HeaderMap,
}

impl SinkConfig {
    pub(super) fn check(&self) -> Result<Checked, BuildError> {
        if self.endpoints.is_empty() {
            return Err(BuildError {
                setting: "endpoints",
                problem: "is empty".to_owned(),
                hint: "give at least one address, such as http://127.0.0.1:9200",
            });
        }
        if self.max_bytes.0 == 0 {
            return Err(BuildError {
                setting: "max_bytes",
                problem: "is 0".to_owned(),
                hint: "leave it out, or give a size such as 10MiB",
            });
        }
        self.responses.check(true)?;
        let index = Template::parse(&self.index).map_err(|problem| BuildError {
            setting: "index",
            problem: format!("is not a template: {problem}"),
            hint: "write for example \"logs-{topic}-{date}\"",
        })?;
        let mut headers = HeaderMap::new();
        if let Some(auth) = &self.auth {
            headers.insert(AUTHORIZATION, auth.header()?);
        }
        let transports = self.endpoints.iter().map(|address| self.connect(address));
        Ok(Checked { index, transports: transports.collect::<Result<_, _>>()?, headers })
    }

    /// Opens nothing yet; the client connects with the first request.
    fn connect(&self, address: &str) -> Result<(String, Transport), BuildError> {
        let wrong = |problem: String| BuildError {
            setting: "endpoints",
            problem,
            hint: "write addresses such as http://127.0.0.1:9200 or https://search.example.com",
        };
        let shown = shown::address(address);
        let url = Url::parse(address)
            .map_err(|problem| wrong(format!("has \"{shown}\", which is no URL: {problem}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong(format!("has \"{shown}\", which is not http or https")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BuildError {
                setting: "endpoints",
                problem: "has a user or password in an address".to_owned(),
                hint: "move them to `auth: { basic: { username: …, password: … } }`",
            });
        }
        let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url))
            .enable_meta_header(false)
            .timeout(self.timeout);
        if self.tls.insecure_skip_verify {
            builder = builder.cert_validation(CertificateValidation::None);
        } else if let Some(pem) = self.tls.ca_pem()? {
            let certificate =
                Certificate::from_pem(&pem).map_err(|problem| bad_pem("tls.ca_file", problem))?;
            builder = builder.cert_validation(CertificateValidation::Full(certificate));
        }
        if let Some(pem) = self.tls.identity_pem()? {
            builder = builder.auth(Credentials::Certificate(ClientCertificate::Pem(pem)));
        }
        let transport = builder.build().map_err(|problem| bad_pem("tls", problem))?;
        Ok((shown.trim_end_matches('/').to_owned(), transport))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> SinkConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_config_needs_only_its_endpoints() {
        let config = config(r#"{"endpoints":["http://127.0.0.1:9200"]}"#);
        assert_eq!(config.index, "logs-{topic}-{date}");
        assert_eq!((config.timeout.as_secs(), config.max_bytes), (60, ByteSize::mib(10)));
        assert_eq!((config.action, config.compression), (Action::Create, Compression::None));
        assert!(config.check().is_ok());
        let unknown = r#"{"endpoints":[],"indx":"a"}"#;
        assert!(serde_json::from_str::<SinkConfig>(unknown).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_setting() {
        for (json, setting, words) in [
            (r#"{"endpoints":[]}"#, "endpoints", "empty"),
            (r#"{"endpoints":["127.0.0.1:9200"]}"#, "endpoints", "127.0.0.1:9200"),
            (r#"{"endpoints":["ftp://x"]}"#, "endpoints", "not http"),
            (r#"{"endpoints":["http://u:p@x"]}"#, "endpoints", "password"),
            (r#"{"endpoints":["http://x"],"index":"{topik}"}"#, "index", "topik"),
            (r#"{"endpoints":["http://x"],"max_bytes":0}"#, "max_bytes", "0"),
            (r#"{"endpoints":["http://x"],"tls":{"ca_file":"/no"}}"#, "tls.ca_file", "/no"),
        ] {
            let problem = config(json).check().unwrap_err();
            assert_eq!(problem.setting, setting);
            assert!(problem.to_string().contains(words), "{problem}");
        }
    }
}
