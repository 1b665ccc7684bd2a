//! The requests that are served: a table, and the way from a frame to its answer.
//!
//! Every API that a broker of Kafka 4.3.1 has is in the table, or in that of `refused.rs`, so that a client is told what
//! is missing. An API that is in neither, and a version outside of its range, ends the connection, as Kafka does it.
//! Source: Kafka's protocol guide; KIP-511 for `ApiVersions`.
//!
//! | file          | concept                                                   |
//! |---------------|-----------------------------------------------------------|
//! | `table.rs`    | versions and layout of every API that is served           |
//! | `refused.rs`  | those that are refused in words                           |
//! | `session.rs`  | who is at the other end, and one request of theirs        |
//! | `reply.rs`    | what goes back                                            |
//! | `dispatch.rs` | the way from a frame to its family; it knows all of these |
//! | the others    | one family each; none knows the way                       |

mod acl_creation;
mod acls;
mod by_id;
mod cluster;
mod configs;
mod consumer_groups;
mod delete_topics;
mod dispatch;
mod fetch;
mod fetch_answer;
mod groups;
mod list_offsets;
mod login;
mod markers;
mod metadata;
mod offsets;
mod produce;
mod produce_refusal;
mod quorum;
mod quotas;
mod reassignments;
mod records;
mod refused;
mod reply;
mod scram_users;
mod session;
mod share_offsets;
mod table;
mod topic_partitions;
mod topics;
mod transactions;
mod versions;

pub(super) use dispatch::begin;
pub(super) use reply::{Pending, Reply};
pub(super) use session::{Call, Session};
