//! What administrates: rules, users, places of partitions, quotas; and what is only refused.

use bytes::Bytes;
use kafka_protocol::messages::alter_client_quotas_request as quotas;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use crate::random::Random;

pub(super) fn admin(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::CreateAcls => create_acls(r),
        ApiKey::DeleteAcls => delete_acls(r),
        ApiKey::DescribeUserScramCredentials => describe_users(r),
        ApiKey::AlterUserScramCredentials => alter_users(r),
        ApiKey::AlterPartitionReassignments => reassign(v, r),
        ApiKey::AlterReplicaLogDirs => alter_log_dirs(r),
        ApiKey::DescribeClientQuotas => describe_quotas(r),
        ApiKey::AlterClientQuotas => alter_quotas(r),
        ApiKey::DescribeQuorum => describe_quorum(r),
        ApiKey::UpdateFeatures => update_features(v, r),
        ApiKey::UnregisterBroker => RequestKind::UnregisterBroker(
            UnregisterBrokerRequest::default().with_broker_id(BrokerId(r.int())),
        ),
        ApiKey::ListConfigResources => {
            let types =
                if v >= 1 { r.many(|r| r.pick(&[2, 4, 8, 16, 32, 0, -1])) } else { Vec::new() };
            let request = ListConfigResourcesRequest::default().with_resource_types(types);
            RequestKind::ListConfigResources(request)
        }
        ApiKey::DescribeTopicPartitions => describe_topic_partitions(r),
        ApiKey::DescribeShareGroupOffsets => {
            let group = |r: &mut Random| {
                DescribeShareGroupOffsetsRequestGroup::default().with_group_id(r.group())
            };
            let request = DescribeShareGroupOffsetsRequest::default().with_groups(r.many(group));
            RequestKind::DescribeShareGroupOffsets(request)
        }
        ApiKey::WriteTxnMarkers => write_markers(r),
        _ => return None,
    })
}

/// Of these nothing is read but a version, or names of groups.
pub(super) fn refused(key: ApiKey) -> Option<RequestKind> {
    use RequestKind as K;
    Some(match key {
        ApiKey::CreateDelegationToken => {
            K::CreateDelegationToken(CreateDelegationTokenRequest::default())
        }
        ApiKey::RenewDelegationToken => {
            K::RenewDelegationToken(RenewDelegationTokenRequest::default())
        }
        ApiKey::ExpireDelegationToken => {
            K::ExpireDelegationToken(ExpireDelegationTokenRequest::default())
        }
        ApiKey::DescribeDelegationToken => {
            K::DescribeDelegationToken(DescribeDelegationTokenRequest::default())
        }
        ApiKey::ConsumerGroupDescribe => {
            K::ConsumerGroupDescribe(ConsumerGroupDescribeRequest::default())
        }
        ApiKey::ShareGroupHeartbeat => {
            K::ShareGroupHeartbeat(ShareGroupHeartbeatRequest::default())
        }
        ApiKey::ShareGroupDescribe => K::ShareGroupDescribe(
            ShareGroupDescribeRequest::default()
                .with_group_ids(vec![GroupId(StrBytes::from_static_str("group"))]),
        ),
        ApiKey::ShareFetch => K::ShareFetch(ShareFetchRequest::default()),
        ApiKey::ShareAcknowledge => K::ShareAcknowledge(ShareAcknowledgeRequest::default()),
        ApiKey::AddRaftVoter => K::AddRaftVoter(AddRaftVoterRequest::default()),
        ApiKey::RemoveRaftVoter => K::RemoveRaftVoter(RemoveRaftVoterRequest::default()),
        ApiKey::InitializeShareGroupState => {
            K::InitializeShareGroupState(InitializeShareGroupStateRequest::default())
        }
        ApiKey::ReadShareGroupState => {
            K::ReadShareGroupState(ReadShareGroupStateRequest::default())
        }
        ApiKey::WriteShareGroupState => {
            K::WriteShareGroupState(WriteShareGroupStateRequest::default())
        }
        ApiKey::DeleteShareGroupState => {
            K::DeleteShareGroupState(DeleteShareGroupStateRequest::default())
        }
        ApiKey::ReadShareGroupStateSummary => {
            K::ReadShareGroupStateSummary(ReadShareGroupStateSummaryRequest::default())
        }
        ApiKey::AlterShareGroupOffsets => {
            K::AlterShareGroupOffsets(AlterShareGroupOffsetsRequest::default())
        }
        ApiKey::DeleteShareGroupOffsets => {
            K::DeleteShareGroupOffsets(DeleteShareGroupOffsetsRequest::default())
        }
        _ => return None,
    })
}

