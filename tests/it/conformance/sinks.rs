//! The sinks: an entry for each, with its answer to every scenario.

use super::far;
use super::scene::Entry;

/// Whether a sink has a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is played.
    Runs,
    /// There is no such thing for this sink, and why.
    Lacks(&'static str),
}

/// A sink, and its answers.
pub(super) struct Sink {
    pub(super) name: &'static str,
    pub(super) entry: Entry,
    pub(super) answers: &'static [(&'static str, Answer)],
}

impl Sink {
    /// Whether it has the scenario of this name.
    pub(super) fn runs(&self, scenario: &str) -> bool {
        self.answers.contains(&(scenario, Answer::Runs))
    }
}

/// Makes the list, and of each scenario that runs a test `SINK::SCENARIO`.
macro_rules! sinks {
    ($($sink:ident: $entry:expr, { $($scenario:ident: $verb:ident $($why:literal)?,)+ })+) => {
        pub(super) static SINKS: &[Sink] = &[$({
            const ANSWERS: &[(&str, Answer)] =
                &[$((stringify!($scenario), sinks!(@answer $verb $($why)?))),+];
            Sink { name: stringify!($sink), entry: $entry, answers: ANSWERS }
        }),+];
        $(mod $sink { $(sinks!(@test $sink $scenario $verb);)+ })+
    };
    (@answer runs) => { Answer::Runs };
    (@answer lacks $why:literal) => { Answer::Lacks($why) };
    (@test $sink:ident $scenario:ident lacks) => {};
    (@test $sink:ident $scenario:ident runs) => {
        #[test]
        fn $scenario() {
            use crate::conformance::{scenarios, table};
            table::play(stringify!($sink), stringify!($scenario), scenarios::$scenario);
        }
    };
}

sinks! {
    elasticsearch: Entry {
        connector: "elasticsearch",
        open: far::search::elasticsearch,
        exact: true,
        ordered: false,
        concurrency: 1,
        burst: 1500,
    }, {
        once: runs,
        order: lacks "an index keeps no order",
        dead_letter: runs,
        busy: runs,
        too_large: runs,
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: runs,
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }

    opensearch: Entry {
        connector: "elasticsearch",
        open: far::search::opensearch,
        exact: true,
        ordered: false,
        concurrency: 2,
        burst: 1500,
    }, {
        once: runs,
        order: lacks "an index keeps no order",
        dead_letter: runs,
        busy: runs,
        too_large: runs,
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: runs,
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }

    file: Entry {
        connector: "file",
        open: far::file::open,
        exact: true,
        ordered: true,
        concurrency: 1,
        burst: 10_000,
    }, {
        once: runs,
        order: runs,
        dead_letter: lacks "a file takes every record",
        busy: lacks "a file takes a write or fails",
        too_large: lacks "a file takes records of any size",
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: lacks "nobody logs in at a file",
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }

    file_on_a_disk: Entry {
        connector: "file",
        open: far::file::on_a_disk,
        exact: true,
        ordered: true,
        concurrency: 1,
        burst: 10_000,
    }, {
        once: runs,
        order: runs,
        dead_letter: lacks "a file takes every record",
        busy: lacks "a file takes a write or fails",
        too_large: lacks "a file takes records of any size",
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: lacks "nobody logs in at a file",
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }

    http: Entry {
        connector: "http",
        open: far::http::open,
        exact: false,
        ordered: true,
        concurrency: 2,
        burst: 3000,
    }, {
        once: runs,
        order: runs,
        dead_letter: runs,
        busy: runs,
        too_large: runs,
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: runs,
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }

    stdout: Entry {
        connector: "stdout",
        open: far::stdout::open,
        exact: false,
        ordered: true,
        concurrency: 1,
        burst: 10_000,
    }, {
        once: runs,
        order: runs,
        dead_letter: lacks "a pipe takes every record",
        busy: lacks "a pipe that is full makes its writer wait",
        too_large: lacks "a pipe takes records of any size",
        down_and_back: runs,
        killed: runs,
        restarted: runs,
        wrong_credentials: lacks "nobody logs in at a pipe",
        full_queue_at_the_stop: runs,
        topic_deleted: runs,
    }
}
