//! Says to a broker who we are: PLAIN and SCRAM.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};

use super::connection::Connection;
use super::error::Error;
use super::messages::{self, Api};
use super::scram::Scram;
use crate::scram::Hash;

/// How the client says who it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Sasl {
    /// The way.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

/// A way to say who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The password as it is.
    Plain,
    /// A proof that the password is known.
    Scram(Hash),
}

impl Mechanism {
    /// From the name that it is registered under; `None` when it is not known here.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "PLAIN" => Self::Plain,
            "SCRAM-SHA-256" => Self::Scram(Hash::Sha256),
            "SCRAM-SHA-512" => Self::Scram(Hash::Sha512),
            _ => return None,
        })
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Scram(Hash::Sha256) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha512) => "SCRAM-SHA-512",
        }
    }
}

impl Sasl {
    /// Lets the broker at the other end of `connection` know who we are.
    pub(super) fn introduce(&self, connection: &mut Connection) -> Result<(), Error> {
        let name = self.mechanism.name();
        let (_, answer) =
            connection.call(Api::SaslHandshake, |_, out| messages::push_handshake(name, out))?;
        let read = messages::read_handshake(&answer);
        let (code, known) = read.ok_or_else(|| connection.unreadable())?;
        if code.0 != 0 {
            let cause = format!("it has no SASL mechanism {name}, but {}", known.join(", "));
            return Err(refused(connection, cause));
        }
        match self.mechanism {
            Mechanism::Plain => {
                let message = format!("\0{}\0{}", self.username, self.password);
                self.step(connection, message.as_bytes())?;
            }
            Mechanism::Scram(hash) => {
                let scram = Scram::new(hash, &self.username, nonce()?);
                let answer = self.step(connection, scram.first().as_bytes())?;
                let proof = scram.prove(&self.password, &String::from_utf8_lossy(&answer));
                let proof =
                    proof.ok_or_else(|| refused(connection, "its SCRAM message is not one"))?;
                let answer = self.step(connection, proof.message.as_bytes())?;
                if !proof.is_answered_by(&String::from_utf8_lossy(&answer)) {
                    return Err(refused(connection, "it does not know the password itself"));
                }
            }
        }
        Ok(())
    }

    fn step(&self, connection: &mut Connection, message: &[u8]) -> Result<Vec<u8>, Error> {
        let (_, answer) = connection
            .call(Api::SaslAuthenticate, |_, out| messages::push_authenticate(message, out))?;
        let read = messages::read_authenticate(&answer);
        let (code, words, step) = read.ok_or_else(|| connection.unreadable())?;
        if code.0 != 0 {
            let user = &self.username;
            return Err(refused(connection, format!("user \"{user}\": {code}: {words}")));
        }
        Ok(step)
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, username, .. } = self;
        out.debug_struct("Sasl")
            .field("mechanism", mechanism)
            .field("username", username)
            .finish_non_exhaustive()
    }
}

fn refused(connection: &Connection, cause: impl Into<String>) -> Error {
    Error::Credentials { address: connection.address().to_owned(), cause: cause.into() }
}

fn nonce() -> Result<String, Error> {
    let mut bytes = [0; 24];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_cause| Error::Setting("the system has no random numbers".to_owned()))?;
    Ok(BASE64.encode(bytes))
}