fn code(r: &mut Random) -> i8 {
    r.pick(&[1, 2, 3, 4, 5, 6, 7, 13, 0, -1, 77])
}

fn create_acls(r: &mut Random) -> RequestKind {
    let creation = |r: &mut Random| {
        AclCreation::default()
            .with_resource_type(code(r))
            .with_resource_name(r.text())
            .with_resource_pattern_type(code(r))
            .with_principal(StrBytes::from_static_str(r.pick(&["User:a", "User:*", "a", ""])))
            .with_host(StrBytes::from_static_str(r.pick(&["*", "127.0.0.1", ""])))
            .with_operation(code(r))
            .with_permission_type(code(r))
    };
    RequestKind::CreateAcls(CreateAclsRequest::default().with_creations(r.many(creation)))
}

fn delete_acls(r: &mut Random) -> RequestKind {
    let filter = |r: &mut Random| {
        DeleteAclsFilter::default()
            .with_resource_type_filter(code(r))
            .with_resource_name_filter(r.maybe(Random::text))
            .with_pattern_type_filter(code(r))
            .with_principal_filter(r.maybe(Random::text))
            .with_host_filter(r.maybe(Random::text))
            .with_operation(code(r))
            .with_permission_type(code(r))
    };
    RequestKind::DeleteAcls(DeleteAclsRequest::default().with_filters(r.many(filter)))
}

fn describe_users(r: &mut Random) -> RequestKind {
    let users = r.many(|r| UserName::default().with_name(r.text()));
    let request = DescribeUserScramCredentialsRequest::default();
    RequestKind::DescribeUserScramCredentials(request.with_users(r.maybe(|_| users)))
}

fn alter_users(r: &mut Random) -> RequestKind {
    let deletion = |r: &mut Random| {
        ScramCredentialDeletion::default().with_name(r.text()).with_mechanism(code(r))
    };
    let upsertion = |r: &mut Random| {
        ScramCredentialUpsertion::default()
            .with_name(r.text())
            .with_mechanism(code(r))
            .with_iterations(r.pick(&[4096, 8192, 0, -1, i32::MAX]))
            .with_salt(Bytes::from(r.bytes()))
            .with_salted_password(Bytes::from(r.bytes()))
    };
    RequestKind::AlterUserScramCredentials(
        AlterUserScramCredentialsRequest::default()
            .with_deletions(r.many(deletion))
            .with_upsertions(r.many(upsertion)),
    )
}

fn brokers(r: &mut Random) -> Vec<BrokerId> {
    r.many(|r| BrokerId(r.pick(&[1, 1, 2, -1])))
}

fn reassign(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| {
            let brokers = brokers(r);
            ReassignablePartition::default()
                .with_partition_index(r.partition())
                .with_replicas(r.maybe(|_| brokers))
        });
        ReassignableTopic::default().with_name(r.topic()).with_partitions(partitions)
    });
    let request = AlterPartitionReassignmentsRequest::default().with_topics(topics);
    let request = request.with_timeout_ms(r.int());
    RequestKind::AlterPartitionReassignments(if v >= 1 {
        request.with_allow_replication_factor_change(r.flag())
    } else {
        request
    })
}

