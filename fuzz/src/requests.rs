//! A valid request of each API and version, as the encoders of `kafka-protocol` write it, with values that matter.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes};

use crate::batches;
use crate::random::Random;

/// A whole request without its length in front; `None` where the encoder refuses those values in that version.
pub(crate) fn frame(key: ApiKey, version: i16, random: &mut Random) -> Option<Vec<u8>> {
    let mut frame = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(random.int())
        .with_client_id(random.maybe(Random::text));
    header.encode(&mut frame, key.request_header_version(version)).ok()?;
    // The encoder writes Produce from version 3 on.
    request(key, version, random)?.encode(&mut frame, version).ok()?;
    Some(frame.to_vec())
}

fn request(key: ApiKey, version: i16, r: &mut Random) -> Option<RequestKind> {
    data(key, version, r)
        .or_else(|| groups(key, version, r))
        .or_else(|| topics(key, version, r))
        .or_else(|| cluster(key, version, r).or_else(|| transactions(key, version, r)))
}

fn data(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::Produce => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    let records = r.maybe(|r| Bytes::from(batches::records(r)));
                    PartitionProduceData::default().with_index(r.partition()).with_records(records)
                });
                TopicProduceData::default().with_name(r.topic()).with_partition_data(partitions)
            });
            let transaction = if r.one_in(6) { Some(r.transaction()) } else { None };
            RequestKind::Produce(
                ProduceRequest::default()
                    .with_transactional_id(transaction)
                    .with_acks(r.pick(&[1, 1, 1, -1, -1, 0, 2, i16::MIN]))
                    .with_timeout_ms(r.int())
                    .with_topic_data(topics),
            )
        }
        ApiKey::Fetch => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    let one = FetchPartition::default()
                        .with_partition(r.partition())
                        .with_fetch_offset(r.long())
                        .with_log_start_offset(if v >= 5 { r.long() } else { -1 })
                        .with_partition_max_bytes(r.pick(&[1 << 20, 0, 1, -1, i32::MAX]));
                    let one = if v >= 9 {
                        one.with_current_leader_epoch(r.pick(&[-1, -1, 0, 1, 9]))
                    } else {
                        one
                    };
                    if v >= 12 { one.with_last_fetched_epoch(r.pick(&[-1, 0, 1])) } else { one }
                });
                FetchTopic::default().with_topic(r.topic()).with_partitions(partitions)
            });
            let forgotten = r.many(|r| {
                ForgottenTopic::default()
                    .with_topic(r.topic())
                    .with_partitions(r.many(Random::partition))
            });
            let request = FetchRequest::default()
                .with_replica_id(BrokerId(r.pick(&[-1, -1, 0, 1])))
                .with_max_wait_ms(r.wait())
                .with_min_bytes(r.pick(&[1, 0, -1, 1 << 20]))
                .with_max_bytes(r.pick(&[1 << 20, 0, i32::MAX]))
                .with_isolation_level(r.pick(&[0, 1, 2, -1]))
                .with_topics(topics);
            let request = if v >= 7 {
                request
                    .with_session_id(r.pick(&[0, 0, 0, 1]))
                    .with_session_epoch(r.pick(&[-1, 0, 1]))
                    .with_forgotten_topics_data(forgotten)
            } else {
                request
            };
            let request = if v >= 11 { request.with_rack_id(r.text()) } else { request };
            RequestKind::Fetch(if v >= 12 {
                request.with_cluster_id(r.maybe(Random::text))
            } else {
                request
            })
        }
        ApiKey::ListOffsets => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    let one = ListOffsetsPartition::default()
                        .with_partition_index(r.partition())
                        .with_timestamp(r.long());
                    if v >= 4 {
                        one.with_current_leader_epoch(r.pick(&[-1, -1, 0, 1, 9]))
                    } else {
                        one
                    }
                });
                ListOffsetsTopic::default().with_name(r.topic()).with_partitions(partitions)
            });
            let request =
                ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
            RequestKind::ListOffsets(if v >= 2 {
                request.with_isolation_level(r.pick(&[0, 1, 5]))
            } else {
                request
            })
        }
        ApiKey::OffsetForLeaderEpoch => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    OffsetForLeaderPartition::default()
                        .with_partition(r.partition())
                        .with_current_leader_epoch(r.pick(&[-1, 0, 1, 9]))
                        .with_leader_epoch(r.int())
                });
                OffsetForLeaderTopic::default().with_topic(r.topic()).with_partitions(partitions)
            });
            RequestKind::OffsetForLeaderEpoch(
                OffsetForLeaderEpochRequest::default().with_topics(topics),
            )
        }
        ApiKey::DeleteRecords => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    DeleteRecordsPartition::default()
                        .with_partition_index(r.partition())
                        .with_offset(r.long())
                });
                DeleteRecordsTopic::default().with_name(r.topic()).with_partitions(partitions)
            });
            RequestKind::DeleteRecords(
                DeleteRecordsRequest::default().with_topics(topics).with_timeout_ms(r.int()),
            )
        }
        ApiKey::SaslHandshake => {
            RequestKind::SaslHandshake(SaslHandshakeRequest::default().with_mechanism(r.text()))
        }
        ApiKey::SaslAuthenticate => RequestKind::SaslAuthenticate(
            SaslAuthenticateRequest::default().with_auth_bytes(r.text().into_bytes()),
        ),
        _ => return None,
    })
}

