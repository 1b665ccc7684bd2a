//! What every sink over HTTP has in its configuration: who it is, whom it trusts, how it compresses.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::HeaderValue;
use serde::Deserialize;

use crate::contract::build::BuildError;
use crate::contract::secret::Secret;
use crate::contract::settings::Doubt;

/// How the sink shows who it is; one of these.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// `Authorization: Basic …`
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// `Authorization: ApiKey …`, the key as Elasticsearch shows it under `encoded`.
    ApiKey(Secret),
    /// `Authorization: Bearer …`
    Bearer(Secret),
}

impl Auth {
    /// The value of the header `Authorization`, marked as sensitive.
    ///
    /// # Errors
    /// [`BuildError`] when a secret has bytes that a header cannot have, such as a line end.
    pub(crate) fn header(&self) -> Result<HeaderValue, BuildError> {
        let text = match self {
            Self::Basic { username, password } => {
                let pair = format!("{username}:{}", password.reveal());
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Self::ApiKey(key) => format!("ApiKey {}", key.reveal()),
            Self::Bearer(token) => format!("Bearer {}", token.reveal()),
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_invalid| BuildError {
            setting: "auth",
            problem: "has a line end or control character in its secret".to_owned(),
            hint: "write the secret without a line end",
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Whom the sink trusts, and its own certificate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Certificates (PEM) to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The sink's own certificate (PEM), for servers that ask for one.
    pub cert_file: Option<PathBuf>,
    /// The key of `cert_file` (PEM).
    pub key_file: Option<PathBuf>,
    /// Trusts whatever answers. For tests only.
    pub insecure_skip_verify: bool,
}

impl Tls {
    /// What is in `ca_file`.
    ///
    /// # Errors
    /// [`BuildError`] when it cannot be read.
    pub(crate) fn ca_pem(&self) -> Result<Option<Vec<u8>>, BuildError> {
        self.ca_file.as_deref().map(|path| read("tls.ca_file", path)).transpose()
    }

    /// What is in `cert_file` and `key_file`, end to end.
    ///
    /// # Errors
    /// [`BuildError`] when one cannot be read, or only one is set.
    pub(crate) fn identity_pem(&self) -> Result<Option<Vec<u8>>, BuildError> {
        match (&self.cert_file, &self.key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => {
                let mut pem = read("tls.cert_file", certificate)?;
                pem.push(b'\n');
                pem.extend(read("tls.key_file", key)?);
                Ok(Some(pem))
            }
            _ => Err(BuildError {
                setting: "tls",
                problem: "has only one of `cert_file` and `key_file`".to_owned(),
                hint: "set both or none",
            }),
        }
    }
}

/// A setting of `tls` whose file is not what it should be.
pub(crate) fn bad_pem(setting: &'static str, problem: impl std::fmt::Display) -> BuildError {
    BuildError { setting, problem: format!("is not usable: {problem}"), hint: "give a PEM file" }
}

fn read(setting: &'static str, path: &Path) -> Result<Vec<u8>, BuildError> {
    std::fs::read(path).map_err(|problem| BuildError {
        setting,
        problem: format!("cannot be read: {}: {problem}", path.display()),
        hint: "check the path and who may read it",
    })
}

/// Compresses with gzip at its fastest level.
///
/// # Errors
/// Never for a buffer in memory; the signature is that of the encoder.
pub(crate) fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let room = Vec::with_capacity(body.len() / 4 + 64);
    let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

impl Tls {
    /// The doubt about a block that is there although nothing is encrypted.
    pub(crate) fn unused() -> Doubt {
        let problem = "is not used for http://".to_owned();
        Doubt { setting: "tls", problem, hint: "write https://, or remove the block".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(json: &str) -> Auth {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn each_kind_of_auth_is_its_header() {
        for (config, expected) in [
            (r#"{"basic":{"username":"u","password":"p"}}"#, "Basic dTpw"),
            (r#"{"api_key":"a2V5"}"#, "ApiKey a2V5"),
            (r#"{"bearer":"t0k"}"#, "Bearer t0k"),
        ] {
            let header = auth(config).header().unwrap();
            assert_eq!(header.to_str().unwrap(), expected);
            assert!(header.is_sensitive());
        }
    }

    #[test]
    fn a_secret_with_a_line_end_is_refused_and_not_shown() {
        let problem = auth(r#"{"bearer":"hunter2\n"}"#).header().unwrap_err().to_string();
        assert!(problem.contains("line end") && !problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn half_an_identity_is_refused() {
        let tls = Tls { cert_file: Some("/x".into()), ..Tls::default() };
        assert!(tls.identity_pem().unwrap_err().to_string().contains("key_file"));
        let tls = Tls { ca_file: Some("/does/not/exist".into()), ..Tls::default() };
        assert!(tls.ca_pem().unwrap_err().to_string().contains("/does/not/exist"));
    }
}
