//! The way of a request: from its frame, through the table, to the family that answers it.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, StrBytes};

use super::reply::{Pending, Reply, later, later_by_id};
use super::session::{Call, Session};
use super::table::APIS;
use super::{
    acls, by_id, cluster, configs, consumer_groups, delete_topics, fetch, groups, list_offsets,
    login, markers, metadata, offsets, produce, quorum, quotas, reassignments, refused,
    scram_users, share_offsets, topic_partitions, topics, transactions, versions,
};
use crate::broker::schema;

/// Reads a request and begins it; `None` when it cannot be read or is not served.
pub(in crate::broker) async fn begin(session: &Arc<Session>, frame: Bytes) -> Option<Pending> {
    let frame = match login::raw(session, frame).await {
        Ok(answer) => return answer,
        Err(frame) => frame,
    };
    let key = i16::from_be_bytes(*frame.first_chunk()?);
    let version = i16::from_be_bytes(*frame.get(2..)?.first_chunk()?);
    let correlation = i32::from_be_bytes(*frame.get(4..)?.first_chunk()?);
    let Some(api) = APIS.iter().find(|api| api.key as i16 == key) else {
        return refuse(session, (key, version, correlation), frame);
    };
    if !session.is_known() && !login::is_for_strangers(api.key) {
        return None;
    }
    if api.key == ApiKey::ApiVersions && !(0..=api.advertised.1).contains(&version) {
        let frame = versions::unsupported(correlation)?;
        return Some(Box::pin(std::future::ready(Reply::Frame(frame))));
    }
    if !(api.decoded_from..=api.advertised.1).contains(&version) {
        return None;
    }
    let flexible = version >= api.flexible_from;
    let mut body = frame;
    if !schema::is_sound("h h i", 0, false, &body) || !is_header_sound(&body, flexible) {
        return None;
    }
    let header = RequestHeader::decode(&mut body, if flexible { 2 } else { 1 }).ok()?;
    if !schema::is_sound(api.layout, version, flexible, &body) {
        return None;
    }
    let client_id = header.client_id.map(|id: StrBytes| id.to_string()).unwrap_or_default();
    let call = Arc::new(Call {
        session: Arc::clone(session),
        key: api.key,
        version,
        coded: version.min(api.coded_to),
        flexible,
        correlation,
        client_id,
    });
    dispatch(call, body).await
}

/// Answers a request to an API that is refused, in words.
fn refuse(
    session: &Session,
    (key, version, correlation): (i16, i16, i32),
    mut body: Bytes,
) -> Option<Pending> {
    let api = refused::find(key, version).filter(|_| session.is_known())?;
    let flexible = api.is_flexible(version);
    if !schema::is_sound("h h i", 0, false, &body) || !is_header_sound(&body, flexible) {
        return None;
    }
    RequestHeader::decode(&mut body, if flexible { 2 } else { 1 }).ok()?;
    let asks_passwords = session.security.sasl.is_some();
    let refusal = refused::Refusal { api, version, correlation, asks_passwords };
    let frame = refused::answer(refusal, &body)?;
    Some(Box::pin(std::future::ready(Reply::Frame(frame))))
}

