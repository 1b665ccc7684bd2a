//! One SASL exchange: bytes of the client in, bytes for the client out.

use std::sync::Arc;

use super::kept_users::KeptUsers;
use super::mechanism::Mechanism;
use super::scram::{Asked, Fault};
use super::users::{Table, Users};
use super::{USER_PREFIX, plain, scram};
use crate::scram::Hash;

/// What a client is told whose name or password is wrong, and not which of them.
const WRONG: &str = "the user name or the password is wrong";

/// What follows a message of the client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The client is sent this, and answers.
    Continue(Vec<u8>),
    /// The client is who it says.
    Done {
        /// For access control, such as `User:alice`.
        principal: String,
        /// The last bytes for the client; may be empty.
        reply: Vec<u8>,
    },
    /// It is not; what the client may be told. Every further step fails, too.
    Failed(String),
}

/// The server's side of one exchange.
#[derive(Debug)]
pub(crate) struct SaslServer {
    mechanism: Mechanism,
    name: Option<String>,
    state: State,
}

#[derive(Debug)]
enum State {
    Plain(Arc<Table>),
    First(Hash, Arc<Table>),
    Last(Box<Asked>),
    Over,
}

impl SaslServer {
    /// Begins an exchange with the users as they are now, beside those that clients have set.
    pub(crate) fn new(mechanism: Mechanism, users: &Users, kept: Arc<KeptUsers>) -> Self {
        let table = users.with_kept(kept);
        let state = match mechanism {
            Mechanism::Plain => State::Plain(table),
            Mechanism::ScramSha256 => State::First(Hash::Sha256, table),
            Mechanism::ScramSha512 => State::First(Hash::Sha512, table),
        };
        Self { mechanism, name: None, state }
    }

    /// Takes the client's next message. PLAIN may take milliseconds when users are stored without their passwords.
    pub(crate) fn step(&mut self, message: &[u8]) -> Step {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Plain(table) => match plain::check(message, &table) {
                Ok(login) => {
                    self.name = Some(login.name.to_owned());
                    if login.right { self.done(Vec::new()) } else { self.failed(WRONG) }
                }
                Err(problem) => self.failed(problem),
            },
            State::First(hash, table) => match scram::first(message, hash, &table) {
                Ok(asked) => {
                    self.name = Some(asked.name.clone());
                    let reply = asked.reply.clone().into_bytes();
                    self.state = State::Last(Box::new(asked));
                    Step::Continue(reply)
                }
                Err(problem) => self.failed(problem),
            },
            State::Last(asked) => match asked.last(message) {
                Ok(reply) => self.done(reply.into_bytes()),
                Err(Fault::Message(problem)) => self.failed(problem),
                Err(Fault::Proof) => self.failed(WRONG),
            },
            State::Over => self.failed("the exchange is over"),
        }
    }

    /// Who the client says that it is, for the log; proved only by [`Step::Done`].
    pub(crate) fn claimed_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn done(&self, reply: Vec<u8>) -> Step {
        let name = self.name.as_deref().unwrap_or_default();
        Step::Done { principal: format!("{USER_PREFIX}{name}"), reply }
    }

    fn failed(&self, problem: &str) -> Step {
        Step::Failed(format!("{} authentication failed: {problem}", self.mechanism.name()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::strategy::Strategy;

    use super::super::scram::tests::client_final;
    use super::super::users::tests::users;
    use super::*;

    /// A whole exchange of a client that knows this password.
    fn log_in(server: &mut SaslServer, hash: Hash, name: &str, password: &str) -> Step {
        let bare = format!("n={name},r=c0ffee");
        let Step::Continue(reply) = server.step(format!("n,,{bare}").as_bytes()) else {
            panic!("over at once");
        };
        let reply = String::from_utf8(reply).unwrap();
        server.step(client_final(hash, password, ("n,,", &bare), &reply).as_bytes())
    }

    #[test]
    fn the_right_password_gives_the_principal() {
        let users = users(&[("alice", "pencil")]);
        for hash in Hash::ALL {
            let mut server = SaslServer::new(Mechanism::scram(hash), &users, Arc::default());
            let Step::Done { principal, reply } = log_in(&mut server, hash, "alice", "pencil")
            else {
                panic!("refused");
            };
            assert_eq!(principal, "User:alice");
            assert!(reply.starts_with(b"v="));
            assert!(matches!(server.step(b"n,,n=alice,r=c0ffee"), Step::Failed(_)));
        }
        let mut server = SaslServer::new(Mechanism::Plain, &users, Arc::default());
        let principal = "User:alice".to_owned();
        let done = Step::Done { principal, reply: Vec::new() };
        assert_eq!(server.step(b"\0alice\0pencil"), done);
        assert!(matches!(server.step(b"\0alice\0pencil"), Step::Failed(_)));
    }

    #[test]
    fn an_unknown_user_and_a_wrong_password_are_told_the_same() {
        let users = users(&[("alice", "pencil")]);
        for hash in Hash::ALL {
            let attempt = |name: &str, password: &str| {
                let mut server = SaslServer::new(Mechanism::scram(hash), &users, Arc::default());
                let end = log_in(&mut server, hash, name, password);
                assert_eq!(server.claimed_name(), Some(name));
                end
            };
            let Step::Failed(wrong) = attempt("alice", "crayon") else { panic!("let in") };
            assert_eq!(attempt("mallory", "crayon"), Step::Failed(wrong.clone()));
            assert_eq!(attempt("mallory", "pencil"), Step::Failed(wrong.clone()));
            let name = Mechanism::scram(hash).name();
            assert_eq!(wrong, format!("{name} authentication failed: {WRONG}"));
        }
        let plain = |message: &[u8]| {
            SaslServer::new(Mechanism::Plain, &users, Arc::default()).step(message)
        };
        assert_eq!(plain(b"\0alice\0crayon"), plain(b"\0mallory\0crayon"));
        assert!(matches!(plain(b"\0alice\0crayon"), Step::Failed(_)));
    }

    #[test]
    fn a_failure_ends_the_exchange() {
        let users = users(&[("alice", "pencil")]);
        for mechanism in Mechanism::ALL {
            let mut server = SaslServer::new(mechanism, &users, Arc::default());
            assert!(matches!(server.step(b"nonsense"), Step::Failed(_)));
            let Step::Failed(problem) = server.step(b"\0alice\0pencil") else { panic!("let in") };
            assert!(problem.ends_with("the exchange is over"), "{problem}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(64))]

        #[test]
        fn no_bytes_let_a_client_in_that_knows_no_password(
            messages in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::collection::vec(proptest::num::u8::ANY, 0..60),
                    "(n,,)?(n=alice,)?(c=biws,)?r=[a-z]{0,8}(,p=[A-Za-z0-9+/]{43}=)?".prop_map(String::into_bytes),
                ],
                1..4,
            )
        ) {
            let users = users(&[("alice", "pencil")]);
            for mechanism in Mechanism::ALL {
                let mut server = SaslServer::new(mechanism, &users, Arc::default());
                for message in &messages {
                    let step = server.step(message);
                    let inside = matches!(step, Step::Done { .. });
                    proptest::prop_assert!(!inside);
                }
            }
        }
    }
}
