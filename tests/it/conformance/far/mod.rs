//! The far sides: how each is written in a configuration, made to refuse, taken away and mended, and what has arrived.

pub(super) mod file;
pub(super) mod http;
pub(super) mod search;
pub(super) mod stdout;

use std::path::Path;

use crate::support::Agent;

/// A record that the far side refuses for good.
pub(super) struct Refused {
    /// The line; the number is that of the line from `a` in whose place it stands.
    pub(super) line: fn(usize) -> String,
    /// What the dead letter says of it.
    pub(super) reason: &'static str,
}

/// One far side for one scenario. What is not there for a sink is not called: its entry says so.
pub(super) trait Far {
    /// The block below `to:`, with this password where one is asked for.
    fn to(&self, password: Option<&str>) -> String;

    /// The texts that have arrived, repeats included, in the order in which they came where that is known.
    fn arrived(&self) -> Vec<String>;

    /// How many texts have arrived, repeats included.
    fn count(&self) -> usize {
        self.arrived().len()
    }

    /// Starts the agent where its output belongs.
    fn start(&self, folder: &Path, blocks: &str) -> Agent {
        Agent::start(folder, blocks)
    }

    /// Refuses some records for good from now on.
    fn refuse(&mut self) -> Refused {
        unknown()
    }

    /// Answers that it is busy, or takes everything again.
    fn be_busy(&mut self, _status: Option<u16>) {
        unknown()
    }

    /// Takes no more than so many bytes at once; gives what it says of more.
    fn limit(&mut self, _bytes: usize) -> &'static str {
        unknown()
    }

    /// Expects that more than the limit has been tried.
    fn was_too_large(&self) {
        unknown()
    }

    /// Is not there any more.
    fn go_away(&mut self) {
        unknown()
    }

    /// Is there again.
    fn come_back(&mut self) {
        unknown()
    }

    /// Asks for this password from now on; gives what it says of another one.
    fn ask_for(&mut self, _password: &str) -> &'static str {
        unknown()
    }

    /// Takes nothing any more, without a word if that is possible.
    fn hold(&mut self) {
        self.go_away();
    }

    /// Whether an agent starts that finds it so.
    fn lets_start(&self) -> bool {
        true
    }

    /// Takes everything again.
    fn go_on(&mut self) {
        self.come_back();
    }
}

/// An entry that has a scenario run has a far side that can play it.
#[track_caller]
fn unknown() -> ! {
    panic!("this far side cannot do what a scenario of its entry asks for")
}