/// Whether the header's client id and tagged fields are there; the id has a plain length in every version.
fn is_header_sound(frame: &[u8], flexible: bool) -> bool {
    let Some(length) = frame.get(8..).and_then(|rest| rest.first_chunk::<2>()) else {
        return false;
    };
    let length = usize::try_from(i16::from_be_bytes(*length)).unwrap_or(0);
    match frame.get(10 + length..) {
        Some(rest) if flexible => schema::has_tags(rest),
        Some(_) => true,
        None => false,
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Kafka has many requests that are not in the table"
)]
async fn dispatch(call: Arc<Call>, body: Bytes) -> Option<Pending> {
    match call.key {
        ApiKey::Produce => produce::begin(call, body).await,
        ApiKey::Fetch => fetch::begin(call, body),
        ApiKey::ListOffsets => later(call, body, list_offsets::list_offsets),
        ApiKey::OffsetForLeaderEpoch => later(call, body, list_offsets::for_leader_epoch),
        ApiKey::Metadata => later(call, body, metadata::metadata),
        ApiKey::ApiVersions => later(call, body, versions::api_versions),
        ApiKey::SaslHandshake => login::handshake(&call, body),
        ApiKey::SaslAuthenticate => login::authenticate(&call, body).await,
        ApiKey::FindCoordinator => later(call, body, metadata::find_coordinator),
        ApiKey::OffsetCommit => later_by_id(call, body, by_id::OFFSET_COMMIT, offsets::commit),
        ApiKey::OffsetFetch => later_by_id(call, body, by_id::OFFSET_FETCH, offsets::fetch),
        ApiKey::OffsetDelete => later(call, body, offsets::delete),
        ApiKey::JoinGroup => later(call, body, groups::join),
        ApiKey::SyncGroup => later(call, body, groups::sync),
        ApiKey::Heartbeat => later(call, body, groups::heartbeat),
        ApiKey::LeaveGroup => later(call, body, groups::leave),
        ApiKey::DescribeGroups => later(call, body, groups::describe),
        ApiKey::ListGroups => later(call, body, groups::list),
        ApiKey::DeleteGroups => later(call, body, groups::delete),
        ApiKey::ConsumerGroupHeartbeat => later(call, body, consumer_groups::heartbeat),
        ApiKey::ConsumerGroupDescribe => later(call, body, consumer_groups::describe),
        ApiKey::CreateTopics => later(call, body, topics::create),
        ApiKey::DeleteTopics => later(call, body, delete_topics::delete),
        ApiKey::CreatePartitions => later(call, body, topics::create_partitions),
        ApiKey::DeleteRecords => later(call, body, topics::delete_records),
        ApiKey::DescribeConfigs => later(call, body, configs::describe),
        ApiKey::AlterConfigs => later(call, body, configs::alter),
        ApiKey::IncrementalAlterConfigs => later(call, body, configs::alter_incrementally),
        ApiKey::DescribeCluster => later(call, body, cluster::describe),
        ApiKey::DescribeLogDirs => cluster::begin_log_dirs(call, body),
        ApiKey::DescribeAcls => later(call, body, acls::describe),
        ApiKey::ElectLeaders => later(call, body, cluster::elect_leaders),
        ApiKey::ListPartitionReassignments => later(call, body, reassignments::list),
        key => dispatch_rest(key, call, body),
    }
}

/// The rest: what is asked seldom.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "Kafka has many requests that are not in the table"
)]
fn dispatch_rest(key: ApiKey, call: Arc<Call>, body: Bytes) -> Option<Pending> {
    match key {
        ApiKey::AlterPartitionReassignments => later(call, body, reassignments::alter),
        ApiKey::AlterReplicaLogDirs => later(call, body, reassignments::alter_log_dirs),
        ApiKey::CreateAcls => later(call, body, acls::create),
        ApiKey::DeleteAcls => later(call, body, acls::delete),
        ApiKey::DescribeUserScramCredentials => later(call, body, scram_users::describe),
        ApiKey::AlterUserScramCredentials => later(call, body, scram_users::alter),
        ApiKey::DescribeClientQuotas => later(call, body, quotas::describe),
        ApiKey::AlterClientQuotas => later(call, body, quotas::alter),
        ApiKey::DescribeQuorum => later(call, body, quorum::describe),
        ApiKey::UpdateFeatures => later(call, body, quorum::update_features),
        ApiKey::UnregisterBroker => later(call, body, quorum::unregister),
        ApiKey::ListConfigResources => later(call, body, configs::list),
        ApiKey::DescribeTopicPartitions => later(call, body, topic_partitions::describe),
        ApiKey::DescribeShareGroupOffsets => later(call, body, share_offsets::describe),
        ApiKey::WriteTxnMarkers => later(call, body, markers::write),
        ApiKey::DescribeProducers => later(call, body, cluster::producers),
        ApiKey::InitProducerId => later(call, body, transactions::init_producer_id),
        ApiKey::AddPartitionsToTxn => later(call, body, transactions::add_partitions),
        ApiKey::AddOffsetsToTxn => later(call, body, transactions::add_offsets),
        ApiKey::EndTxn => later(call, body, transactions::end),
        ApiKey::TxnOffsetCommit => later(call, body, transactions::commit_offsets),
        ApiKey::DescribeTransactions => later(call, body, transactions::describe),
        ApiKey::ListTransactions => later(call, body, transactions::list),
        _ => None,
    }
}
