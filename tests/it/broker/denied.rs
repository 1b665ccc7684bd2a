//! Every request that a client could make of what it may not touch, and what it is told.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use uuid::Uuid;

use super::rig::Rig;
use crate::support::Agent;

const TOPIC: i16 = 29;
const GROUP: i16 = 30;
const CLUSTER: i16 = 31;
const TRANSACTION: i16 = 53;
const UNKNOWN_ID: i16 = 100;

/// A client that has logged in and asks for whatever it is told to.
struct Asking(TcpStream);

impl Asking {
    fn new(rig: &Rig, name: &str, password: &str) -> Self {
        let mut asking = Self(TcpStream::connect(("127.0.0.1", rig.sasl)).unwrap());
        let mechanism = StrBytes::from_static_str("PLAIN");
        let chosen = asking.ask(1, &SaslHandshakeRequest::default().with_mechanism(mechanism));
        assert_eq!(chosen.error_code, 0);
        let message = Bytes::from(format!("\0{name}\0{password}"));
        let login = asking.ask(2, &SaslAuthenticateRequest::default().with_auth_bytes(message));
        assert_eq!(login.error_code, 0, "{:?}", login.error_message);
        asking
    }

    fn ask<Q: Request>(&mut self, version: i16, request: &Q) -> Q::Response {
        let mut frame = BytesMut::new();
        let header =
            RequestHeader::default().with_request_api_key(Q::KEY).with_request_api_version(version);
        header.encode(&mut frame, Q::header_version(version)).unwrap();
        request.encode(&mut frame, version).unwrap();
        self.0.write_all(&i32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(&frame).unwrap();
        let mut length = [0; 4];
        self.0.read_exact(&mut length).unwrap_or_else(|error| panic!("API {}: {error}", Q::KEY));
        let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut answer).unwrap();
        let mut answer = Bytes::from(answer);
        ResponseHeader::decode(&mut answer, Q::Response::header_version(version)).unwrap();
        Q::Response::decode(&mut answer, version).unwrap()
    }

