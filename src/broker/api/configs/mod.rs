//! `DescribeConfigs`, `AlterConfigs`, `IncrementalAlterConfigs`, `ListConfigResources`: settings under Kafka's names.
//!
//! | resource | what there is | changed by clients |
//! |---|---|---|
//! | topic | all that Kafka 4 knows | all, kept with the topic |
//! | broker | what means something here, and the defaults of all topics | the defaults of topics, for all brokers (``) or this one (`1`) |
//! | group | all that Kafka 4 knows | those of consumer groups |
//! | client metrics, logger | Kafka's defaults, nothing | nothing |
//!
//! A value says where it comes from: set for the topic or group, for this broker, for all brokers, by the configuration
//! file, or by default. What the configuration file says in other words than Kafka's default has the source of a file, so
//! that a client sees that a topic which it makes is kept otherwise than it may think.

mod alter;
mod broker;
mod describe;
mod groups;
mod origin;
mod resources;
mod target;

use kafka_protocol::error::ResponseError as Code;

use super::Call;
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;

pub(super) use alter::{alter, alter_incrementally};
pub(super) use describe::describe;
pub(super) use origin::{Origin, origins};
pub(super) use resources::list;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// A refusal, with words for a person; where Kafka has none for it, neither has this.
type Refused = (Code, String);

/// Whether the client may do that with the settings of a resource.
fn allowed(call: &Call, operation: Operation, (kind, name): (i8, &str)) -> Result<(), Refused> {
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
fn check_broker(name: &str, expected: &str, not_a_number: &str) -> Result<(), Refused> {
    let refuse = |why| Err((Code::InvalidRequest, why));
    match name.parse::<i32>() {
        Ok(NODE) => Ok(()),
        Ok(other) => refuse(format!("Unexpected broker id, expected {expected}received {other}")),
        Err(_) => refuse(format!("{not_a_number} must be an integer, but it is: {name}")),
    }
}
