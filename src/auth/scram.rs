//! The server's side of SCRAM (RFC 5802, RFC 7677): `first` gives the salt, `last` checks the proof.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::credential::Credential;
use super::random;
use super::scram_message::{Final, First};
use super::users::Table;
use crate::scram::Hash;

/// What stands between the two messages of a client.
#[derive(Debug)]
pub(super) struct Asked {
    /// What the client is sent.
    pub reply: String,
    /// Who the client says that it is.
    pub name: String,
    header: String,
    client_first: String,
    /// The client's part and the server's.
    nonce: String,
    credential: Credential,
    known: bool,
}

/// Why the last message is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its form, or it does not belong to the first one.
    Message(&'static str),
    /// Name or password.
    Proof,
}

/// Answers the first message.
///
/// # Errors
/// What is wrong with the message, for the client.
pub(super) fn first(message: &[u8], hash: Hash, users: &Arc<Table>) -> Result<Asked, &'static str> {
    let bytes: [u8; 24] = random().map_err(|_unspecified| "the server has no random bytes")?;
    first_with(message, hash, users, &STANDARD.encode(bytes))
}

fn first_with(
    message: &[u8],
    hash: Hash,
    users: &Table,
    server_nonce: &str,
) -> Result<Asked, &'static str> {
    let first = First::parse(message)?;
    let nonce = format!("{}{server_nonce}", first.nonce);
    let (credential, known) = match users.credential(hash, &first.name) {
        Ok(credential) => (credential, true),
        Err(unknown) => (unknown, false),
    };
    let salt = STANDARD.encode(&credential.salt);
    Ok(Asked {
        reply: format!("r={nonce},s={salt},i={}", credential.iterations),
        header: first.header.to_owned(),
        client_first: first.bare.to_owned(),
        name: first.name,
        nonce,
        credential,
        known,
    })
}

/// What old clients do wrong, and what to do about it. To take it would be to take what somebody between the two has
/// put before the nonce.
const DOUBLED: &str = "the nonce has the client's part twice, as librdkafka before 2.6.1 sends it; use a newer one \
                       (kcat of Debian 12 has an old one), or PLAIN over TLS";

impl Asked {
    /// The client's part of the nonce.
    fn client_nonce(&self) -> &str {
        let nonce = self.client_first.split(',').find_map(|part| part.strip_prefix("r="));
        nonce.unwrap_or_default()
    }

