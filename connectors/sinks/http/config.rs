//! The `http` block of a sink.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use serde::Deserialize;

use super::request::Format;
use crate::ByteSize;
use crate::contract::build::BuildError;
use crate::contract::secret::Secret;
use crate::shared::document::Codec;
use crate::shared::http::client::{Auth, Tls, bad_pem};
use crate::shared::http::responses::Responses;
use crate::shared::template::Template;

/// The `http` block of a sink.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkConfig {
    /// Where to; a template behind the host, see [`crate::shared::template`].
    pub url: String,
    /// How the far side is called.
    #[serde(default)]
    pub method: Method,
    /// How the records stand in a request.
    #[serde(default)]
    pub format: Format,
    /// How a record is written; default `json`, for `lines` `raw`.
    #[serde(default)]
    pub codec: Option<Codec>,
    /// Further headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Who the sink is.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// How requests are compressed.
    #[serde(default)]
    pub compression: SinkCompression,
    /// Longest wait for an answer.
    #[serde(default = "SinkConfig::default_timeout", with = "humantime_serde")]
    pub timeout: Duration,
    /// Whom the sink trusts.
    #[serde(default)]
    pub tls: Tls,
    /// Largest request, before compression; more records are sent in several.
    #[serde(default = "SinkConfig::default_max_bytes")]
    pub max_bytes: ByteSize,
    /// What answers mean, where it is not their default.
    #[serde(default)]
    pub responses: Responses,
}

impl SinkConfig {
    const fn default_timeout() -> Duration {
        Duration::from_secs(30)
    }

    const fn default_max_bytes() -> ByteSize {
        ByteSize::mib(8)
    }
}

/// How the far side is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
}

impl Method {
    pub(super) const fn get(self) -> reqwest::Method {
        match self {
            Self::Post => reqwest::Method::POST,
            Self::Put => reqwest::Method::PUT,
        }
    }
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkCompression {
    /// Not at all.
    #[default]
    None,
    /// Gzip at its fastest level.
    Gzip,
    /// Zstandard at level 1.
    Zstd,
}

/// A configuration that was looked at: everything in it can work.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) client: Client,
    pub(super) url: Template,
    pub(super) codec: Codec,
}

impl SinkConfig {
    pub(super) fn check(&self) -> Result<Checked, BuildError> {
        if self.max_bytes.0 == 0 {
            return Err(BuildError {
                setting: "max_bytes",
                problem: "is 0".to_owned(),
                hint: "leave it out, or give a size such as 8MiB",
            });
        }
        self.responses.check(false)?;
        let codec = self.codec.unwrap_or_else(|| self.format.codec());
        if codec == Codec::JsonPretty || (codec, self.format) == (Codec::Raw, Format::JsonArray) {
            return Err(BuildError {
                setting: "codec",
                problem: "does not go with this `format`".to_owned(),
                hint: "use `json`, or `raw` with `ndjson` or `lines`",
            });
        }
        Ok(Checked { client: self.client()?, url: self.url_template()?, codec })
    }

    fn url_template(&self) -> Result<Template, BuildError> {
        let wrong = |problem: String| BuildError {
            setting: "url",
            problem,
            hint: "write for example \"https://example.com/ingest/{topic}\"",
        };
        let template = Template::parse(&self.url)
            .map_err(|problem| wrong(format!("is not a template: {problem}")))?;
        let host = self.url.split('/').nth(2).unwrap_or_default();
        if host.contains('{') {
            return Err(wrong("has a field in its host".to_owned()));
        }
        let example = template.render_example("topic");
        let url = Url::parse(&example).map_err(|problem| wrong(format!("is no URL: {problem}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("has the scheme `{}`, not http or https", url.scheme())));
        }
        Ok(template)
    }

    fn client(&self) -> Result<Client, BuildError> {
        let mut builder = Client::builder()
            .default_headers(self.header_map()?)
            .timeout(self.timeout)
            .user_agent(concat!("anabranch/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .danger_accept_invalid_certs(self.tls.insecure_skip_verify);
        if let Some(pem) = self.tls.ca_pem()? {
            let bundle = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|problem| bad_pem("tls.ca_file", problem))?;
            builder =
                bundle.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        if let Some(pem) = self.tls.identity_pem()? {
            let identity = reqwest::Identity::from_pem(&pem)
                .map_err(|problem| bad_pem("tls.cert_file", problem))?;
            builder = builder.identity(identity);
        }
        builder.build().map_err(|problem| bad_pem("tls", problem))
    }

    fn header_map(&self) -> Result<HeaderMap, BuildError> {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, HeaderValue::from_static(self.format.content_type()));
        if let Some(auth) = &self.auth {
            map.insert(reqwest::header::AUTHORIZATION, auth.header()?);
        }
        for (name, value) in &self.headers {
            let wrong = |part: &str| BuildError {
                setting: "headers",
                problem: format!("has `{name}`, whose {part} is not one that HTTP allows"),
                hint: "use letters, digits and `-` in names, no line ends in values",
            };
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_invalid| wrong("name"))?;
            let mut value =
                HeaderValue::from_str(value.reveal()).map_err(|_invalid| wrong("value"))?;
            value.set_sensitive(true);
            map.insert(key, value);
        }
        Ok(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> SinkConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_config_needs_only_its_url() {
        let config = config(r#"{"url":"https://x/{topic}"}"#);
        assert_eq!((config.timeout.as_secs(), config.max_bytes), (30, ByteSize::mib(8)));
        assert_eq!(config.check().unwrap().codec, Codec::Json);
        let lines = serde_json::from_str::<SinkConfig>(
            r#"{"url":"http://x","format":"lines","method":"PUT"}"#,
        );
        assert_eq!(lines.unwrap().check().unwrap().codec, Codec::Raw);
        assert!(serde_json::from_str::<SinkConfig>(r#"{"url":"http://x","uri":"y"}"#).is_err());
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_setting() {
        for (json, setting) in [
            (r#"{"url":"x"}"#, "url"),
            (r#"{"url":"ftp://x"}"#, "url"),
            (r#"{"url":"http://{topic}/"}"#, "url"),
            (r#"{"url":"http://x/{topik}"}"#, "url"),
            (r#"{"url":"http://x","max_bytes":0}"#, "max_bytes"),
            (r#"{"url":"http://x","codec":"json_pretty"}"#, "codec"),
            (r#"{"url":"http://x","codec":"raw","format":"json_array"}"#, "codec"),
            (r#"{"url":"http://x","headers":{"a b":"c"}}"#, "headers"),
            (r#"{"url":"http://x","headers":{"a":"c\n"}}"#, "headers"),
            (r#"{"url":"http://x","tls":{"cert_file":"/no"}}"#, "tls"),
        ] {
            assert_eq!(config(json).check().unwrap_err().setting, setting, "{json}");
        }
    }
}