fn groups(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    let instance = if r.one_in(4) { Some(r.text()) } else { None };
    Some(match key {
        ApiKey::OffsetCommit => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    let one = OffsetCommitRequestPartition::default()
                        .with_partition_index(r.partition())
                        .with_committed_offset(r.long())
                        .with_committed_metadata(r.maybe(Random::text));
                    if v >= 6 { one.with_committed_leader_epoch(r.int()) } else { one }
                });
                OffsetCommitRequestTopic::default().with_name(r.topic()).with_partitions(partitions)
            });
            let request = OffsetCommitRequest::default()
                .with_group_id(r.group())
                .with_generation_id_or_member_epoch(r.pick(&[-1, -1, 0, 1, i32::MAX]))
                .with_member_id(r.text())
                .with_topics(topics);
            let request = if v <= 4 { request.with_retention_time_ms(r.long()) } else { request };
            RequestKind::OffsetCommit(if v >= 7 {
                request.with_group_instance_id(instance)
            } else {
                request
            })
        }
        ApiKey::OffsetFetch if v >= 8 => {
            let groups = r.many(|r| {
                let topics = r.many(|r| {
                    OffsetFetchRequestTopics::default()
                        .with_name(r.topic())
                        .with_partition_indexes(r.many(Random::partition))
                });
                let topics = r.maybe(|_| topics);
                OffsetFetchRequestGroup::default().with_group_id(r.group()).with_topics(topics)
            });
            RequestKind::OffsetFetch(
                OffsetFetchRequest::default().with_groups(groups).with_require_stable(r.flag()),
            )
        }
        ApiKey::OffsetFetch => {
            let topics = r.many(|r| {
                OffsetFetchRequestTopic::default()
                    .with_name(r.topic())
                    .with_partition_indexes(r.many(Random::partition))
            });
            let topics = if v >= 2 { r.maybe(|_| topics) } else { Some(topics) };
            let request =
                OffsetFetchRequest::default().with_group_id(r.group()).with_topics(topics);
            RequestKind::OffsetFetch(if v >= 7 {
                request.with_require_stable(r.flag())
            } else {
                request
            })
        }
        ApiKey::FindCoordinator => {
            let request = FindCoordinatorRequest::default();
            let request = if v >= 4 {
                request.with_coordinator_keys(r.many(Random::text))
            } else {
                request.with_key(r.text())
            };
            RequestKind::FindCoordinator(if v >= 1 {
                request.with_key_type(r.pick(&[0, 1, 2, -1]))
            } else {
                request
            })
        }
        ApiKey::JoinGroup => {
            let protocols = r.many(|r| {
                JoinGroupRequestProtocol::default()
                    .with_name(r.text())
                    .with_metadata(r.bytes().into())
            });
            let request = JoinGroupRequest::default()
                .with_group_id(r.group())
                .with_session_timeout_ms(r.pick(&[6000, 10_000, 0, -1, i32::MAX]))
                .with_member_id(if r.flag() { StrBytes::new() } else { r.text() })
                .with_protocol_type(StrBytes::from_static_str(r.pick(&["consumer", "connect", ""])))
                .with_protocols(protocols);
            let request = if v >= 1 { request.with_rebalance_timeout_ms(r.int()) } else { request };
            let request = if v >= 5 { request.with_group_instance_id(instance) } else { request };
            RequestKind::JoinGroup(if v >= 8 {
                request.with_reason(r.maybe(Random::text))
            } else {
                request
            })
        }
        ApiKey::SyncGroup => {
            let assignments = r.many(|r| {
                SyncGroupRequestAssignment::default()
                    .with_member_id(r.text())
                    .with_assignment(r.bytes().into())
            });
            let request = SyncGroupRequest::default()
                .with_group_id(r.group())
                .with_generation_id(r.int())
                .with_member_id(r.text())
                .with_assignments(assignments);
            let request = if v >= 3 { request.with_group_instance_id(instance) } else { request };
            RequestKind::SyncGroup(if v >= 5 {
                request
                    .with_protocol_type(r.maybe(Random::text))
                    .with_protocol_name(r.maybe(Random::text))
            } else {
                request
            })
        }
        ApiKey::Heartbeat => {
            let request = HeartbeatRequest::default()
                .with_group_id(r.group())
                .with_generation_id(r.int())
                .with_member_id(r.text());
            RequestKind::Heartbeat(if v >= 3 {
                request.with_group_instance_id(instance)
            } else {
                request
            })
        }
        ApiKey::LeaveGroup if v >= 3 => {
            let members = r.many(|r| {
                let one = MemberIdentity::default()
                    .with_member_id(r.text())
                    .with_group_instance_id(r.maybe(Random::text));
                if v >= 5 { one.with_reason(r.maybe(Random::text)) } else { one }
            });
            RequestKind::LeaveGroup(
                LeaveGroupRequest::default().with_group_id(r.group()).with_members(members),
            )
        }
        ApiKey::LeaveGroup => RequestKind::LeaveGroup(
            LeaveGroupRequest::default().with_group_id(r.group()).with_member_id(r.text()),
        ),
        ApiKey::DescribeGroups => {
            let request = DescribeGroupsRequest::default().with_groups(r.many(Random::group));
            RequestKind::DescribeGroups(if v >= 3 {
                request.with_include_authorized_operations(r.flag())
            } else {
                request
            })
        }
        ApiKey::ListGroups => {
            let request = ListGroupsRequest::default();
            let request =
                if v >= 4 { request.with_states_filter(r.many(Random::text)) } else { request };
            RequestKind::ListGroups(if v >= 5 {
                request.with_types_filter(r.many(Random::text))
            } else {
                request
            })
        }
        ApiKey::DeleteGroups => RequestKind::DeleteGroups(
            DeleteGroupsRequest::default().with_groups_names(r.many(Random::group)),
        ),
        ApiKey::OffsetDelete => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    OffsetDeleteRequestPartition::default().with_partition_index(r.partition())
                });
                OffsetDeleteRequestTopic::default().with_name(r.topic()).with_partitions(partitions)
            });
            RequestKind::OffsetDelete(
                OffsetDeleteRequest::default().with_group_id(r.group()).with_topics(topics),
            )
        }
        _ => return None,
    })
}

