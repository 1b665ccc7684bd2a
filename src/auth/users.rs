//! Users by name, from the configuration and from a file; replaced as a whole when they are read anew.
//!
//! A user that is not there is treated like one that is, with the same work, so that answers and their time tell
//! nothing: it gets a salt that depends on its name, and no proof fits. What can be seen is how a stored line differs
//! from a password of the configuration, in the length of its salt.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anabranch_connectors::contract::secret::Secret;
use parking_lot::RwLock;
use ring::hmac;

use super::credential::{Credential, ITERATIONS_DEFAULT};
use super::kept_users::KeptUsers;
use super::mechanism::Mechanism;
use super::user_file::{self, Known};
use super::{Refused, random, unreadable};
use crate::scram::Hash;

/// Length in bytes of a salt that is made here.
const SALT_LENGTH: usize = 24;

/// Those who may log in at one listener.
#[derive(Debug)]
pub(crate) struct Users {
    table: RwLock<Arc<Table>>,
}

/// What the users of a listener are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UserSettings<'a> {
    /// What is offered; only for these is something derived.
    pub mechanisms: &'a [Mechanism],
    /// Passwords by name.
    pub users: &'a BTreeMap<String, Secret>,
    /// Further users, one in a line.
    pub users_file: Option<&'a Path>,
}

impl Users {
    /// Reads the file and derives what is kept; takes milliseconds for each user, so not on the runtime's threads.
    ///
    /// # Errors
    /// [`Refused`] when the file cannot be read or has a wrong line, a user is there twice, or has no password.
    pub(crate) fn load(settings: UserSettings<'_>) -> Result<Self, Refused> {
        let secret = random::<32>().map_err(|_unspecified| Refused {
            setting: "users",
            problem: "the system gives no random bytes".to_owned(),
            hint: "let the agent call getrandom",
        })?;
        let table = Table::load(settings, hmac::Key::new(hmac::HMAC_SHA256, &secret))?;
        Ok(Self { table: RwLock::new(Arc::new(table)) })
    }

    /// Replaces all users; exchanges that have begun end with those of before. Takes as long as [`Users::load`].
    ///
    /// # Errors
    /// As [`Users::load`]; the users of before stay.
    pub(crate) fn reload(&self, settings: UserSettings<'_>) -> Result<(), Refused> {
        let table = Table::load(settings, self.table().secret.clone())?;
        *self.table.write() = Arc::new(table);
        Ok(())
    }

    /// The users as they are now, beside those that clients have set.
    pub(super) fn with_kept(&self, kept: Arc<KeptUsers>) -> Arc<Table> {
        let table = self.table();
        let (entries, secret) = (Arc::clone(&table.entries), table.secret.clone());
        Arc::new(Table { entries, secret, stored: table.stored.clone(), kept })
    }

    /// The names of the users of the configuration, with what is kept of their passwords for SCRAM.
    pub(crate) fn infos(&self) -> Vec<(String, Vec<(Hash, u32)>)> {
        let table = self.table();
        let info = |one: &Credential| (one.hash, one.iterations.get());
        let entries = table.entries.iter();
        let of = |(name, entry): (&String, &Entry)| {
            (name.clone(), entry.credentials.iter().map(info).collect())
        };
        entries.map(of).collect()
    }

    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read())
    }
}

/// All users, as they were at one time.
#[derive(Debug)]
pub(super) struct Table {
    entries: Arc<BTreeMap<String, Entry>>,
    /// Makes salts, and hides passwords that PLAIN is compared with.
    secret: hmac::Key,
    /// One of the stored credentials, if there are any: the work that PLAIN does for everyone.
    stored: Option<Credential>,
    /// Users that clients have set; one of the same name in the configuration hides them.
    kept: Arc<KeptUsers>,
}

/// One user.
#[derive(Debug, Clone, Default)]
struct Entry {
    /// For PLAIN, the password's code under the table's secret.
    password: Option<hmac::Tag>,
    /// For PLAIN, when there is no password.
    stored: bool,
    credentials: Vec<Credential>,
}

impl Table {
    fn load(settings: UserSettings<'_>, secret: hmac::Key) -> Result<Self, Refused> {
        let kept = Arc::default();
        let mut table = Self { entries: Arc::default(), secret, stored: None, kept };
        for (name, password) in settings.users {
            let fault = |problem: &str| Refused {
                setting: "users",
                problem: format!("`{name}` {problem}"),
                hint: "write `name: password`; the password may come from ${NAME} or ${file:PATH}",
            };
            if name.is_empty() {
                return Err(fault("is no name"));
            }
            if password.reveal().is_empty() {
                return Err(fault("has an empty password"));
            }
            table.add_password(name, password.reveal(), settings.mechanisms);
        }
        if let Some(path) = settings.users_file {
            table.add_file(path, settings.mechanisms)?;
        }
        if table.entries.is_empty() {
            return Err(Refused {
                setting: "users",
                problem: "is empty, so that nobody can log in".to_owned(),
                hint: "write `name: password`, or name a users_file",
            });
        }
        Ok(table)
    }

