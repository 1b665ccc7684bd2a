//! What a server keeps of a password: enough to check one, too little to be taken for the client (RFC 5802, 3).
//!
//! `StoredKey` is the hash of [`crate::scram::Keys`]' client key.

use std::fmt;
use std::num::NonZeroU32;

use subtle::ConstantTimeEq;

use super::mechanism::Mechanism;
use crate::scram::{Hash, ITERATIONS_MAX};

/// Fewest and most rounds of PBKDF2. Fewer are refused by Kafka's clients, more would only hold the server up.
pub(super) const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=ITERATIONS_MAX;

/// Rounds for a password out of the configuration, as in Kafka.
pub(super) const ITERATIONS_DEFAULT: NonZeroU32 = NonZeroU32::new(*ITERATIONS.start()).unwrap();

/// What is kept of one password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credential {
    pub hash: Hash,
    pub salt: Vec<u8>,
    pub iterations: NonZeroU32,
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
}

impl Credential {
    /// Derives from a password; takes a millisecond or more.
    pub(super) fn derive(
        hash: Hash,
        password: &[u8],
        salt: Vec<u8>,
        iterations: NonZeroU32,
    ) -> Self {
        let keys = hash.keys(password, &salt, iterations);
        let stored_key = hash.digest(keys.client.as_ref()).as_ref().to_vec();
        let server_key = keys.server.as_ref().to_vec();
        Self { hash, salt, iterations, stored_key, server_key }
    }

    /// Whether this is the password; takes as long as deriving.
    pub(super) fn is_of(&self, password: &[u8]) -> bool {
        let given = Self::derive(self.hash, password, self.salt.clone(), self.iterations);
        given.stored_key.ct_eq(&self.stored_key).into()
    }

    /// Whether `proof` shows knowledge of the password in the exchange that `auth_message` is made of.
    pub(super) fn is_proved(&self, proof: &[u8], auth_message: &[u8]) -> bool {
        let signature = self.hash.hmac(&self.stored_key, auth_message);
        if proof.len() != self.hash.length() {
            return false;
        }
        let client_key: Vec<u8> =
            proof.iter().zip(signature.as_ref()).map(|(proof, mask)| proof ^ mask).collect();
        self.hash.digest(&client_key).as_ref().ct_eq(&self.stored_key).into()
    }

    /// What shows the client that the server knows the password, too.
    pub(super) fn server_signature(&self, auth_message: &[u8]) -> Vec<u8> {
        self.hash.hmac(&self.server_key, auth_message).as_ref().to_vec()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ***", Mechanism::scram(self.hash).name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_is_the_password() {
        for hash in Hash::ALL {
            let salt = b"salt".to_vec();
            let credential = Credential::derive(hash, b"pencil", salt, ITERATIONS_DEFAULT);
            assert!(credential.is_of(b"pencil"));
            for wrong in [&b"pencil "[..], b"Pencil", b"pencilpencil", b""] {
                assert!(!credential.is_of(wrong));
            }
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let credential =
            Credential::derive(Hash::Sha256, b"pencil", b"salt".to_vec(), ITERATIONS_DEFAULT);
        assert_eq!(format!("{credential:?}"), "SCRAM-SHA-256 ***");
    }
}
