//! The SASL mechanisms.

use serde::Deserialize;

use crate::scram::Hash;

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Mechanism {
    /// Name and password as they are (RFC 4616); for TLS only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof that a password is known (RFC 7677).
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The same with a longer hash.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 3] = [Self::Plain, Self::ScramSha256, Self::ScramSha512];

    /// The name in the registry of IANA, as it stands in the configuration and in `SaslHandshake`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The SCRAM mechanism with this hash.
    pub(super) const fn scram(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::ScramSha256,
            Hash::Sha512 => Self::ScramSha512,
        }
    }

    /// The mechanism of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mechanism_is_found_by_its_exact_name() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
        }
        for name in ["plain", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "OAUTHBEARER", ""] {
            assert_eq!(Mechanism::from_name(name), None, "{name}");
        }
    }
}