fn topics(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::Metadata => {
            let topics = r.many(|r| MetadataRequestTopic::default().with_name(Some(r.topic())));
            let topics = if v >= 1 { r.maybe(|_| topics) } else { Some(topics) };
            let request = MetadataRequest::default().with_topics(topics);
            let request =
                if v >= 4 { request.with_allow_auto_topic_creation(r.flag()) } else { request };
            RequestKind::Metadata(if v >= 8 {
                request.with_include_topic_authorized_operations(r.flag())
            } else {
                request
            })
        }
        ApiKey::CreateTopics => {
            let topics = r.many(|r| {
                let configs = r.many(|r| {
                    CreatableTopicConfig::default()
                        .with_name(r.text())
                        .with_value(r.maybe(Random::text))
                });
                let assigned = r.many(|r| {
                    CreatableReplicaAssignment::default()
                        .with_partition_index(r.partition())
                        .with_broker_ids(r.many(|r| BrokerId(r.partition())))
                });
                let is_assigned = r.one_in(4);
                CreatableTopic::default()
                    .with_name(r.topic())
                    .with_num_partitions(if is_assigned {
                        -1
                    } else {
                        r.pick(&[1, 2, 0, -1, -2, i32::MAX])
                    })
                    .with_replication_factor(if is_assigned {
                        -1
                    } else {
                        r.pick(&[1, -1, 0, 3, i16::MAX])
                    })
                    .with_assignments(if is_assigned { assigned } else { Vec::new() })
                    .with_configs(if r.flag() { configs } else { Vec::new() })
            });
            RequestKind::CreateTopics(
                CreateTopicsRequest::default()
                    .with_topics(topics)
                    .with_timeout_ms(r.int())
                    .with_validate_only(r.flag()),
            )
        }
        ApiKey::DeleteTopics => {
            // What is deleted here is missed by the others, so it is only what does not matter.
            let name = |r: &mut Random| {
                TopicName(StrBytes::from_static_str(r.pick(&["spare", "absent", "", ".."])))
            };
            let request = DeleteTopicsRequest::default().with_timeout_ms(r.int());
            RequestKind::DeleteTopics(if v >= 6 {
                request
                    .with_topics(r.many(|r| DeleteTopicState::default().with_name(r.maybe(name))))
            } else {
                request.with_topic_names(r.many(name))
            })
        }
        ApiKey::CreatePartitions => {
            let topics = r.many(|r| {
                let assigned = r.many(|r| {
                    CreatePartitionsAssignment::default()
                        .with_broker_ids(r.many(|r| BrokerId(r.partition())))
                });
                CreatePartitionsTopic::default()
                    .with_name(r.topic())
                    .with_count(r.pick(&[1, 2, 3, 4, 0, -1, i32::MAX]))
                    .with_assignments(if r.one_in(3) { Some(assigned) } else { None })
            });
            RequestKind::CreatePartitions(
                CreatePartitionsRequest::default()
                    .with_topics(topics)
                    .with_timeout_ms(r.int())
                    .with_validate_only(r.flag()),
            )
        }
        ApiKey::DescribeConfigs => {
            let resources = r.many(|r| {
                let (kind, name) = resource(r);
                let keys = r.many(Random::text);
                DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name)
                    .with_configuration_keys(r.maybe(|_| keys))
            });
            let request = DescribeConfigsRequest::default()
                .with_resources(resources)
                .with_include_synonyms(r.flag());
            RequestKind::DescribeConfigs(if v >= 3 {
                request.with_include_documentation(r.flag())
            } else {
                request
            })
        }
        ApiKey::AlterConfigs => {
            let resources = r.many(|r| {
                let (kind, name) = resource(r);
                let configs = r.many(|r| {
                    AlterableConfig::default().with_name(r.text()).with_value(r.maybe(Random::text))
                });
                AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name)
                    .with_configs(configs)
            });
            RequestKind::AlterConfigs(
                AlterConfigsRequest::default()
                    .with_resources(resources)
                    .with_validate_only(r.flag()),
            )
        }
        ApiKey::IncrementalAlterConfigs => {
            let resources = r.many(|r| {
                let (kind, name) = resource(r);
                let configs = r.many(|r| {
                    incremental::AlterableConfig::default()
                        .with_name(r.text())
                        .with_config_operation(r.pick(&[0, 1, 2, 3, 4, -1]))
                        .with_value(r.maybe(Random::text))
                });
                incremental::AlterConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(name)
                    .with_configs(configs)
            });
            RequestKind::IncrementalAlterConfigs(
                IncrementalAlterConfigsRequest::default()
                    .with_resources(resources)
                    .with_validate_only(r.flag()),
            )
        }
        _ => return None,
    })
}