    fn add_file(&mut self, path: &Path, mechanisms: &[Mechanism]) -> Result<(), Refused> {
        let fault = |problem: String| Refused {
            setting: "users_file",
            problem,
            hint: "a line is name:password, or name:SCRAM-SHA-256=salt=…,stored_key=…,server_key=…,iterations=…",
        };
        let at = path.display();
        let text =
            fs::read_to_string(path).map_err(|cause| unreadable("users_file", path, &cause))?;
        let lines = user_file::parse(&text)
            .map_err(|(number, problem)| fault(format!("line {number} of {at} {problem}")))?;
        for line in lines {
            let (number, name) = (line.number, line.name);
            let twice =
                || fault(format!("line {number} of {at} sets `{name}`, which is set already"));
            match line.known {
                Known::Password(_) if self.entries.contains_key(name) => return Err(twice()),
                Known::Password(password) => self.add_password(name, password, mechanisms),
                Known::Credentials(credentials) => {
                    self.add_credentials(name, credentials).map_err(|()| twice())?;
                }
            }
        }
        Ok(())
    }

    fn add_password(&mut self, name: &str, password: &str, mechanisms: &[Mechanism]) {
        let offered =
            Hash::ALL.into_iter().filter(|hash| mechanisms.contains(&Mechanism::scram(*hash)));
        let credentials = offered.map(|hash| {
            let salt = self.salt(hash, name);
            Credential::derive(hash, password.as_bytes(), salt, ITERATIONS_DEFAULT)
        });
        let credentials = credentials.collect();
        let password = Some(hmac::sign(&self.secret, password.as_bytes()));
        let entry = Entry { password, stored: false, credentials };
        self.entries_mut().insert(name.to_owned(), entry);
    }

    fn add_credentials(&mut self, name: &str, credentials: Vec<Credential>) -> Result<(), ()> {
        if self.stored.is_none() {
            self.stored = credentials.first().cloned();
        }
        let entry = self.entries_mut().entry(name.to_owned()).or_default();
        let taken = |new: &Credential| entry.credentials.iter().any(|old| old.hash == new.hash);
        if entry.password.is_some() || credentials.iter().any(taken) {
            return Err(());
        }
        entry.stored = true;
        entry.credentials.extend(credentials);
        Ok(())
    }

    /// The entries of a table that nobody else has yet.
    fn entries_mut(&mut self) -> &mut BTreeMap<String, Entry> {
        Arc::make_mut(&mut self.entries)
    }

    /// The salt of a user whose password is in the configuration, or who is not there at all.
    fn salt(&self, hash: Hash, name: &str) -> Vec<u8> {
        let code = self.code(&["salt", Mechanism::scram(hash).name(), name]);
        code.as_ref().iter().copied().take(SALT_LENGTH).collect()
    }

    fn code(&self, parts: &[&str]) -> hmac::Tag {
        hmac::sign(&self.secret, parts.join("\0").as_bytes())
    }

    /// Whether this is the user's password. Takes milliseconds when some users are stored without their password.
    pub(super) fn is_password(&self, name: &str, password: &str) -> bool {
        let entry = self.entries.get(name);
        let code = entry.and_then(|entry| entry.password.as_ref());
        let expected = code.map_or(&[0; 32][..], AsRef::as_ref);
        let as_given = hmac::verify(&self.secret, password.as_bytes(), expected).is_ok();
        let own = entry.filter(|entry| entry.stored).and_then(|entry| entry.credentials.first());
        let own = own.or_else(|| self.kept.first(name).filter(|_| entry.is_none()));
        let stored = own.or(self.stored.as_ref()).or_else(|| self.kept.any());
        let as_stored = stored.is_some_and(|credential| credential.is_of(password.as_bytes()));
        (code.is_some() && as_given) || (own.is_some() && as_stored)
    }

