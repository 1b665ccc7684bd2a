//! What a server keeps of a password: enough to check one, too little to be taken for the client (RFC 5802, 3).
//!
//! ```text
//! SaltedPassword = PBKDF2-HMAC(password, salt, iterations)
//! StoredKey      = H(HMAC(SaltedPassword, "Client Key"))
//! ServerKey      = HMAC(SaltedPassword, "Server Key")
//! ```
//! Passwords are taken as their UTF-8 bytes, without the preparation of RFC 4013: Kafka's brokers and clients do the
//! same.

use std::fmt;
use std::num::NonZeroU32;

use subtle::ConstantTimeEq;

use super::mechanism::Hash;

/// Fewest and most rounds of PBKDF2. Fewer are refused by Kafka's clients, more would only hold the server up.
pub(super) const ITERATIONS: std::ops::RangeInclusive<u32> = 4096..=1_000_000;

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
        let mut salted = vec![0; hash.length()];
        ring::pbkdf2::derive(hash.pbkdf2(), iterations, &salt, password, &mut salted);
        let client_key = hash.hmac(&salted, b"Client Key");
        let stored_key = hash.digest(client_key.as_ref()).as_ref().to_vec();
        let server_key = hash.hmac(&salted, b"Server Key").as_ref().to_vec();
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
        write!(out, "{} ***", self.hash.mechanism().name())
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