    /// What is said to all that is about a topic.
    fn topic_codes(&mut self, topic: &'static str) -> Vec<i16> {
        let name = || TopicName(StrBytes::from_static_str(topic));
        let named = MetadataRequestTopic::default().with_name(Some(name()));
        let metadata = MetadataRequest::default().with_topics(Some(vec![named]));
        let fetch = fetch_request::FetchTopic::default()
            .with_topic(name())
            .with_partitions(vec![fetch_request::FetchPartition::default()]);
        let fetch = FetchRequest::default()
            .with_max_wait_ms(200)
            .with_min_bytes(1)
            .with_topics(vec![fetch]);
        let offsets = ListOffsetsTopic::default()
            .with_name(name())
            .with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-1)]);
        let offsets = ListOffsetsRequest::default().with_topics(vec![offsets]);
        let epochs = OffsetForLeaderTopic::default()
            .with_topic(name())
            .with_partitions(vec![OffsetForLeaderPartition::default()]);
        let epochs = OffsetForLeaderEpochRequest::default().with_topics(vec![epochs]);
        let records = DeleteRecordsTopic::default()
            .with_name(name())
            .with_partitions(vec![DeleteRecordsPartition::default()]);
        let records = DeleteRecordsRequest::default().with_topics(vec![records]);
        let producers = TopicRequest::default().with_name(name()).with_partition_indexes(vec![0]);
        let producers = DescribeProducersRequest::default().with_topics(vec![producers]);
        let group = || GroupId(StrBytes::from_static_str("bob-1"));
        let commit = OffsetCommitRequestTopic::default()
            .with_name(name())
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![commit]);
        let wanted =
            OffsetFetchRequestTopics::default().with_name(name()).with_partition_indexes(vec![0]);
        let wanted = OffsetFetchRequestGroup::default()
            .with_group_id(group())
            .with_topics(Some(vec![wanted]));
        let fetched = OffsetFetchRequest::default().with_groups(vec![wanted]);
        let beat = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group())
            .with_member_id(StrBytes::from_static_str("member"))
            .with_rebalance_timeout_ms(10_000)
            .with_subscribed_topic_names(Some(vec![name()]))
            .with_topic_partitions(Some(Vec::new()));
        let joined = self.ask(1, &beat).error_code;
        // So that others than members may commit again.
        self.ask(1, &beat.with_member_epoch(-1));
        vec![
            joined,
            self.ask(12, &metadata).topics[0].error_code,
            self.ask(12, &fetch).responses[0].partitions[0].error_code,
            self.ask(8, &offsets).topics[0].partitions[0].error_code,
            self.ask(4, &epochs).topics[0].partitions[0].error_code,
            self.ask(2, &records).topics[0].partitions[0].error_code,
            self.ask(0, &producers).topics[0].partitions[0].error_code,
            self.ask(8, &commit).topics[0].partitions[0].error_code,
            self.ask(8, &fetched).groups[0].topics[0].partitions[0].error_code,
        ]
    }

    /// What is said to who reads a topic by its id.
    fn id_code(&mut self, id: Uuid) -> i16 {
        let fetch = fetch_request::FetchTopic::default()
            .with_topic_id(id)
            .with_partitions(vec![fetch_request::FetchPartition::default()]);
        let fetch = FetchRequest::default().with_topics(vec![fetch]);
        self.ask(13, &fetch).responses[0].partitions[0].error_code
    }

    /// What is said to all that is about a group.
    fn group_codes(&mut self, name: &'static str) -> Vec<i16> {
        let group = || GroupId(StrBytes::from_static_str(name));
        let key = vec![StrBytes::from_static_str(name)];
        let find = FindCoordinatorRequest::default().with_coordinator_keys(key);
        let old = FindCoordinatorRequest::default().with_key(StrBytes::from_static_str(name));
        let join =
            JoinGroupRequest::default().with_group_id(group()).with_session_timeout_ms(10_000);
        let topic = TopicName(StrBytes::from_static_str("in-1"));
        let committed = OffsetCommitRequestTopic::default()
            .with_name(topic.clone())
            .with_partitions(vec![OffsetCommitRequestPartition::default()]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(group())
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![committed]);
        let wanted = OffsetFetchRequestGroup::default().with_group_id(group());
        let fetched = OffsetFetchRequest::default().with_groups(vec![wanted]);
        let all = OffsetFetchRequest::default().with_group_id(group()).with_topics(None);
        let forgotten = OffsetDeleteRequestTopic::default()
            .with_name(topic)
            .with_partitions(vec![OffsetDeleteRequestPartition::default()]);
        let forget =
            OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![forgotten]);
        let beat = ConsumerGroupHeartbeatRequest::default().with_group_id(group());
        let consumers = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()]);
        vec![
            self.ask(1, &beat).error_code,
            self.ask(1, &consumers).groups[0].error_code,
            self.ask(4, &find).coordinators[0].error_code,
            self.ask(2, &old).error_code,
            self.ask(5, &join).error_code,
            self.ask(3, &SyncGroupRequest::default().with_group_id(group())).error_code,
            self.ask(4, &HeartbeatRequest::default().with_group_id(group())).error_code,
            self.ask(5, &LeaveGroupRequest::default().with_group_id(group())).error_code,
            self.ask(5, &DescribeGroupsRequest::default().with_groups(vec![group()])).groups[0]
                .error_code,
            self.ask(8, &commit).topics[0].partitions[0].error_code,
            self.ask(8, &fetched).groups[0].error_code,
            self.ask(5, &all).error_code,
            self.ask(0, &forget).error_code,
            self.ask(2, &DeleteGroupsRequest::default().with_groups_names(vec![group()])).results
                [0]
            .error_code,
        ]
    }

    /// What is said to all that is about a transactional id.
    fn transaction_codes(&mut self, name: &'static str) -> Vec<i16> {
        let id = || TransactionalId(StrBytes::from_static_str(name));
        let find = FindCoordinatorRequest::default()
            .with_key_type(1)
            .with_coordinator_keys(vec![StrBytes::from_static_str(name)]);
        let init = InitProducerIdRequest::default().with_transactional_id(Some(id()));
        let offsets = AddOffsetsToTxnRequest::default().with_transactional_id(id());
        let topic = || TopicName(StrBytes::from_static_str("in-1"));
        let added = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
            .with_name(topic())
            .with_partitions(vec![0]);
        let add = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(id())
            .with_v3_and_below_topics(vec![added]);
        let held = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
            .with_name(topic())
            .with_partitions(vec![Default::default()]);
        let hold = TxnOffsetCommitRequest::default()
            .with_transactional_id(id())
            .with_group_id(GroupId(StrBytes::from_static_str("bob-1")))
            .with_topics(vec![held]);
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![id()]);
        vec![
            self.ask(4, &find).coordinators[0].error_code,
            self.ask(4, &init.with_transaction_timeout_ms(1000)).error_code,
            self.ask(3, &offsets).error_code,
            self.ask(3, &EndTxnRequest::default().with_transactional_id(id())).error_code,
            self.ask(0, &describe).transaction_states[0].error_code,
            self.ask(3, &add).results_by_topic_v3_and_below[0].results_by_partition[0]
                .partition_error_code,
            self.ask(3, &hold).topics[0].partitions[0].error_code,
        ]
    }

    /// What is said to all that is about the hub as a whole.
    fn cluster_codes(&mut self) -> Vec<i16> {
        let rules = DescribeAclsRequest::default()
            .with_resource_type_filter(1)
            .with_pattern_type_filter(1)
            .with_operation(1)
            .with_permission_type(1)
            .with_resource_name_filter(None)
            .with_principal_filter(None)
            .with_host_filter(None);
        vec![
            self.ask(3, &rules).error_code,
            self.ask(4, &DescribeLogDirsRequest::default().with_topics(None)).error_code,
            self.ask(2, &ElectLeadersRequest::default().with_topic_partitions(None)).error_code,
            self.ask(0, &ListPartitionReassignmentsRequest::default().with_topics(None)).error_code,
        ]
    }
}

