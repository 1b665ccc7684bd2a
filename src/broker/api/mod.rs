//! The requests that are served: a table, and the way from a frame to its answer.
//!
//! Every API that a broker of Kafka 4.3.1 has is in the table, or in that of `refused.rs`, so that a client is told what
//! is missing. An API that is in neither, and a version outside of its range, ends the connection, as Kafka does it. Source: Kafka's protocol guide; KIP-511 for `ApiVersions`.

mod acl_creation;
mod acls;
mod by_id;
mod cluster;
mod configs;
mod consumer_groups;
mod delete_topics;
mod fetch;
mod fetch_answer;
mod groups;
mod list_offsets;
mod login;
mod markers;
mod metadata;
mod offsets;
mod produce;
mod quorum;
mod quotas;
mod reassignments;
mod records;
mod refused;
mod scram_users;
mod session;
mod share_offsets;
mod topic_partitions;
mod topics;
mod transactions;
mod versions;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use super::outlet::Piece;
use super::schema;
pub(super) use session::{Call, Session};

/// What goes back.
pub(super) enum Reply {
    /// A whole frame.
    Frame(Bytes),
    /// A whole frame in pieces.
    Pieces(Vec<Piece>),
    /// Nothing: the client has asked for no answer.
    Nothing,
    /// A whole frame, and then the connection ends.
    Last(Bytes),
    /// The connection ends.
    Close,
}

/// An answer that is under way.
pub(super) type Pending = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// One API: the versions that are advertised, those that can be decoded, the first flexible one, and its layout.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) key: ApiKey,
    pub(super) advertised: (i16, i16),
    decoded_from: i16,
    /// The last version that `kafka-protocol` has; later ones are the same but for what their handlers do.
    coded_to: i16,
    flexible_from: i16,
    layout: &'static str,
}

const fn api(key: ApiKey, advertised: (i16, i16), flexible_from: i16, layout: &'static str) -> Api {
    Api { key, advertised, decoded_from: advertised.0, coded_to: i16::MAX, flexible_from, layout }
}

const NEVER: i16 = i16::MAX;

