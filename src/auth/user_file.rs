//! The file of users: one in a line, as a password or as what Kafka keeps of one.
//!
//! ```text
//! # a comment
//! alice:a password, which may have any character but a line end
//! bob:SCRAM-SHA-256=salt=BASE64,stored_key=BASE64,server_key=BASE64,iterations=4096
//! ```
//! The second form is what Kafka stores and its tools print; several mechanisms stand in one line with a comma between
//! them, or in several lines.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::credential::{Credential, ITERATIONS};
use super::mechanism::Mechanism;
use crate::scram::Hash;

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub number: usize,
    pub name: &'a str,
    pub known: Known<'a>,
}

/// What a line says of its user.
#[derive(PartialEq, Eq)]
pub(super) enum Known<'a> {
    Password(&'a str),
    Credentials(Vec<Credential>),
}

impl std::fmt::Debug for Known<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password(_) => out.write_str("***"),
            Self::Credentials(credentials) => credentials.fmt(out),
        }
    }
}

/// Reads all lines.
///
/// # Errors
/// The number of the first wrong line, and what is wrong with it, without any of its secrets.
pub(super) fn parse(text: &str) -> Result<Vec<Line<'_>>, (usize, String)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let meant = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    meant.map(|(number, line)| parse_line(number, line).map_err(|fault| (number, fault))).collect()
}

fn parse_line(number: usize, line: &str) -> Result<Line<'_>, String> {
    let (name, rest) = line.split_once(':').ok_or("has no colon")?;
    if name.is_empty() {
        return Err("has no name before the colon".to_owned());
    }
    if rest.is_empty() {
        return Err(format!("`{name}` has an empty password"));
    }
    let stored = Hash::ALL.iter().any(|hash| credential_body(rest, *hash).is_some());
    let known = if stored { Known::Credentials(credentials(rest)?) } else { Known::Password(rest) };
    Ok(Line { number, name, known })
}

/// What follows the name of the mechanism.
fn credential_body(text: &str, hash: Hash) -> Option<&str> {
    text.strip_prefix(Mechanism::scram(hash).name())?.strip_prefix('=')
}

/// The fields of one credential, as they are read.
struct Fields {
    hash: Hash,
    salt: Option<Vec<u8>>,
    stored_key: Option<Vec<u8>>,
    server_key: Option<Vec<u8>>,
    iterations: Option<u32>,
}

fn credentials(text: &str) -> Result<Vec<Credential>, String> {
    let mut read: Vec<Fields> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let begun =
            Hash::ALL.into_iter().find_map(|hash| Some((hash, credential_body(part, hash)?)));
        let pair = if let Some((hash, body)) = begun {
            if read.iter().any(|earlier| earlier.hash == hash) {
                return Err(format!("{} stands twice", Mechanism::scram(hash).name()));
            }
            let (salt, stored_key, server_key, iterations) = (None, None, None, None);
            read.push(Fields { hash, salt, stored_key, server_key, iterations });
            body
        } else {
            part
        };
        if let Some(fields) = read.last_mut() {
            fields.set(pair)?;
        }
    }
    read.into_iter().map(Fields::complete).collect()
}

impl Fields {
    fn set(&mut self, pair: &str) -> Result<(), String> {
        let (name, value) = pair.split_once('=').ok_or("has a part without `=`")?;
        let bytes = || STANDARD.decode(value).map_err(|_quiet| format!("{name} is not base64"));
        match name {
            "salt" => self.salt = Some(bytes()?),
            "stored_key" => self.stored_key = Some(bytes()?),
            "server_key" => self.server_key = Some(bytes()?),
            "iterations" => {
                let count = value.parse().map_err(|_quiet| "iterations is not a number")?;
                self.iterations = Some(count);
            }
            // The name is not repeated: it may be a piece of a secret.
            _ => {
                return Err(
                    "has a part that is none of salt, stored_key, server_key, iterations".into()
                );
            }
        }
        Ok(())
    }

