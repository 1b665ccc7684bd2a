//! One try to reach a cluster, for those who want to know at once whether and why not.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::error::Error;
use super::options::{Context, Options, Patience};

/// Connects to every broker that is named, side by side, with TLS and login as the options say, and asks it for its
/// cluster: one that wants a login answers nothing else before.
///
/// # Errors
/// Why none of them lets us in, one error for each.
pub fn reach(options: &Options) -> Result<(), Vec<Error>> {
    let tries: Vec<Result<(), Error>> = std::thread::scope(|scope| {
        let ask = |address: &String| {
            let options = Options { bootstrap_servers: vec![address.clone()], ..options.clone() };
            let context = Context { options: Arc::new(options), patience: Arc::new(Once) };
            scope.spawn(move || Cluster::new(context).refresh(&[]))
        };
        let asked: Vec<_> = options.bootstrap_servers.iter().map(ask).collect();
        // A thread that panics has printed why.
        asked.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    let mut errors = Vec::new();
    for tried in tries {
        match tried {
            Ok(()) => return Ok(()),
            Err(error) => errors.push(error),
        }
    }
    Err(errors)
}

impl Error {
    /// What a person may do about it; empty when the error says it.
    #[must_use]
    pub fn remedy(&self, options: &Options) -> &'static str {
        if let Self::Credentials { .. } = self {
            return "check sasl.username, sasl.password and sasl.mechanism";
        }
        let Self::Broken { cause, .. } = self else { return "" };
        let cause = cause.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
        if says(&["refused"]) {
            "is a broker listening there?"
        } else if says(&["lookup", "not known", "resolve"]) {
            "is the name right?"
        } else if says(&["unknownissuer", "unknown issuer", "self signed", "self-signed"]) {
            "name the authority's certificate as ssl.ca.location"
        } else if says(&["certificate"]) {
            "check ssl.ca.location, and the name by which the broker is reached"
        } else if says(&["closed", "reset", "broken pipe", "eof"])
            || says(&["corrupt", "invalid", "cannot be read"])
        {
            match (&options.tls, &options.sasl) {
                (None, None) => "if the listener wants TLS or a login, set security.protocol",
                (None, Some(_)) => "if the listener wants TLS, set security.protocol to SASL_SSL",
                (Some(_), _) => {
                    "if the listener has no TLS, set security.protocol to PLAINTEXT or SASL_PLAINTEXT"
                }
            }
        } else if says(&["timed out", "in time", "no answer", "unreachable", "no route"]) {
            "is the address right, and does a firewall let it through?"
        } else {
            ""
        }
    }
}

/// Waits as long as the options say, once.
struct Once;

impl Patience for Once {
    fn is_over(&self) -> bool {
        false
    }

    fn rest(&self, time: Duration) {
        std::thread::park_timeout(time);
    }

    fn trouble(&self, _why: &str) {}
}