/// Every API, by key.
pub(super) const APIS: &[Api] = &[
    // librdkafka below 2.11.1 compresses only where it sees version 0 of Produce.
    Api { decoded_from: 3, ..api(ApiKey::Produce, (0, 13), 9, "s@3- h i [s@-12 u@13- [i y]]") },
    api(
        ApiKey::Fetch,
        (4, 18),
        12,
        "i@-14 i i i b i@7- i@7- [s@-12 u@13- [i i@9- l i@12- l@5- i]] [s@-12 u@13- *i]@7- s@11-",
    ),
    Api { coded_to: 10, ..api(ApiKey::ListOffsets, (1, 11), 6, "i b@2- [s [i i@4- l]] i@10-") },
    api(ApiKey::Metadata, (0, 13), 9, "[u@10- s] b@4- b@8-10 b@8-"),
    Api {
        coded_to: 9,
        ..api(ApiKey::OffsetCommit, (2, 10), 8, "s i s s@7- l@2-4 [s@-9 u@10- [i l i@6- s]]")
    },
    Api {
        coded_to: 9,
        ..api(
            ApiKey::OffsetFetch,
            (1, 10),
            6,
            "s@-7 [s *i]@-7 [s s@9- i@9- [s@-9 u@10- *i]]@8- b@7-",
        )
    },
    api(ApiKey::FindCoordinator, (0, 6), 3, "s@-3 b@1- *s@4-"),
    api(ApiKey::JoinGroup, (0, 9), 6, "s i i@1- s s@5- s [s y] s@8-"),
    api(ApiKey::Heartbeat, (0, 4), 4, "s i s s@3-"),
    api(ApiKey::LeaveGroup, (0, 5), 4, "s s@-2 [s s s@5-]@3-"),
    api(ApiKey::SyncGroup, (0, 5), 4, "s i s s@3- s@5- s@5- [s y]"),
    api(ApiKey::DescribeGroups, (0, 6), 5, "*s b@3-"),
    api(ApiKey::ListGroups, (0, 5), 3, "*s@4- *s@5-"),
    api(ApiKey::SaslHandshake, (0, 1), NEVER, "s"),
    api(ApiKey::ApiVersions, (0, 4), 3, "s@3- s@3-"),
    api(ApiKey::CreateTopics, (2, 7), 5, "[s i h [i *i] [s s]] i b"),
    api(ApiKey::DeleteTopics, (1, 6), 4, "[s u]@6- *s@-5 i"),
    api(ApiKey::DeleteRecords, (0, 2), 2, "[s [i l]] i"),
    api(ApiKey::InitProducerId, (0, 5), 2, "s i l@3- h@3-"),
    api(ApiKey::OffsetForLeaderEpoch, (2, 4), 4, "i@3- [s [i i i]]"),
    api(ApiKey::AddPartitionsToTxn, (0, 3), 3, "s l h [s *i]"),
    api(ApiKey::AddOffsetsToTxn, (0, 4), 3, "s l h s"),
    api(ApiKey::EndTxn, (0, 4), 3, "s l h b"),
    api(ApiKey::TxnOffsetCommit, (0, 4), 3, "s s l h i@3- s@3- s@3- [s [i l i@2- s]]"),
    api(ApiKey::WriteTxnMarkers, (1, 1), 1, "[l h b [s *i] i]"),
    api(ApiKey::DescribeAcls, (1, 3), 2, "b s b s s b b"),
    api(ApiKey::CreateAcls, (1, 3), 2, "[b s b s s b b]"),
    api(ApiKey::DeleteAcls, (1, 3), 2, "[b s b s s b b]"),
    api(ApiKey::DescribeConfigs, (1, 4), 4, "[b s *s] b b@3-"),
    api(ApiKey::AlterConfigs, (0, 2), 2, "[b s [s s]] b"),
    api(ApiKey::AlterReplicaLogDirs, (1, 2), 2, "[s [s *i]]"),
    Api { coded_to: 4, ..api(ApiKey::DescribeLogDirs, (1, 5), 2, "[s *i]") },
    api(ApiKey::SaslAuthenticate, (0, 2), 2, "y"),
    api(ApiKey::CreatePartitions, (0, 3), 2, "[s i [*i]] i b"),
    api(ApiKey::DeleteGroups, (0, 2), 2, "*s"),
    api(ApiKey::ElectLeaders, (0, 2), 2, "b@1- [s *i] i"),
    api(ApiKey::IncrementalAlterConfigs, (0, 1), 1, "[b s [s b s]] b"),
    api(ApiKey::AlterPartitionReassignments, (0, 1), 0, "i b@1- [s [i *i]]"),
    api(ApiKey::ListPartitionReassignments, (0, 0), 0, "i [s *i]"),
    api(ApiKey::OffsetDelete, (0, 0), NEVER, "s [s [i]]"),
    api(ApiKey::DescribeClientQuotas, (0, 1), 1, "[s b s] b"),
    api(ApiKey::AlterClientQuotas, (0, 1), 1, "[[s s] [s l b]] b"),
    api(ApiKey::DescribeUserScramCredentials, (0, 0), 0, "[s]"),
    api(ApiKey::AlterUserScramCredentials, (0, 0), 0, "[s b] [s b i y y]"),
    api(ApiKey::DescribeQuorum, (0, 2), 0, "[s [i]]"),
    api(ApiKey::UpdateFeatures, (0, 2), 0, "i [s h b@0-0 b@1-] b@1-"),
    api(ApiKey::DescribeCluster, (0, 2), 0, "b b@1- b@2-"),
    api(ApiKey::DescribeProducers, (0, 0), 0, "[s *i]"),
    api(ApiKey::UnregisterBroker, (0, 0), 0, "i"),
    api(ApiKey::DescribeTransactions, (0, 0), 0, "*s"),
    api(ApiKey::ListTransactions, (0, 2), 0, "*s *l l@1- s@2-"),
    api(ApiKey::ConsumerGroupHeartbeat, (0, 1), 0, "s s i s s i *s s@1- s [u *i]"),
    api(ApiKey::ConsumerGroupDescribe, (0, 1), 0, "*s b"),
    api(ApiKey::ListConfigResources, (0, 1), 0, "*b@1-"),
    api(ApiKey::DescribeTopicPartitions, (0, 0), 0, "[s] i ?[s i]"),
    api(ApiKey::DescribeShareGroupOffsets, (0, 0), 0, "[s [s *i]]"),
];

