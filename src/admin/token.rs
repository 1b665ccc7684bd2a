//! The token of the API: who has it may change what the agent keeps.
//!
//! Unless the configuration has one (`admin.token`), it is made at the first start, in the file `admin-token` of the data
//! folder, which its owner alone may read: who can read it could change the files themselves.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use anabranch_connectors::contract::secret::Secret;
use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;

use crate::log::private;

/// Where it is kept, inside of the data folder.
const FILE: &str = "admin-token";
/// Random bytes in one that is made.
const BYTES: usize = 32;
/// Characters of the shortest that is taken from the file: a shorter one was not made here.
const SHORTEST: usize = 32;

/// The token.
#[derive(Clone)]
pub struct Token(Secret);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Where the token of a data folder is kept.
#[must_use]
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

impl Token {
    /// One that the configuration gives.
    #[must_use]
    pub const fn given(token: Secret) -> Self {
        Self(token)
    }

    /// The one of a data folder, for those who ask the agent.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path(data_dir)).ok()?;
        let text = text.trim();
        (text.len() >= SHORTEST).then(|| Self(text.to_owned().into()))
    }

    /// The one of a data folder; made when there is none.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(data_dir: &Path) -> io::Result<Self> {
        if let Some(token) = Self::read(data_dir) {
            return Ok(token);
        }
        let token = Self::random()?;
        private::create_folders(data_dir)?;
        let (path, aside) = (path(data_dir), data_dir.join("admin-token.tmp"));
        private::write(&aside, format!("{}\n", token.reveal()))?;
        std::fs::rename(aside, path)?;
        Ok(token)
    }

    /// One that nobody knows.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        let none = |_unspecified| io::Error::other("the system has no random bytes");
        SystemRandom::new().fill(&mut bytes).map_err(none)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// For the one who sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether the header `Authorization` has it. Takes as long for a wrong one as for the right one.
    #[must_use]
    pub fn admits(&self, header: Option<&HeaderValue>) -> bool {
        let sent = header.map(HeaderValue::as_bytes).unwrap_or_default();
        let (scheme, sent) = sent.split_at_checked(b"Bearer ".len()).unwrap_or_default();
        let known = self.reveal().as_bytes();
        let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer ") && !known.is_empty();
        is_bearer && bool::from(sent.trim_ascii().ct_eq(known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_made_once_for_its_owner_alone_and_a_stump_of_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert!(Token::read(&data).is_none());
        let token = Token::of(&data).unwrap();
        assert_eq!(Token::of(&data).unwrap().reveal(), token.reveal());
        assert_eq!(Token::read(&data).unwrap().reveal(), token.reveal());
        let mode = path(&data).metadata().unwrap().permissions().mode();
        assert_eq!((mode & 0o777, token.reveal().len()), (0o600, 43));
        std::fs::write(path(&data), "short\n").unwrap();
        let another = Token::of(&data).unwrap();
        assert_ne!(another.reveal(), token.reveal());
        assert_eq!(format!("{another:?}"), "***");
    }

    #[test]
    fn only_the_whole_token_as_a_bearers_admits() {
        let token = Token::given("a-token".to_owned().into());
        for (header, expected) in [
            ("Bearer a-token", true),
            ("bearer a-token", true),
            ("Bearer a-toke", false),
            ("Bearer a-token2", false),
            ("Bearer ", false),
            ("Basic a-token", false),
            ("a-token", false),
            ("", false),
        ] {
            let header = HeaderValue::from_static(header);
            assert_eq!(token.admits(Some(&header)), expected, "{header:?}");
        }
        assert!(!token.admits(None));
        assert!(
            !Token::given(String::new().into()).admits(Some(&HeaderValue::from_static("Bearer ")))
        );
    }
}
