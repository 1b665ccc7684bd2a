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
mod budget;
mod ledger;
mod part;
mod plan;
mod taken;

pub use arriving::{Arriving, NoRoom};
pub use budget::Memory;
pub use part::{Limit, Part};
pub use taken::Taken;
