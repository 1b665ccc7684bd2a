//! What both ends of SCRAM make of a password.
//!
//! ```text
//! SaltedPassword = PBKDF2-HMAC(password, salt, iterations)
//! ClientKey      = HMAC(SaltedPassword, "Client Key")
//! ServerKey      = HMAC(SaltedPassword, "Server Key")
//! ```
//! Source: RFC 5802 (3), RFC 7677. Passwords are taken as their UTF-8 bytes, without the preparation of RFC 4013:
//! Kafka's brokers and clients do the same.

use std::num::NonZeroU32;

use ring::{digest, hmac, pbkdf2};

/// Most rounds of PBKDF2 that either end does: each login costs them.
pub(crate) const ITERATIONS_MAX: u32 = 1_000_000;

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SCRAM-SHA-256; 32 bytes.
    Sha256,
    /// SCRAM-SHA-512; 64 bytes.
    Sha512,
}

/// What a password, a salt and a number of rounds give.
pub(crate) struct Keys {
    pub(crate) client: hmac::Tag,
    pub(crate) server: hmac::Tag,
}

impl Hash {
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Length of a hash in bytes.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::Sha256 => digest::SHA256_OUTPUT_LEN,
            Self::Sha512 => digest::SHA512_OUTPUT_LEN,
        }
    }

    pub(crate) fn hmac(self, key: &[u8], message: &[u8]) -> hmac::Tag {
        let algorithm = match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message)
    }

    pub(crate) fn digest(self, message: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message)
    }

    /// Takes a millisecond or more.
    pub(crate) fn keys(self, password: &[u8], salt: &[u8], iterations: NonZeroU32) -> Keys {
        let algorithm = match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        };
        let mut salted = vec![0; self.length()];
        pbkdf2::derive(algorithm, iterations, salt, password, &mut salted);
        Keys {
            client: self.hmac(&salted, b"Client Key"),
            server: self.hmac(&salted, b"Server Key"),
        }
    }
}
