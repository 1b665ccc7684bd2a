//! The way in: a connection, on which the broker is told who we are, by PLAIN or SCRAM.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};

use super::connection::Connection;
use super::error::Error;
use super::messages::{self, Api};
use super::options::Context;
use super::sasl::{Mechanism, Sasl};
use super::scram::Scram;

/// Connects, asks for versions, and says who we are.
pub(super) fn enter(context: &Context, address: &str) -> Result<Connection, Error> {
    let mut connection = Connection::open(context, address)?;
    if let Some(sasl) = &context.options.sasl {
        sasl.introduce(&mut connection)?;
    }
    connection.is_let_in(context.options.request_timeout);
    Ok(connection)
}

impl Sasl {
    /// Lets the broker at the other end of `connection` know who we are.
    fn introduce(&self, connection: &mut Connection) -> Result<(), Error> {
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

fn refused(connection: &Connection, cause: impl Into<String>) -> Error {
    Error::Credentials { address: connection.address().to_owned(), cause: cause.into() }
}

fn nonce() -> Result<String, Error> {
    let mut bytes = [0; 24];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_cause| Error::Setting("the system has no random numbers".to_owned()))?;
    Ok(BASE64.encode(bytes))
}