fn resource(r: &mut Random) -> (i8, StrBytes) {
    let kind = r.pick(&[2, 2, 2, 4, 8, 0, -1]);
    (
        kind,
        if kind == 2 {
            r.topic().0
        } else {
            StrBytes::from_static_str(r.pick(&["1", "", "2", "x"]))
        },
    )
}

fn cluster(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::ApiVersions => {
            let request = ApiVersionsRequest::default();
            RequestKind::ApiVersions(if v >= 3 {
                request.with_client_software_name(r.text()).with_client_software_version(r.text())
            } else {
                request
            })
        }
        ApiKey::DescribeAcls => RequestKind::DescribeAcls(
            DescribeAclsRequest::default()
                .with_resource_type_filter(r.pick(&[1, 2, -1]))
                .with_resource_name_filter(r.maybe(Random::text))
                .with_pattern_type_filter(r.pick(&[3, 1, 0]))
                .with_principal_filter(r.maybe(Random::text))
                .with_host_filter(r.maybe(Random::text))
                .with_operation(r.pick(&[1, 0, -1]))
                .with_permission_type(r.pick(&[1, 0, -1])),
        ),
        ApiKey::DescribeLogDirs => {
            let topics = r.many(|r| {
                DescribableLogDirTopic::default()
                    .with_topic(r.topic())
                    .with_partitions(r.many(Random::partition))
            });
            RequestKind::DescribeLogDirs(
                DescribeLogDirsRequest::default().with_topics(r.maybe(|_| topics)),
            )
        }
        ApiKey::ElectLeaders => {
            let topics = r.many(|r| {
                TopicPartitions::default()
                    .with_topic(r.topic())
                    .with_partitions(r.many(Random::partition))
            });
            let request = ElectLeadersRequest::default()
                .with_topic_partitions(r.maybe(|_| topics))
                .with_timeout_ms(r.int());
            RequestKind::ElectLeaders(if v >= 1 {
                request.with_election_type(r.pick(&[0, 1, 7]))
            } else {
                request
            })
        }
        ApiKey::ListPartitionReassignments => {
            let topics = r.many(|r| {
                ListPartitionReassignmentsTopics::default()
                    .with_name(r.topic())
                    .with_partition_indexes(r.many(Random::partition))
            });
            RequestKind::ListPartitionReassignments(
                ListPartitionReassignmentsRequest::default().with_topics(r.maybe(|_| topics)),
            )
        }
        ApiKey::DescribeCluster => {
            let request = DescribeClusterRequest::default()
                .with_include_cluster_authorized_operations(r.flag());
            RequestKind::DescribeCluster(if v >= 1 {
                request.with_endpoint_type(r.pick(&[1, 2, 0]))
            } else {
                request
            })
        }
        ApiKey::DescribeProducers => {
            let topics = r.many(|r| {
                TopicRequest::default()
                    .with_name(r.topic())
                    .with_partition_indexes(r.many(Random::partition))
            });
            RequestKind::DescribeProducers(DescribeProducersRequest::default().with_topics(topics))
        }
        _ => return None,
    })
}