/// Reads a request and begins it; `None` when it cannot be read or is not served.
pub(super) async fn begin(session: &Arc<Session>, frame: Bytes) -> Option<Pending> {
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

/// Decodes now and answers when its turn has come.
fn later<Q, A, F, H>(call: Arc<Call>, mut body: Bytes, handler: H) -> Option<Pending>
where
    Q: Decodable + Send + 'static,
    A: Encodable,
    F: Future<Output = A> + Send + 'static,
    H: FnOnce(Arc<Call>, Q) -> F + Send + 'static,
{
    let request = Q::decode(&mut body, call.coded).ok()?;
    Some(Box::pin(async move {
        let answer = handler(Arc::clone(&call), request).await;
        encode(&call, &answer)
    }))
}

/// The same, where the last version names topics by their ids.
fn later_by_id<Q, A, F, H>(
    call: Arc<Call>,
    body: Bytes,
    layouts: by_id::Layouts,
    handler: H,
) -> Option<Pending>
where
    Q: Decodable + Send + 'static,
    A: Encodable,
    F: Future<Output = A> + Send + 'static,
    H: FnOnce(Arc<Call>, Q) -> F + Send + 'static,
{
    if call.version < by_id::BY_ID_FROM {
        return later(call, body, handler);
    }
    let mut body = by_id::named(layouts, &body)?;
    let request = Q::decode(&mut body, call.coded).ok()?;
    Some(Box::pin(async move {
        let answer = handler(Arc::clone(&call), request).await;
        let mut body = BytesMut::new();
        let encoded = answer.encode(&mut body, call.coded).ok();
        let body = encoded.and_then(|()| by_id::identified(layouts, &body));
        body.and_then(|body| whole(call.correlation, &body)).map_or(Reply::Close, Reply::Frame)
    }))
}

/// The frame of an answer of a flexible version.
fn whole(correlation: i32, body: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(9 + body.len());
    frame.put_i32(i32::try_from(5 + body.len()).ok()?);
    frame.put_i32(correlation);
    frame.put_u8(0);
    frame.put_slice(body);
    Some(frame.freeze())
}

/// The frame of an answer.
fn encode<A: Encodable>(call: &Call, answer: &A) -> Reply {
    // `ApiVersions` is answered with the plain header in every version.
    let tagged = call.flexible && call.key != ApiKey::ApiVersions;
    match frame(call.correlation, tagged, call.coded, answer) {
        Some(frame) => Reply::Frame(frame),
        None => {
            tracing::error!(api = ?call.key, version = call.version, "an answer cannot be encoded");
            Reply::Close
        }
    }
}

fn frame<A: Encodable>(correlation: i32, tagged: bool, version: i16, answer: &A) -> Option<Bytes> {
    let body = answer.compute_size(version).ok()?;
    let head = 4 + usize::from(tagged);
    let mut frame = BytesMut::with_capacity(4 + head + body);
    frame.put_i32(i32::try_from(head + body).ok()?);
    frame.put_i32(correlation);
    if tagged {
        frame.put_u8(0);
    }
    answer.encode(&mut frame, version).ok()?;
    Some(frame.freeze())
}