    /// Checks the last message; gives the server's own proof.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn last(&self, message: &[u8]) -> Result<String, Fault> {
        let last = Final::parse(message).map_err(Fault::Message)?;
        if last.header != self.header.as_bytes() {
            return Err(Fault::Message("the header differs from that of the first message"));
        }
        if last.nonce != self.nonce {
            let is_doubled =
                last.nonce.strip_suffix(self.nonce.as_str()) == Some(self.client_nonce());
            let problem =
                if is_doubled { DOUBLED } else { "the nonce differs from that of the exchange" };
            return Err(Fault::Message(problem));
        }
        let auth_message =
            [&*self.client_first, &*self.reply, last.without_proof].join(",").into_bytes();
        let proved = self.credential.is_proved(&last.proof, &auth_message);
        if !(proved & self.known) {
            return Err(Fault::Proof);
        }
        let signature = self.credential.server_signature(&auth_message);
        Ok(format!("v={}", STANDARD.encode(signature)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;

    use super::super::users::tests::users;
    use super::super::users::{UserSettings, Users};
    use super::*;

    /// The client's side: its last message for the server's first.
    pub(in super::super) fn client_final(
        hash: Hash,
        password: &str,
        (header, bare): (&str, &str),
        server_first: &str,
    ) -> String {
        let part = |name: &str| {
            let part = server_first.split(',').find_map(|part| part.strip_prefix(name));
            part.unwrap().to_owned()
        };
        let iterations: NonZeroU32 = part("i=").parse().unwrap();
        let salt = STANDARD.decode(part("s=")).unwrap();
        let client_key = hash.keys(password.as_bytes(), &salt, iterations).client;
        let stored_key = hash.digest(client_key.as_ref());
        let without_proof = format!("c={},r={}", STANDARD.encode(header), part("r="));
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let signature = hash.hmac(stored_key.as_ref(), auth_message.as_bytes());
        let keys = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = keys.map(|(key, mask)| key ^ mask).collect();
        format!("{without_proof},p={}", STANDARD.encode(proof))
    }

    #[test]
    fn the_exchange_of_rfc_7677_gives_its_very_bytes() {
        const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let iterations = NonZeroU32::new(4096).unwrap();
        let credential = Credential::derive(Hash::Sha256, b"pencil", salt, iterations);
        let table = users(&[("user", "pencil")]).table();
        let message = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let mut asked = first_with(message, Hash::Sha256, &table, NONCE).unwrap();
        // The RFC's salt in place of the random one.
        asked.reply = format!(
            "r=rOprNGfwEbeRWgbNEkqO{NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i={}",
            credential.iterations
        );
        asked.credential = credential;
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let reply = asked.last(last.as_bytes());
        assert_eq!(reply.as_deref(), Ok("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        let ours = client_final(
            Hash::Sha256,
            "pencil",
            ("n,,", "n=user,r=rOprNGfwEbeRWgbNEkqO"),
            &asked.reply,
        );
        assert_eq!(ours, last);
    }

    /// What Apache Kafka 4.3.1 computes for the password `päss,=wört`, by hash.
    const OF_KAFKA: [(Hash, &str, &str, &str); 2] = [
        (
            Hash::Sha256,
            "SCRAM-SHA-256=salt=MW5icTJ4Z2p3ZHcxeWh2N3MxazVuaHIwa2w=,\
             stored_key=5l0jcfWuWHzjnCuevN4eQ3FR5SfRMxTpHXpJzPp68tc=,\
             server_key=JnWKupc5tng+wQryTYkCUezZt0rDi4uoHYa0RzzTvqc=,iterations=8192",
            "F+CCxi6s2kni14lTzbQurVSd2xCGq7GtLy+TQU7t2Js=",
            "M4nVyjwflqKnFbDFOBapdcd7DjxU6C2J0RQyWwHejqE=",
        ),
        (
            Hash::Sha512,
            "SCRAM-SHA-512=salt=MW5icTJ4Z2p3ZHcxeWh2N3MxazVuaHIwa2w=,\
             stored_key=BZdMH9NJHwti3ciTNPSzXR8s8exErKhkSkpjdQKO7qTbJyudDXP6UY+XpEeamS7M9GIwFHxXxTshQTysW2BM6Q==,\
             server_key=0y5VUt+PGZzOPmidJ2NvogMfmAYMnESkfDP36hgVsp9v32fT5oDrnXYWSyiwXhm0JoUPIERnu7fneNrQ48mGQQ==,\
             iterations=8192",
            "nwatOHlrhibsMFVXJQWRcQKIwjvelE/mlqqlvQx1k6wAVolCvn+tuDJsnBHYHxYa+wUgSkeohNpbNWNHx9uwPA==",
            "bkwslxoA6WnX1KWEbiYfZY7F/tULpf+yMX5k0GB50Xd2DaRe26PyQzyyX+HkLIbSUOzgA/TtAqgtqgPEOjCJSA==",
        ),
    ];

    #[test]
    fn what_kafka_stores_is_proved_by_what_its_clients_send() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let lines = OF_KAFKA.map(|(_, line, ..)| format!("a,b=c:{line}\n"));
        std::fs::write(&file, lines.concat()).unwrap();
        let (mechanisms, users) = (&[][..], &BTreeMap::new());
        let users = Users::load(UserSettings { mechanisms, users, users_file: Some(&file) });
        let table = users.unwrap().table();
        assert!(table.is_password("a,b=c", "päss,=wört"));
        for (hash, _, proof, signature) in OF_KAFKA {
            let message = b"n,,n=a=2Cb=3Dc,r=clientnonce";
            let asked = first_with(message, hash, &table, "servernonce").unwrap();
            let reply = "r=clientnonceservernonce,s=MW5icTJ4Z2p3ZHcxeWh2N3MxazVuaHIwa2w=,i=8192";
            assert_eq!(asked.reply, reply);
            let last = format!("c=biws,r=clientnonceservernonce,p={proof}");
            assert_eq!(asked.last(last.as_bytes()), Ok(format!("v={signature}")));
        }
    }

    #[test]
    fn two_exchanges_have_two_nonces_that_begin_with_the_clients() {
        let table = users(&[("user", "pencil")]).table();
        let ask = || first(b"n,,n=user,r=abc", Hash::Sha256, &table).unwrap();
        let (one, two) = (ask(), ask());
        assert!(one.reply.starts_with("r=abc") && two.reply.starts_with("r=abc"));
        assert_ne!(one.nonce, two.nonce);
    }

    #[test]
    fn a_nonce_that_an_old_librdkafka_has_doubled_is_refused_with_what_to_do() {
        let table = users(&[("user", "pencil")]).table();
        for hash in Hash::ALL {
            let asked = first(b"n,,n=user,r=abc", hash, &table).unwrap();
            let right = client_final(hash, "pencil", ("n,,", "n=user,r=abc"), &asked.reply);
            let doubled = right.replacen("r=abc", "r=abcabc", 1);
            let Err(Fault::Message(problem)) = asked.last(doubled.as_bytes()) else { panic!() };
            assert!(
                problem.contains("librdkafka before 2.6.1") && problem.contains("PLAIN over TLS")
            );
            let other = right.replacen("r=abc", "r=xabc", 1);
            let nonce = Fault::Message("the nonce differs from that of the exchange");
            assert_eq!(asked.last(other.as_bytes()), Err(nonce));
        }
    }

    #[test]
    fn a_last_message_of_another_exchange_is_refused() {
        let table = users(&[("user", "pencil")]).table();
        let bare = "n=user,r=abc";
        for hash in Hash::ALL {
            let one = first(b"n,,n=user,r=abc", hash, &table).unwrap();
            let two = first(b"n,,n=user,r=abc", hash, &table).unwrap();
            let right = client_final(hash, "pencil", ("n,,", bare), &one.reply);
            assert!(one.last(right.as_bytes()).unwrap().starts_with("v="));
            let nonce = Fault::Message("the nonce differs from that of the exchange");
            assert_eq!(two.last(right.as_bytes()), Err(nonce));
            // Someone between the two has changed what the client offered.
            let header = Fault::Message("the header differs from that of the first message");
            let downgraded = client_final(hash, "pencil", ("y,,", bare), &one.reply);
            assert_eq!(one.last(downgraded.as_bytes()), Err(header));
            let truncated = right.replace(",p=", ",p=AAAA");
            assert_eq!(one.last(truncated.as_bytes()), Err(Fault::Proof));
            let fewer = one.reply.replace("i=4096", "i=1");
            let fewer = client_final(hash, "pencil", ("n,,", bare), &fewer);
            assert_eq!(one.last(fewer.as_bytes()), Err(Fault::Proof));
        }
    }
}
