//! Users whose credentials clients have set (KIP-554): kept in the hub, beside those of the configuration.
//!
//! The password is never here: a client sends what PBKDF2 has made of it, and of that only what checks a proof is kept.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::credential::Credential;
use crate::scram::Hash;

/// Fewest and most rounds that a client may set, as in Kafka.
const ROUNDS: std::ops::RangeInclusive<i32> = 4096..=16_384;

/// Credentials by the user's name.
#[derive(Debug, Default)]
pub(crate) struct KeptUsers {
    by_name: BTreeMap<String, Vec<Credential>>,
}

/// A credential as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    salt: String,
    stored_key: String,
    server_key: String,
    iterations: NonZeroU32,
}

/// Kafka's number of a mechanism.
pub(crate) const fn code(hash: Hash) -> i8 {
    match hash {
        Hash::Sha256 => 1,
        Hash::Sha512 => 2,
    }
}

/// The mechanism with Kafka's number.
pub(crate) fn hash(code: i8) -> Option<Hash> {
    Hash::ALL.into_iter().find(|hash| self::code(*hash) == code)
}

/// The name of an entry: the mechanism's number, and the user.
pub(crate) fn entry_name(hash: Hash, user: &str) -> String {
    format!("{}:{user}", code(hash))
}

/// What is stored of what a client has made of a password.
///
/// # Errors
/// What is wrong with it, in Kafka's words.
pub(crate) fn stored(
    hash: Hash,
    salt: &[u8],
    salted_password: &[u8],
    iterations: i32,
) -> Result<String, &'static str> {
    if iterations < *ROUNDS.start() {
        return Err("Too few iterations");
    }
    if iterations > *ROUNDS.end() {
        return Err("Too many iterations");
    }
    let rounds = u32::try_from(iterations).ok().and_then(NonZeroU32::new);
    let client_key = hash.hmac(salted_password, b"Client Key");
    let stored = Stored {
        salt: STANDARD.encode(salt),
        stored_key: STANDARD.encode(hash.digest(client_key.as_ref())),
        server_key: STANDARD.encode(hash.hmac(salted_password, b"Server Key")),
        iterations: rounds.ok_or("Too few iterations")?,
    };
    serde_json::to_string(&stored).map_err(|_impossible| "it cannot be stored")
}

impl KeptUsers {
    /// Reads entries; those that cannot be read are left out, and their names given.
    pub(crate) fn read<'a>(
        entries: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> (Self, Vec<String>) {
        let (mut users, mut unread) = (Self::default(), Vec::new());
        for (name, value) in entries {
            match credential(name, value) {
                Some((user, credential)) => {
                    users.by_name.entry(user).or_default().push(credential);
                }
                None => unread.push(name.clone()),
            }
        }
        (users, unread)
    }

    pub(super) fn find(&self, hash: Hash, name: &str) -> Option<&Credential> {
        self.by_name.get(name)?.iter().find(|one| one.hash == hash)
    }

    /// One of a user's credentials, for PLAIN.
    pub(super) fn first(&self, name: &str) -> Option<&Credential> {
        self.by_name.get(name)?.first()
    }

    /// Anybody's: the work that PLAIN does for everyone.
    pub(super) fn any(&self) -> Option<&Credential> {
        self.by_name.values().next()?.first()
    }

    /// Users with their mechanisms and rounds.
    pub(crate) fn infos(&self) -> impl Iterator<Item = (&str, Hash, u32)> {
        let all = self.by_name.iter();
        all.flat_map(|(name, credentials)| {
            credentials.iter().map(|one| (name.as_str(), one.hash, one.iterations.get()))
        })
    }
}

fn credential(name: &str, value: &str) -> Option<(String, Credential)> {
    let (mechanism, user) = name.split_once(':')?;
    let hash = hash(mechanism.parse().ok()?)?;
    let stored: Stored = serde_json::from_str(value).ok()?;
    let bytes = |text: String| STANDARD.decode(text).ok();
    let credential = Credential {
        hash,
        salt: bytes(stored.salt)?,
        iterations: stored.iterations,
        stored_key: bytes(stored.stored_key)?,
        server_key: bytes(stored.server_key)?,
    };
    Some((user.to_owned(), credential))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_makes_of_a_password_checks_that_password() {
        for hash in Hash::ALL {
            let rounds = NonZeroU32::new(4096).unwrap();
            let mut salted = vec![0; hash.length()];
            let algorithm = match hash {
                Hash::Sha256 => ring::pbkdf2::PBKDF2_HMAC_SHA256,
                Hash::Sha512 => ring::pbkdf2::PBKDF2_HMAC_SHA512,
            };
            ring::pbkdf2::derive(algorithm, rounds, b"salt", b"pencil", &mut salted);
            let value = stored(hash, b"salt", &salted, 4096).unwrap();
            let entries = [(entry_name(hash, "a:b"), value)];
            let (users, unread) =
                KeptUsers::read(entries.iter().map(|(name, value)| (name, value)));
            assert!(unread.is_empty());
            let credential = users.find(hash, "a:b").unwrap();
            assert!(credential.is_of(b"pencil") && !credential.is_of(b"pencils"));
            assert_eq!(users.infos().collect::<Vec<_>>(), [("a:b", hash, 4096)]);
        }
    }

    #[test]
    fn rounds_beyond_kafkas_limits_and_broken_entries_are_refused() {
        for (rounds, why) in [(4095, "Too few iterations"), (16_385, "Too many iterations")] {
            assert_eq!(stored(Hash::Sha256, b"s", b"p", rounds), Err(why));
        }
        let entries = [("1:a".to_owned(), "{}".to_owned()), ("9:b".to_owned(), String::new())];
        let (users, unread) = KeptUsers::read(entries.iter().map(|(name, value)| (name, value)));
        assert_eq!((users.infos().count(), unread), (0, vec!["1:a".to_owned(), "9:b".to_owned()]));
    }
}