fn transactions(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    let (transaction, epoch) = (r.transaction(), r.short());
    let producer = ProducerId(r.pick(&[0, 1, 2, 3, 1000, -1, 1 << 40, i64::MAX]));
    Some(match key {
        ApiKey::InitProducerId => {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(r.maybe(|_| transaction))
                .with_transaction_timeout_ms(r.pick(&[60_000, 1, 0, -1, i32::MAX]));
            RequestKind::InitProducerId(if v >= 3 {
                request.with_producer_id(producer).with_producer_epoch(epoch)
            } else {
                request
            })
        }
        ApiKey::AddPartitionsToTxn => {
            let topics = r.many(|r| {
                AddPartitionsToTxnTopic::default()
                    .with_name(r.topic())
                    .with_partitions(r.many(Random::partition))
            });
            RequestKind::AddPartitionsToTxn(
                AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(transaction)
                    .with_v3_and_below_producer_id(producer)
                    .with_v3_and_below_producer_epoch(epoch)
                    .with_v3_and_below_topics(topics),
            )
        }
        ApiKey::AddOffsetsToTxn => RequestKind::AddOffsetsToTxn(
            AddOffsetsToTxnRequest::default()
                .with_transactional_id(transaction)
                .with_producer_id(producer)
                .with_producer_epoch(epoch)
                .with_group_id(r.group()),
        ),
        ApiKey::EndTxn => RequestKind::EndTxn(
            EndTxnRequest::default()
                .with_transactional_id(transaction)
                .with_producer_id(producer)
                .with_producer_epoch(epoch)
                .with_committed(r.flag()),
        ),
        ApiKey::TxnOffsetCommit => {
            let topics = r.many(|r| {
                let partitions = r.many(|r| {
                    let one = TxnOffsetCommitRequestPartition::default()
                        .with_partition_index(r.partition())
                        .with_committed_offset(r.long())
                        .with_committed_metadata(r.maybe(Random::text));
                    if v >= 2 { one.with_committed_leader_epoch(r.int()) } else { one }
                });
                TxnOffsetCommitRequestTopic::default()
                    .with_name(r.topic())
                    .with_partitions(partitions)
            });
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(transaction)
                .with_group_id(r.group())
                .with_producer_id(producer)
                .with_producer_epoch(epoch)
                .with_topics(topics);
            RequestKind::TxnOffsetCommit(if v >= 3 {
                request.with_generation_id(r.pick(&[-1, 0, 1])).with_member_id(r.text())
            } else {
                request
            })
        }
        ApiKey::DescribeTransactions => RequestKind::DescribeTransactions(
            DescribeTransactionsRequest::default()
                .with_transactional_ids(r.many(Random::transaction)),
        ),
        ApiKey::ListTransactions => {
            let request = ListTransactionsRequest::default()
                .with_state_filters(r.many(Random::text))
                .with_producer_id_filters(r.many(|r| ProducerId(r.long())));
            RequestKind::ListTransactions(if v >= 1 {
                request.with_duration_filter(r.long())
            } else {
                request
            })
        }
        _ => return None,
    })
}
