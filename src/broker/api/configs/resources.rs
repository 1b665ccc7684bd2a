//! `ListConfigResources`: what has settings (KIP-1142).

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use kafka_protocol::protocol::StrBytes;

use super::kind::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC};
use crate::auth::acl::{Operation, Resource};
use crate::broker::NODE;
use crate::broker::api::Call;
use crate::hub::embedded::topics::kept;

/// All types, in Kafka's order.
const TYPES: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(in crate::broker::api) async fn list(
    call: Arc<Call>,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let refused = |code: Code| ListConfigResourcesResponse::default().with_error_code(code.code());
    if !call.may(Operation::DescribeConfigs, Resource::CLUSTER) {
        return refused(Code::ClusterAuthorizationFailed);
    }
    // Version 0 knows nothing but metrics of clients (KIP-714).
    let wanted = match request.resource_types {
        _ if call.version == 0 => vec![CLIENT_METRICS],
        types if types.is_empty() => TYPES.to_vec(),
        types => types,
    };
    if wanted.iter().any(|kind| !TYPES.contains(kind)) {
        return refused(Code::UnsupportedVersion);
    }
    let node = || vec![NODE.to_string()];
    let all = [
        (GROUP, call.hub().kept(kept::GROUP).into_keys().collect()),
        (BROKER_LOGGER, node()),
        (BROKER, node()),
        (TOPIC, call.hub().topic_states().iter().map(|state| state.topic.name.clone()).collect()),
    ];
    let of_wanted = all.into_iter().filter(|(kind, _)| wanted.contains(kind));
    let resources = of_wanted.flat_map(|(kind, names)| {
        names.into_iter().map(move |name: String| {
            ConfigResource::default()
                .with_resource_type(kind)
                .with_resource_name(StrBytes::from_string(name))
        })
    });
    ListConfigResourcesResponse::default().with_config_resources(resources.collect())
}
