//! The memory of the process: one budget of bytes, of which all who hold what came in, or what goes out, take their part
//! before they hold it.
//!
//! | part           | holds                                                                  | waits for it                |
//! |----------------|------------------------------------------------------------------------|-----------------------------|
//! | `sources`      | what sources have read, until the hub has it                           | the source, which reads no more |
//! | `bodies`       | bodies of HTTP requests behind their first bytes, until the hub has them | the request, for two seconds |
//! | `connections`  | what each connection holds for itself: buffers, first bytes, what is not whole | the request, for two seconds |
//! | `requests`     | requests of Kafka's clients behind their first bytes                   | the connection, for a while |
//! | `fetches`      | records that are checked for Kafka's clients                           | the answer                  |
//! | `sinks`        | what sinks have read, and what they make of it                         | the sink, which reads no more |
//! | `dead_letters` | dead letters and what goes to fallbacks, until the hub has it          | the sink that must bury     |
//! | `compaction`   | keys of topics that are compacted                                      | nobody                      |
//! | `files`        | what is known of each file that is followed                            | nobody                      |
//!
//! Invariant: who holds bytes of a part waits only for a part further down whose holders wait for none of these:
//! connections, then bodies or sources or requests; sinks, then dead letters. Each has a reserve. So there is no circle.

mod arriving;
mod ledger;
mod plan;
mod taken;

use std::sync::Arc;

use ledger::Ledger;
use parking_lot::{Mutex, MutexGuard};

pub use arriving::{Arriving, NoRoom};
pub use taken::Taken;

/// How many parts there are.
pub(crate) const PARTS: usize = 9;

/// Who takes memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What sources have read, until the hub has it.
    Sources,
    /// Bodies of HTTP requests that come in.
    Bodies,
    /// What each connection holds for itself.
    Connections,
    /// Requests of Kafka's clients.
    Requests,
    /// Records that are checked for Kafka's clients.
    Fetches,
    /// What sinks have read, and what they make of it.
    Sinks,
    /// Dead letters on their way.
    DeadLetters,
    /// Keys of topics that are compacted.
    Compaction,
    /// What is known of each file.
    Files,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; PARTS] = [
        Self::Sources,
        Self::Bodies,
        Self::Connections,
        Self::Requests,
        Self::Fetches,
        Self::Sinks,
        Self::DeadLetters,
        Self::Compaction,
        Self::Files,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sources => "sources",
            Self::Bodies => "bodies",
            Self::Connections => "connections",
            Self::Requests => "requests",
            Self::Fetches => "fetches",
            Self::Sinks => "sinks",
            Self::DeadLetters => "dead_letters",
            Self::Compaction => "compaction",
            Self::Files => "files",
        }
    }

    /// Whether the limit of sources (`buffer_memory`) holds for it and `sources` together.
    const fn is_of_sources(self) -> bool {
        matches!(self, Self::Sources | Self::Bodies)
    }
}

/// What one part may have, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// What nobody else gets.
    pub reserve: usize,
    /// Most of it.
    pub max: usize,
}

/// The budget. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory {
    ledger: Arc<Mutex<Ledger>>,
}

impl Memory {
    /// So many bytes, and what each part may have of them, in the order of [`Part::ALL`].
    #[must_use]
    pub fn new(total: usize, limits: [Limit; PARTS]) -> Self {
        Self { ledger: Arc::new(Mutex::new(Ledger::new(total, limits))) }
    }

    /// So many bytes for whoever comes first.
    #[must_use]
    pub fn shared(total: usize) -> Self {
        Self::new(total, [Limit { reserve: 0, max: total }; PARTS])
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock()
    }

    /// All that there is, bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.ledger().total()
    }

    /// Bytes that a part holds.
    #[must_use]
    pub fn held(&self, part: Part) -> usize {
        self.ledger().held(part)
    }

    /// Most bytes that a part may hold.
    #[must_use]
    pub fn max(&self, part: Part) -> usize {
        self.ledger().max(part)
    }

    /// How many wait for bytes of a part.
    #[must_use]
    pub fn waiting(&self, part: Part) -> usize {
        self.ledger().waiting(part)
    }

    /// Nothing yet.
    #[must_use]
    pub fn nothing(&self, part: Part) -> Taken {
        Taken::new(self.clone(), part, 0)
    }

    /// Bytes, if they are there and nobody came before who waits for them. What is larger than the part may hold gets all
    /// of that.
    #[must_use]
    pub fn try_take(&self, part: Part, bytes: usize) -> Option<Taken> {
        let mut taken = self.nothing(part);
        taken.try_grow(bytes).then_some(taken)
    }

    /// Bytes, once they are there; the first who comes is the first who gets. What is larger than the part may hold gets
    /// all of that.
    ///
    /// Cancel safe: a future that is dropped has taken nothing.
    pub async fn take(&self, part: Part, bytes: usize) -> Taken {
        let mut taken = self.nothing(part);
        taken.grow(bytes).await;
        taken
    }

    /// Notes bytes that are there whatever the budget says; others wait until they are given back.
    #[must_use]
    pub fn force(&self, part: Part, bytes: usize) -> Taken {
        self.ledger().force(part, bytes);
        Taken::new(self.clone(), part, bytes)
    }
}