    /// What is kept of the user's password, or `Err` with something that looks alike and that no proof fits.
    pub(super) fn credential(&self, hash: Hash, name: &str) -> Result<Credential, Credential> {
        let entry = self.entries.get(name);
        let known = match entry {
            Some(entry) => entry.credentials.iter().find(|one| one.hash == hash),
            None => self.kept.find(hash, name),
        };
        let key = |what: &str| {
            let code = self.code(&[what, name]);
            code.as_ref().iter().copied().cycle().take(hash.length()).collect()
        };
        let unknown = || Credential {
            hash,
            salt: self.salt(hash, name),
            iterations: ITERATIONS_DEFAULT,
            stored_key: key("stored"),
            server_key: key("server"),
        };
        known.cloned().ok_or_else(unknown)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::user_file::stored_line;
    use super::*;

    /// Users of the configuration, for all mechanisms.
    pub(in super::super) fn users(passwords: &[(&str, &str)]) -> Users {
        load(passwords, None).unwrap()
    }

    fn settings(passwords: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        let secret = |(name, password): &(&str, &str)| {
            ((*name).to_owned(), Secret::from((*password).to_owned()))
        };
        passwords.iter().map(secret).collect()
    }

    fn load(passwords: &[(&str, &str)], users_file: Option<&Path>) -> Result<Users, Refused> {
        let users = settings(passwords);
        Users::load(UserSettings { mechanisms: &Mechanism::ALL, users: &users, users_file })
    }

    #[test]
    fn a_password_from_the_file_is_as_good_as_one_from_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let stored = stored_line("carol", "pen", &[Hash::Sha512]);
        fs::write(&file, format!("bob:b:b\n{stored}\n")).unwrap();
        let users = load(&[("alice", "a")], Some(&file)).unwrap();
        let table = users.table();
        for (name, password, right) in [
            ("alice", "a", true),
            ("bob", "b:b", true),
            ("carol", "pen", true),
            ("alice", "b:b", false),
            ("bob", "b", false),
            ("carol", "pencil", false),
            ("dave", "pen", false),
            ("", "", false),
        ] {
            assert_eq!(table.is_password(name, password), right, "{name}");
        }
        assert!(table.credential(Hash::Sha512, "carol").is_ok());
        assert!(table.credential(Hash::Sha256, "carol").is_err());
    }

    #[test]
    fn an_unknown_user_looks_like_a_known_one_also_after_a_reload() {
        let users = users(&[("alice", "a")]);
        for hash in Hash::ALL {
            let known = users.table().credential(hash, "alice").unwrap();
            let unknown = users.table().credential(hash, "mallory").unwrap_err();
            let other = users.table().credential(hash, "trudy").unwrap_err();
            assert_eq!(unknown.salt.len(), known.salt.len());
            assert_eq!(unknown.iterations, known.iterations);
            assert_eq!(unknown.stored_key.len(), known.stored_key.len());
            assert_ne!(unknown.salt, other.salt);
            let again = settings(&[("alice", "a"), ("bob", "b")]);
            let mechanisms = &Mechanism::ALL;
            users.reload(UserSettings { mechanisms, users: &again, users_file: None }).unwrap();
            assert_eq!(users.table().credential(hash, "mallory").unwrap_err(), unknown);
            assert_eq!(users.table().credential(hash, "alice").unwrap(), known);
        }
    }

    #[test]
    fn a_reload_that_fails_keeps_the_users_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        fs::write(&file, "alice:a\n").unwrap();
        let users = load(&[], Some(&file)).unwrap();
        let none = BTreeMap::new();
        let reload = || {
            let mechanisms = &Mechanism::ALL;
            users.reload(UserSettings { mechanisms, users: &none, users_file: Some(&file) })
        };
        fs::write(&file, "alice:changed\nbob\n").unwrap();
        let refused = reload().unwrap_err();
        assert_eq!(refused.problem, format!("line 2 of {} has no colon", file.display()));
        assert!(users.table().is_password("alice", "a"));
        fs::write(&file, "alice:changed\n").unwrap();
        reload().unwrap();
        assert!(!users.table().is_password("alice", "a"));
        assert!(users.table().is_password("alice", "changed"));
    }

    #[test]
    fn users_that_cannot_be_are_refused_without_their_passwords() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let stored = stored_line("bob", "hunter2", &[Hash::Sha256]);
        for (text, problem) in [
            ("alice:hunter2", "line 1 of FILE sets `alice`, which is set already".to_owned()),
            (
                "bob:hunter2\nbob:hunter2",
                "line 2 of FILE sets `bob`, which is set already".to_owned(),
            ),
            (
                &format!("{stored}\n{stored}"),
                "line 2 of FILE sets `bob`, which is set already".to_owned(),
            ),
            (
                &format!("{stored}\nbob:x"),
                "line 2 of FILE sets `bob`, which is set already".to_owned(),
            ),
        ] {
            fs::write(&file, text).unwrap();
            let refused = load(&[("alice", "hunter2")], Some(&file)).unwrap_err();
            assert_eq!(refused.problem.replace(&file.display().to_string(), "FILE"), problem);
        }
        let refused = load(&[("alice", "")], None).unwrap_err();
        assert_eq!(refused.problem, "`alice` has an empty password");
        assert_eq!(load(&[], None).unwrap_err().problem, "is empty, so that nobody can log in");
        let printed = format!("{:?}", users(&[("alice", "hunter2")]));
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