fn alter_log_dirs(r: &mut Random) -> RequestKind {
    let folders = r.many(|r| {
        let topics = r.many(|r| {
            AlterReplicaLogDirTopic::default()
                .with_name(r.topic())
                .with_partitions(r.many(Random::partition))
        });
        AlterReplicaLogDir::default().with_path(r.text()).with_topics(topics)
    });
    RequestKind::AlterReplicaLogDirs(AlterReplicaLogDirsRequest::default().with_dirs(folders))
}

fn entity(r: &mut Random) -> StrBytes {
    StrBytes::from_static_str(r.pick(&["user", "client-id", "ip", "bogus", ""]))
}

fn describe_quotas(r: &mut Random) -> RequestKind {
    let component = |r: &mut Random| {
        ComponentData::default()
            .with_entity_type(entity(r))
            .with_match_type(r.pick(&[0, 1, 2, 9, -1]))
            .with_match(r.maybe(Random::text))
    };
    RequestKind::DescribeClientQuotas(
        DescribeClientQuotasRequest::default()
            .with_components(r.many(component))
            .with_strict(r.flag()),
    )
}

fn alter_quotas(r: &mut Random) -> RequestKind {
    let entry = |r: &mut Random| {
        let entity = r.many(|r| {
            quotas::EntityData::default()
                .with_entity_type(entity(r))
                .with_entity_name(r.maybe(Random::text))
        });
        let ops = r.many(|r| {
            quotas::OpData::default()
                .with_key(StrBytes::from_static_str(r.pick(&["producer_byte_rate", "bogus", ""])))
                .with_value(r.pick(&[0.0, 1000.0, -1.0, f64::NAN, f64::INFINITY]))
                .with_remove(r.flag())
        });
        quotas::EntryData::default().with_entity(entity).with_ops(ops)
    };
    RequestKind::AlterClientQuotas(
        AlterClientQuotasRequest::default()
            .with_entries(r.many(entry))
            .with_validate_only(r.flag()),
    )
}

fn describe_quorum(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let partitions = r.many(|r| PartitionData::default().with_partition_index(r.partition()));
        let name = TopicName(StrBytes::from_static_str(r.pick(&["__cluster_metadata", "plain"])));
        TopicData::default().with_topic_name(name).with_partitions(partitions)
    });
    RequestKind::DescribeQuorum(DescribeQuorumRequest::default().with_topics(topics))
}

fn update_features(v: i16, r: &mut Random) -> RequestKind {
    let update = |r: &mut Random| {
        let update =
            FeatureUpdateKey::default().with_feature(r.text()).with_max_version_level(r.short());
        if v >= 1 { update.with_upgrade_type(r.pick(&[1, 2, 3, 0])) } else { update }
    };
    let request = UpdateFeaturesRequest::default().with_feature_updates(r.many(update));
    let request = request.with_timeout_ms(r.int());
    RequestKind::UpdateFeatures(if v >= 1 { request.with_validate_only(r.flag()) } else { request })
}

fn describe_topic_partitions(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| TopicRequest::default().with_name(r.topic()));
    let cursor = Cursor::default().with_topic_name(r.topic()).with_partition_index(r.partition());
    RequestKind::DescribeTopicPartitions(
        DescribeTopicPartitionsRequest::default()
            .with_topics(topics)
            .with_response_partition_limit(r.int())
            .with_cursor(r.maybe(|_| cursor)),
    )
}

fn write_markers(r: &mut Random) -> RequestKind {
    let markers = r.many(|r| {
        let topics = r.many(|r| {
            WritableTxnMarkerTopic::default()
                .with_name(r.topic())
                .with_partition_indexes(r.many(Random::partition))
        });
        WritableTxnMarker::default()
            .with_producer_id(ProducerId(r.long()))
            .with_producer_epoch(r.short())
            .with_transaction_result(r.flag())
            .with_topics(topics)
            .with_coordinator_epoch(r.int())
    });
    RequestKind::WriteTxnMarkers(WriteTxnMarkersRequest::default().with_markers(markers))
}
