//! SCRAM, the client's side: both ends prove that they know the password, which never travels.
//!
//! | step         | message                                                        |
//! |--------------|----------------------------------------------------------------|
//! | client first | `n,,n=USER,r=NONCE`                                            |
//! | server first | `r=NONCE+ITS OWN,s=SALT,i=ITERATIONS`                          |
//! | client final | `c=biws,r=BOTH NONCES,p=PROOF`                                 |
//! | server final | `v=SIGNATURE`                                                  |
//!
//! Source: RFC 5802, RFC 7677.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::scram::{Hash, ITERATIONS_MAX};

/// The client's first words.
#[derive(Debug)]
pub(super) struct Scram {
    hash: Hash,
    nonce: String,
    first_bare: String,
}

/// The client's last words, and what the server must answer.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) message: String,
    expected: String,
}

impl Scram {
    pub(super) fn new(hash: Hash, username: &str, nonce: String) -> Self {
        let username = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={username},r={nonce}");
        Self { hash, nonce, first_bare }
    }

    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's first message; `None` when it is not one, or not an answer to this client's.
    pub(super) fn prove(&self, password: &str, server_first: &str) -> Option<Proof> {
        let mut fields = server_first.split(',');
        let nonce = fields.next()?.strip_prefix("r=")?;
        let salt = BASE64.decode(fields.next()?.strip_prefix("s=")?).ok()?;
        let iterations: u32 = fields.next()?.strip_prefix("i=")?.parse().ok()?;
        let iterations =
            NonZeroU32::new(iterations).filter(|count| count.get() <= ITERATIONS_MAX)?;
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return None;
        }
        let keys = self.hash.keys(password.as_bytes(), &salt, iterations);
        let without_proof = format!("c=biws,r={nonce}");
        let all = format!("{},{server_first},{without_proof}", self.first_bare);
        let stored_key = self.hash.digest(keys.client.as_ref());
        let signature = self.hash.hmac(stored_key.as_ref(), all.as_bytes());
        let pairs = keys.client.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(key, sign)| key ^ sign).collect();
        let expected = self.hash.hmac(keys.server.as_ref(), all.as_bytes());
        Some(Proof {
            message: format!("{without_proof},p={}", BASE64.encode(proof)),
            expected: format!("v={}", BASE64.encode(expected)),
        })
    }
}

impl Proof {
    /// Whether the server has shown that it knows the password too.
    pub(super) fn is_answered_by(&self, server_final: &str) -> bool {
        server_final.split(',').next() == Some(self.expected.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_exchange_is_that_of_rfc_7677() {
        let scram = Scram::new(Hash::Sha256, "user", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let proof = scram.prove("pencil", server).unwrap();
        assert_eq!(
            proof.message,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.is_answered_by("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="));
    }

    #[test]
    fn a_server_that_does_not_answer_this_client_is_not_believed() {
        let scram = Scram::new(Hash::Sha512, "a=b,c", "mine".to_owned());
        assert_eq!(scram.first(), "n,,n=a=3Db=2Cc,r=mine");
        for server in ["r=yours,s=AA==,i=4096", "r=mine,s=AA==,i=4096", "r=mine1,s=AA==,i=0"] {
            assert!(scram.prove("p", server).is_none(), "{server}");
        }
        assert!(scram.prove("p", "r=mine1,s=AA==,i=99999999").is_none());
        assert!(scram.prove("p", "r=mine1,s=AA==,i=4096").is_some());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let scram = Scram::new(Hash::Sha256, "u", "n".to_owned());
            prop_assert!(scram.prove("p", &text).is_none());
        }
    }
}
