//! Who a client is and what it may do: TLS, SASL and access control lists. Nothing here listens.
//!
//! | file | what | source |
//! |---|---|---|
//! | `mechanism.rs` | the names of SASL mechanisms and their hashes | RFC 5802, RFC 7677 |
//! | `credential.rs` | what is stored for a password | RFC 5802, 3 |
//! | `users.rs`, `user_file.rs` | users by name, from the configuration and from a file | |
//! | `kept_users.rs` | users whose credentials clients have set | KIP-554 |
//! | `sasl.rs` | one exchange of whatever mechanism | KIP-43, KIP-152 |
//! | `plain.rs`, `scram.rs`, `scram_message.rs` | the mechanisms | RFC 4616, RFC 5802 |
//! | `acl/` | what a principal may do | KIP-11, KIP-290 |
//! | `tls.rs`, `subject.rs` | certificates, and the principal in one | RFC 2253 |
//!
//! Invariant: what a client is told does not depend on whether a user is known.

use std::fmt;
use std::io;
use std::path::Path;

use anabranch_connectors::contract::build::BuildError;

pub(crate) mod acl;
#[cfg(test)]
mod client_tests;
mod credential;
pub(crate) mod kept_users;
mod mechanism;
mod plain;
pub(crate) mod sasl;
mod scram;
mod scram_message;
mod subject;
pub(crate) mod tls;
#[cfg(test)]
mod tls_tests;
mod user_file;
pub(crate) mod users;

pub use mechanism::Mechanism;

/// Prefix of every principal: Kafka knows no other kind.
pub(crate) const USER_PREFIX: &str = "User:";

/// Who has not said who it is.
pub(crate) const ANONYMOUS: &str = "User:ANONYMOUS";

/// Why users or certificates cannot be taken; nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The setting, as it stands in its block.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}; {}", self.setting, self.problem, self.hint)
    }
}

impl std::error::Error for Refused {}

/// Of a file that every listener may have, told inside of the block `tls`.
impl From<BuildError> for Refused {
    fn from(BuildError { setting, problem, hint }: BuildError) -> Self {
        Self { setting: setting.strip_prefix("tls.").unwrap_or(setting), problem, hint }
    }
}

/// A file that cannot be read.
fn unreadable(setting: &'static str, path: &Path, cause: &io::Error) -> Refused {
    let cause = if cause.kind() == io::ErrorKind::NotFound {
        "no such file".to_owned()
    } else {
        cause.to_string()
    };
    Refused {
        setting,
        problem: format!("cannot read {}: {cause}", path.display()),
        hint: "name a file that the agent's user can read",
    }
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has none to give.
fn random<const N: usize>() -> Result<[u8; N], ring::error::Unspecified> {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)?;
    Ok(bytes)
}
