//! Names that mean something to the program: suffixes of topics, prefixes of sources.

/// Suffix of the topic that keeps a sink's dead letters.
pub const DEAD_LETTERS: &str = ".dlq";

/// Suffix of the topic that keeps what a sink could not deliver, for the sink that is its fallback.
pub const FALLBACK: &str = ".fallback";

/// Suffix of the topic that keeps what one sink alone is given again.
pub const REPLAY: &str = ".replay";

/// Prefix of the name under which they enter the producer.
pub const FALLBACK_SOURCE: &str = "fallback:";

/// Prefix of the name under which a sink's dead letters enter the producer; no source may have such a name.
pub const DEAD_LETTER_SOURCE: &str = "dead-letters:";
