//! `WriteTxnMarkers`: ends what a transaction has written in some partitions, as `kafka-transactions.sh abort` asks it.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use kafka_protocol::messages::{WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::Call;
use super::metadata::code_of;
use crate::auth::acl::{Operation, Resource};

pub(super) async fn write(
    call: Arc<Call>,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let allowed = call.may(Operation::Alter, Resource::CLUSTER)
        || call.may(Operation::ClusterAction, Resource::CLUSTER);
    let mut markers = Vec::with_capacity(request.markers.len());
    for marker in request.markers {
        let producer = (marker.producer_id.0, marker.producer_epoch);
        let mut topics = Vec::with_capacity(marker.topics.len());
        for topic in marker.topics {
            let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
            for index in topic.partition_indexes {
                let at = (topic.name.as_str(), index);
                let code = if allowed {
                    end(&call, at, producer, marker.transaction_result).await
                } else {
                    Code::ClusterAuthorizationFailed.code()
                };
                partitions.push(
                    WritableTxnMarkerPartitionResult::default()
                        .with_partition_index(index)
                        .with_error_code(code),
                );
            }
            let answer = WritableTxnMarkerTopicResult::default().with_name(topic.name);
            topics.push(answer.with_partitions(partitions));
        }
        let answer = WritableTxnMarkerResult::default().with_producer_id(marker.producer_id);
        markers.push(answer.with_topics(topics));
    }
    WriteTxnMarkersResponse::default().with_markers(markers)
}

async fn end(call: &Call, (topic, index): (&str, i32), producer: (i64, i16), commit: bool) -> i16 {
    let state = call.hub().topic_state(topic).filter(|state| !state.is_internal());
    let partition = state.as_ref().and_then(|state| state.partition(index));
    let Some(partition) = partition else { return Code::UnknownTopicOrPartition.code() };
    let marked = call.hub().mark(Arc::clone(partition), producer, commit).await;
    marked.map_or_else(|error| code_of(&error).code(), |()| 0)
}
