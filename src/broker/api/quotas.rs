//! `DescribeClientQuotas`, `AlterClientQuotas`: there are no quotas, so none are found, and none can be set.
//!
//! A request that Kafka refuses is refused as it does it, and taking a quota away that is not there is done. Source:
//! KIP-546.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::alter_client_quotas_request::EntryData as Wanted;
use kafka_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::acl_creation::Refused;
use crate::auth::acl::{Operation, Resource};

const ENTITIES: [&str; 3] = ["user", "client-id", "ip"];
const KEYS: [&str; 5] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];
/// How a component of a filter is matched: exactly, the default, any.
const EXACT: i8 = 0;
const ANY: i8 = 2;

fn denied() -> Refused {
    (Code::ClusterAuthorizationFailed, "Cluster authorization failed.".to_owned())
}

pub(super) async fn describe(
    call: Arc<Call>,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let fault = request.components.iter().find_map(|component| {
        let kind = component.entity_type.as_str();
        if !(EXACT..=ANY).contains(&component.match_type) {
            let why = format!("Unknown match type {}", component.match_type);
            return Some((Code::InvalidRequest, why));
        }
        if component.match_type == EXACT && component._match.is_none() {
            let why = "Request specified MATCH_TYPE_EXACT, but set match string to null.";
            return Some((Code::InvalidRequest, why.to_owned()));
        }
        (!ENTITIES.contains(&kind))
            .then(|| (Code::UnsupportedVersion, format!("Unsupported entity type {kind}")))
    });
    let allowed = call.may(Operation::DescribeConfigs, Resource::CLUSTER);
    match if allowed { fault } else { Some(denied()) } {
        None => DescribeClientQuotasResponse::default()
            .with_error_message(Some(StrBytes::new()))
            .with_entries(Some(Vec::new())),
        Some((code, why)) => DescribeClientQuotasResponse::default()
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(why)))
            .with_entries(None),
    }
}

pub(super) async fn alter(
    call: Arc<Call>,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let allowed = call.may(Operation::AlterConfigs, Resource::CLUSTER);
    let entries = request.entries.into_iter().map(|entry| {
        let fault = if allowed { fault_of(&entry) } else { Some(denied()) };
        let entity = entry.entity.into_iter().map(|one| {
            EntityData::default()
                .with_entity_type(one.entity_type)
                .with_entity_name(one.entity_name)
        });
        let answer = EntryData::default().with_entity(entity.collect());
        match fault {
            None => answer.with_error_message(None),
            Some((code, why)) => answer
                .with_error_code(code.code())
                .with_error_message(Some(StrBytes::from_string(why))),
        }
    });
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}

fn fault_of(entry: &Wanted) -> Option<Refused> {
    let invalid = |why: String| Some((Code::InvalidRequest, why));
    if entry.entity.is_empty() {
        return invalid("Invalid empty client quota entity".to_owned());
    }
    let strange = |kind: &&str| !ENTITIES.contains(kind);
    if let Some(kind) = entry.entity.iter().map(|one| one.entity_type.as_str()).find(strange) {
        return invalid(format!("Unhandled client quota entity type: {kind}"));
    }
    for op in &entry.ops {
        let key = op.key.as_str();
        if !KEYS.contains(&key) {
            return invalid(format!("Invalid configuration key {key}"));
        }
        if !op.remove && op.value <= 0.0 {
            return invalid(format!("Quota {key} must be greater than 0"));
        }
        if !op.remove {
            return invalid("there are no quotas here: nobody is held back".to_owned());
        }
    }
    None
}
