//! The kinds of what has settings, and whether the client may look at those of one, or change them.

use kafka_protocol::error::ResponseError as Code;

use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::broker::api::Call;

/// Kafka's numbers for what has settings.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// A refusal, with words for a person; where Kafka has none for it, neither has this.
pub(super) type Refused = (Code, String);

/// Whether the client may do that with the settings of a resource.
pub(super) fn allowed(
    call: &Call,
    operation: Operation,
    (kind, name): (i8, &str),
) -> Result<(), Refused> {
    let (resource, code, why) = match kind {
        TOPIC => (Resource::topic(name), Code::TopicAuthorizationFailed, "Topic"),
        GROUP => (Resource::group(name), Code::GroupAuthorizationFailed, "Group"),
        _ => (Resource::CLUSTER, Code::ClusterAuthorizationFailed, "Cluster"),
    };
    if call.may(operation, resource) {
        return Ok(());
    }
    Err((code, format!("{why} authorization failed.")))
}

/// Whether a name is that of the one broker, or of all.
pub(super) fn check_broker(name: &str, expected: &str, not_a_number: &str) -> Result<(), Refused> {
    let refuse = |why| Err((Code::InvalidRequest, why));
    match name.parse::<i32>() {
        Ok(NODE) => Ok(()),
        Ok(other) => refuse(format!("Unexpected broker id, expected {expected}received {other}")),
        Err(_) => refuse(format!("{not_a_number} must be an integer, but it is: {name}")),
    }
}