    fn complete(self) -> Result<Credential, String> {
        let name = Mechanism::scram(self.hash).name();
        let missing = |what: &str| format!("{name} has no {what}");
        let salt = self.salt.filter(|salt| !salt.is_empty()).ok_or_else(|| missing("salt"))?;
        let key = |key: Option<Vec<u8>>, what: &str| {
            let key = key.ok_or_else(|| missing(what))?;
            let length = self.hash.length();
            if key.len() == length {
                return Ok(key);
            }
            Err(format!("{what} of {name} has {} bytes instead of {length}", key.len()))
        };
        let stored_key = key(self.stored_key, "stored_key")?;
        let server_key = key(self.server_key, "server_key")?;
        let iterations = self.iterations.ok_or_else(|| missing("iterations"))?;
        let (least, most) = (ITERATIONS.start(), ITERATIONS.end());
        let iterations = NonZeroU32::new(iterations)
            .filter(|count| ITERATIONS.contains(&count.get()))
            .ok_or_else(|| format!("iterations of {name} are not from {least} to {most}"))?;
        Ok(Credential { hash: self.hash, salt, iterations, stored_key, server_key })
    }
}

#[cfg(test)]
pub(super) fn stored_line(name: &str, password: &str, hashes: &[Hash]) -> String {
    let one = |hash: &Hash| {
        let salt = format!("salt of {name}").into_bytes();
        let iterations = super::credential::ITERATIONS_DEFAULT;
        let credential = Credential::derive(*hash, password.as_bytes(), salt, iterations);
        format!(
            "{}=salt={},stored_key={},server_key={},iterations={iterations}",
            Mechanism::scram(*hash).name(),
            STANDARD.encode(&credential.salt),
            STANDARD.encode(&credential.stored_key),
            STANDARD.encode(&credential.server_key),
        )
    };
    format!("{name}:{}", hashes.iter().map(one).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_stored_credentials_are_read() {
        let stored = stored_line("bob", "pencil", &Hash::ALL);
        let text = format!("# users\n\nalice:a:b, c=d#\r\n{stored}\n");
        let lines = parse(&text).unwrap();
        assert_eq!((lines[0].number, lines[0].name), (3, "alice"));
        assert_eq!(lines[0].known, Known::Password("a:b, c=d#"));
        let Known::Credentials(credentials) = &lines[1].known else { panic!("a password") };
        assert_eq!(credentials.iter().map(|one| one.hash).collect::<Vec<_>>(), Hash::ALL);
        assert!(credentials.iter().all(|one| one.is_of(b"pencil")));
    }

    #[test]
    fn wrong_lines_are_told_without_their_secrets() {
        let keys = |length: usize| STANDARD.encode(vec![7; length]);
        let (key, short) = (keys(32), keys(31));
        for (line, fault) in [
            ("alice", "has no colon".to_owned()),
            (":hunter2", "has no name before the colon".to_owned()),
            ("alice:", "`alice` has an empty password".to_owned()),
            ("a:SCRAM-SHA-256=hunter2", "has a part without `=`".to_owned()),
            ("a:SCRAM-SHA-256=salt=hunter2!", "salt is not base64".to_owned()),
            ("a:SCRAM-SHA-256=salt=aGk=", "SCRAM-SHA-256 has no stored_key".to_owned()),
            (
                &format!("a:SCRAM-SHA-256=salt=aGk=,stored_key={short}"),
                "stored_key of SCRAM-SHA-256 has 31 bytes instead of 32".to_owned(),
            ),
            (
                &format!(
                    "a:SCRAM-SHA-256=salt=aGk=,stored_key={key},server_key={key},iterations=1"
                ),
                "iterations of SCRAM-SHA-256 are not from 4096 to 1000000".to_owned(),
            ),
            (
                "a:SCRAM-SHA-256=salt=aGk=,hunter2=x",
                "has a part that is none of salt, stored_key, server_key, iterations".to_owned(),
            ),
        ] {
            let found = parse(&format!("# first\n{line}\n")).unwrap_err();
            assert_eq!(found, (2, fault), "{line}");
            assert!(!found.1.contains("hunter2"), "{}", found.1);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(
            text in "([a-z#]{0,3}:?(SCRAM-SHA-256=|SCRAM-SHA-512=|salt=|stored_key=|iterations=|,|[A-Za-z0-9=]){0,9}\n?){0,5}"
        ) {
            let _either = parse(&text);
        }
    }
}
