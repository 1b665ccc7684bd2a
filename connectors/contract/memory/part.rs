//! Who takes memory, and how much of it one may have.

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
    pub(super) const fn is_of_sources(self) -> bool {
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
