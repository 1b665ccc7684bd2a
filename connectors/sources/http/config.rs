//! The `http` block of a source.

use std::time::Duration;

use serde::Deserialize;

use super::auth::Auth;
use crate::ByteSize;
use crate::contract::build::BuildError;
use crate::shared::stream::activation;
use crate::shared::stream::allow::Network;
use crate::shared::stream::tls::TlsConfig;

/// Largest `max_body`.
const BODY_MAX: ByteSize = ByteSize::mib(128);

/// The `http` block of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceConfig {
    /// `HOST:PORT` to listen on, or `systemd:NAME`.
    pub listen: String,
    /// Events are taken at this path and everything under it.
    pub path: String,
    /// Largest body, after decompression.
    pub max_body: ByteSize,
    /// Most connections at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// Longest wait for a request, and again for the hub.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Who may send.
    pub auth: Auth,
    /// Web pages that may send, such as `https://app.example.com`, or `*` for every page.
    pub allowed_origins: Vec<String>,
    /// How a body is cut into records.
    pub format: Format,
    /// Certificates; `None`: no TLS.
    pub tls: Option<TlsConfig>,
    /// Addresses and networks that may connect; empty: all.
    pub allow: Vec<Network>,
    /// Connections begin with the header of a proxy, which says for whom they are.
    pub proxy_protocol: bool,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8687".to_owned(),
            path: "/".to_owned(),
            max_body: ByteSize::mib(16),
            max_connections: 1024,
            timeout: Duration::from_secs(30),
            auth: Auth::None,
            allowed_origins: Vec::new(),
            format: Format::Auto,
            tls: None,
            allow: Vec::new(),
            proxy_protocol: false,
        }
    }
}

/// How a body is cut into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As `Content-Type` says, or as it looks.
    Auto,
    /// One JSON value on each line.
    Ndjson,
    /// An array or an object.
    Json,
    /// One text on each line.
    Lines,
    /// The whole body is one record.
    Bytes,
}

impl SourceConfig {
    /// Looks for settings that cannot work.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let wrong = |setting, problem: String, hint| Err(BuildError { setting, problem, hint });
        if activation::name(&self.listen).is_none()
            && let Err((problem, hint)) = host_and_port(&self.listen)
        {
            return wrong("listen", problem, hint);
        }
        if !self.path.starts_with('/') {
            return wrong("path", format!("is \"{}\"", self.path), "begin it with a slash");
        }
        if self.max_body.0 == 0 || self.max_body > BODY_MAX {
            return wrong("max_body", format!("is {}", self.max_body), "set 1 byte to 128MiB");
        }
        if self.max_connections == 0 {
            return wrong("max_connections", "is 0".to_owned(), "set 1 or more");
        }
        if self.timeout.is_zero() {
            return wrong("timeout", "is 0".to_owned(), "set a time such as 30s");
        }
        let is_origin = |origin: &String| {
            let host = origin.split_once("://").map(|(_, host)| host);
            origin == "*" || host.is_some_and(|host| !host.is_empty() && !host.contains('/'))
        };
        if let Some(wrong_one) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let hint = "write https://HOST without a path, or \"*\" for every page";
            return wrong("allowed_origins", format!("has \"{wrong_one}\""), hint);
        }
        if let Auth::Basic(basic) = &self.auth
            && basic.username.contains(':')
        {
            return wrong("auth", "has a colon in its username".to_owned(), "choose another name");
        }
        Ok(())
    }
}

/// Whether the text is `HOST:PORT`; an error is what is wrong with it, and what to write.
fn host_and_port(text: &str) -> Result<(), (String, &'static str)> {
    if text.contains("://") {
        let hint = "write HOST:PORT without a scheme, such as 127.0.0.1:8687";
        return Err((format!("is \"{text}\", which is a URL"), hint));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("-", ""));
    if port.contains('/') {
        let hint = "write HOST:PORT here, and the path as `path`";
        return Err((format!("is \"{text}\", which has a path"), hint));
    }
    let is_host = !host.contains(['/', ' ']) && (!host.contains(':') || host.starts_with('['));
    if port.parse::<u16>().is_err() || !is_host {
        return Err((format!("is \"{text}\""), "write HOST:PORT, such as 127.0.0.1:8687"));
    }
    if host.is_empty() {
        let hint = "write 127.0.0.1 before it for this machine alone, or 0.0.0.0 for every address";
        return Err((format!("is \"{text}\", which has no host"), hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::settings::SourceSettings as _;

    #[test]
    fn settings_have_their_defaults_and_wrong_ones_are_named() {
        let config: SourceConfig = serde_json::from_str("{}").unwrap();
        assert_eq!(config, SourceConfig::default());
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.listens(), ["tcp://127.0.0.1:8687"]);
        let passed = SourceConfig { listen: "systemd:web".to_owned(), ..SourceConfig::default() };
        assert_eq!(passed.check(), Ok(()));
        assert_eq!((passed.listens(), passed.try_it()), (vec!["systemd:web".to_owned()], None));
        assert!(serde_json::from_str::<SourceConfig>(r#"{"port": 1}"#).is_err());
        for (setting, text) in [
            ("listen", r#"{"listen": "127.0.0.1"}"#),
            ("listen", r#"{"listen": ":8687"}"#),
            ("listen", r#"{"listen": "http://127.0.0.1:8687"}"#),
            ("listen", r#"{"listen": "127.0.0.1:8687/in"}"#),
            ("listen", r#"{"listen": "127.0.0.1:65536"}"#),
            ("path", r#"{"path": "in"}"#),
            ("max_body", r#"{"max_body": "1GiB"}"#),
            ("max_connections", r#"{"max_connections": 0}"#),
            ("timeout", r#"{"timeout": "0s"}"#),
            ("allowed_origins", r#"{"allowed_origins": ["app.example.com"]}"#),
            ("allowed_origins", r#"{"allowed_origins": ["https://a/b"]}"#),
            ("auth", r#"{"auth": {"basic": {"username": "a:b", "password": "p"}}}"#),
        ] {
            let config: SourceConfig = serde_json::from_str(text).unwrap();
            assert_eq!(config.check().unwrap_err().setting, setting);
        }
    }
}