const ACLS: &str = r#"    super_users: ["User:admin"]
    acls:
      - { principal: "User:bob", operations: [read], topic: "in-*" }
      - { principal: "User:bob", operations: [read], group: "bob-*" }
"#;

#[test]
fn what_is_forbidden_looks_the_same_whether_it_is_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let (mut bob, mut admin) =
        (Asking::new(&rig, "bob", "b-pass"), Asking::new(&rig, "admin", "x-pass"));
    let mut ids = Vec::new();
    for name in ["in-1", "out"] {
        let topic = CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_static_str(name)))
            .with_num_partitions(1)
            .with_replication_factor(1);
        let made = admin.ask(7, &CreateTopicsRequest::default().with_topics(vec![topic]));
        assert_eq!(made.topics[0].error_code, 0);
        ids.push(made.topics[0].topic_id);
    }

    assert_eq!(bob.topic_codes("out"), [TOPIC; 9]);
    assert_eq!(bob.topic_codes("missing"), [TOPIC; 9]);
    assert_eq!(bob.id_code(ids[1]), TOPIC);
    assert_eq!(bob.id_code(Uuid::from_u128(7)), UNKNOWN_ID);
    assert_eq!(bob.id_code(ids[0]), 0);
    // Deleting records is more than reading.
    assert_eq!(bob.topic_codes("in-1"), [0, 0, 0, 0, 0, TOPIC, 0, 0, 0]);
    assert_eq!(bob.group_codes("other"), [GROUP; 14]);
    let own = bob.group_codes("bob-1");
    assert_eq!(own.iter().filter(|code| **code == GROUP).count(), 2, "{own:?}");
    assert_eq!(bob.transaction_codes("any"), [TRANSACTION; 7]);
    assert_eq!(bob.cluster_codes(), [CLUSTER; 4]);
    let idempotent = InitProducerIdRequest::default().with_transactional_id(None);
    assert_eq!(bob.ask(4, &idempotent).error_code, CLUSTER);

    let all = [
        admin.topic_codes("out"),
        admin.group_codes("other"),
        admin.transaction_codes("any"),
        admin.cluster_codes(),
    ];
    assert_eq!(admin.id_code(ids[1]), 0);
    let denied = |code: &i16| [TOPIC, GROUP, CLUSTER, TRANSACTION].contains(code);
    assert!(!all.concat().iter().any(denied), "{all:?}");
}

#[test]
fn lists_have_only_what_may_be_seen_and_operations_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let (mut bob, mut admin) =
        (Asking::new(&rig, "bob", "b-pass"), Asking::new(&rig, "admin", "x-pass"));
    admin.topic_codes("in-1");
    for group in ["bob-1", "other"] {
        let partition = OffsetCommitRequestPartition::default();
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(StrBytes::from_static_str("in-1")))
            .with_partitions(vec![partition]);
        let commit = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic]);
        assert_eq!(admin.ask(8, &commit).topics[0].partitions[0].error_code, 0);
    }
    let groups = |asking: &mut Asking| {
        let listed = asking.ask(5, &ListGroupsRequest::default()).groups;
        let mut names: Vec<String> = listed.iter().map(|one| one.group_id.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(groups(&mut bob), ["bob-1"]);
    assert_eq!(groups(&mut admin), ["bob-1", "other"]);

    let metadata = MetadataRequest::default()
        .with_topics(None)
        .with_include_topic_authorized_operations(true)
        .with_include_cluster_authorized_operations(true);
    let seen = bob.ask(10, &metadata);
    assert_eq!(seen.topics.len(), 1);
    assert_eq!(seen.topics[0].topic_authorized_operations, 1 << 3 | 1 << 8);
    assert_eq!(seen.cluster_authorized_operations, 0);
    let seen = admin.ask(10, &metadata);
    assert_ne!(seen.cluster_authorized_operations, 0);
    let group = vec![GroupId(StrBytes::from_static_str("bob-1"))];
    let describe = DescribeGroupsRequest::default()
        .with_groups(group)
        .with_include_authorized_operations(true);
    assert_eq!(bob.ask(5, &describe).groups[0].authorized_operations, 1 << 3 | 1 << 8);

    let rules = DescribeAclsRequest::default()
        .with_resource_type_filter(2)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1)
        .with_resource_name_filter(None)
        .with_principal_filter(None)
        .with_host_filter(None);
    let resources = admin.ask(3, &rules).resources;
    assert_eq!(resources.len(), 1);
    let found = &resources[0];
    assert_eq!((found.resource_name.as_str(), found.pattern_type), ("in-", 4));
    assert_eq!(found.acls[0].principal.as_str(), "User:bob");
}
