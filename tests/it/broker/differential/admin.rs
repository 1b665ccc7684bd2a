//! What administrates: rules, users, places of partitions, quotas, features; and what the hub only refuses.

use bytes::Bytes;
use kafka_protocol::messages::alter_client_quotas_request as quotas;
use kafka_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialDeletion;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use kafka_protocol::messages::*;

use super::Case;
use super::cases::{TOPIC, case, text, topic};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = access();
    cases.extend(places());
    cases.extend(quotas());
    cases.extend(cluster());
    cases.extend(pages());
    cases.extend(refused());
    cases
}

fn access() -> Vec<Case> {
    vec![
        case("create rules", ApiKey::CreateAcls, |_| {
            let creation = AclCreation::default()
                .with_resource_type(2)
                .with_resource_name(text("a"))
                .with_principal(text("User:a"))
                .with_host(text("*"))
                .with_operation(3)
                .with_permission_type(3);
            let request =
                CreateAclsRequest::default().with_creations(vec![creation.clone(), creation]);
            RequestKind::CreateAcls(request)
        }),
        case("delete rules", ApiKey::DeleteAcls, |_| {
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(2)
                .with_pattern_type_filter(3)
                .with_operation(1)
                .with_permission_type(1);
            RequestKind::DeleteAcls(DeleteAclsRequest::default().with_filters(vec![filter]))
        }),
        case("describe users: who is not there", ApiKey::DescribeUserScramCredentials, |_| {
            let users = ["nobody"].map(|name| UserName::default().with_name(text(name)));
            let request = DescribeUserScramCredentialsRequest::default();
            RequestKind::DescribeUserScramCredentials(request.with_users(Some(users.into())))
        }),
        case("delete users: who is not there", ApiKey::AlterUserScramCredentials, |_| {
            let deletion =
                ScramCredentialDeletion::default().with_name(text("nobody")).with_mechanism(1);
            let request = AlterUserScramCredentialsRequest::default();
            RequestKind::AlterUserScramCredentials(request.with_deletions(vec![deletion]))
        }),
    ]
}

fn places() -> Vec<Case> {
    let mut cases = Vec::new();
    for (of, number, brokers) in [
        (TOPIC, 0, Some(vec![1])),
        (TOPIC, 0, Some(vec![2])),
        (TOPIC, 0, Some(vec![1, 1])),
        (TOPIC, 0, Some(Vec::new())),
        (TOPIC, 0, None),
        (TOPIC, 9, Some(vec![1])),
        ("absent-topic", 0, Some(vec![1])),
    ] {
        let shown = format!("reassign: {of} {number} to {brokers:?}");
        cases.push(case(shown, ApiKey::AlterPartitionReassignments, move |_| {
            let brokers = brokers.as_ref().map(|all| all.iter().copied().map(BrokerId).collect());
            let one = ReassignablePartition::default().with_partition_index(number);
            let topics = ReassignableTopic::default()
                .with_name(topic(of))
                .with_partitions(vec![one.with_replicas(brokers)]);
            let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topics]);
            RequestKind::AlterPartitionReassignments(request.with_timeout_ms(5000))
        }));
    }
    for of in [TOPIC, "absent-topic"] {
        cases.push(case(
            format!("log folder elsewhere: {of}"),
            ApiKey::AlterReplicaLogDirs,
            move |_| {
                let topics = AlterReplicaLogDirTopic::default()
                    .with_name(topic(of))
                    .with_partitions(vec![0]);
                let folder = AlterReplicaLogDir::default()
                    .with_path(text("/nowhere"))
                    .with_topics(vec![topics]);
                let request = AlterReplicaLogDirsRequest::default().with_dirs(vec![folder]);
                RequestKind::AlterReplicaLogDirs(request)
            },
        ));
        cases.push(case(format!("markers: {of}"), ApiKey::WriteTxnMarkers, move |_| {
            let topics = WritableTxnMarkerTopic::default()
                .with_name(topic(of))
                .with_partition_indexes(vec![9]);
            let marker = WritableTxnMarker::default()
                .with_producer_id(ProducerId(77))
                .with_topics(vec![topics]);
            RequestKind::WriteTxnMarkers(
                WriteTxnMarkersRequest::default().with_markers(vec![marker]),
            )
        }));
    }
    cases
}

fn quotas() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, how) in [("user", 2), ("user", 0), ("bogus", 2), ("user", 9)] {
        let shown = format!("describe quotas: {kind} {how}");
        cases.push(case(shown, ApiKey::DescribeClientQuotas, move |_| {
            let component = ComponentData::default()
                .with_entity_type(text(kind))
                .with_match_type(how)
                .with_match(None);
            let request = DescribeClientQuotasRequest::default();
            RequestKind::DescribeClientQuotas(request.with_components(vec![component]))
        }));
    }
    for (kind, key, value, remove) in [
        ("user", "producer_byte_rate", 0.0, true),
        ("user", "producer_byte_rate", -5.0, false),
        ("user", "bogus", 5.0, false),
        ("bogus", "producer_byte_rate", 5.0, false),
    ] {
        let shown = format!("alter quotas: {kind} {key} {value} {remove}");
        cases.push(case(shown, ApiKey::AlterClientQuotas, move |_| {
            let entity = quotas::EntityData::default()
                .with_entity_type(text(kind))
                .with_entity_name(Some(text("differential")));
            let op =
                quotas::OpData::default().with_key(text(key)).with_value(value).with_remove(remove);
            let entry = quotas::EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
            let request = AlterClientQuotasRequest::default().with_entries(vec![entry]);
            RequestKind::AlterClientQuotas(request.with_validate_only(true))
        }));
    }
    cases
}

fn cluster() -> Vec<Case> {
    let mut cases = Vec::new();
    for (of, number) in [("__cluster_metadata", 0), (TOPIC, 0)] {
        cases.push(case(format!("quorum: {of}"), ApiKey::DescribeQuorum, move |_| {
            let one = PartitionData::default().with_partition_index(number);
            let topics = TopicData::default().with_topic_name(topic(of)).with_partitions(vec![one]);
            RequestKind::DescribeQuorum(DescribeQuorumRequest::default().with_topics(vec![topics]))
        }));
    }
    cases.push(case("update a feature that is not there", ApiKey::UpdateFeatures, |version| {
        let update =
            FeatureUpdateKey::default().with_feature(text("bogus")).with_max_version_level(1);
        let request = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
        let request = request.with_timeout_ms(5000);
        RequestKind::UpdateFeatures(if version >= 1 {
            request.with_validate_only(true)
        } else {
            request
        })
    }));
    cases.push(case("unregister a broker that is not there", ApiKey::UnregisterBroker, |_| {
        let request = UnregisterBrokerRequest::default().with_broker_id(BrokerId(9));
        RequestKind::UnregisterBroker(request)
    }));
    for kind in [4, 32, 77] {
        cases.push(case(
            format!("what has settings: {kind}"),
            ApiKey::ListConfigResources,
            move |version| {
                let request = ListConfigResourcesRequest::default();
                RequestKind::ListConfigResources(if version >= 1 {
                    request.with_resource_types(vec![kind])
                } else {
                    request
                })
            },
        ));
    }
    for endpoint in [1, 2, 3] {
        cases.push(case(
            format!("endpoints of type {endpoint}"),
            ApiKey::DescribeCluster,
            move |version| {
                let request = DescribeClusterRequest::default()
                    .with_include_cluster_authorized_operations(true);
                RequestKind::DescribeCluster(if version >= 1 {
                    request.with_endpoint_type(endpoint)
                } else {
                    request
                })
            },
        ));
    }
    cases
}

/// Topics in pages.
fn pages() -> Vec<Case> {
    let mut cases = Vec::new();
    for (limit, from) in
        [(100, None), (1, None), (1, Some(1)), (0, None), (5, Some(-1)), (5, Some(7))]
    {
        let shown = format!("topics by pages of {limit} from {from:?}");
        cases.push(case(shown, ApiKey::DescribeTopicPartitions, move |_| {
            let named = [TOPIC, "absent-topic", "not valid!"]
                .map(|name| TopicRequest::default().with_name(topic(name)));
            let cursor = from.map(|number| {
                Cursor::default().with_topic_name(topic(TOPIC)).with_partition_index(number)
            });
            RequestKind::DescribeTopicPartitions(
                DescribeTopicPartitionsRequest::default()
                    .with_topics(named.into())
                    .with_response_partition_limit(limit)
                    .with_cursor(cursor),
            )
        }));
    }
    cases
}

/// What Kafka has and the hub has not: it is answered, that is all.
fn refused() -> Vec<Case> {
    use RequestKind as K;
    let mut cases = Vec::new();
    let mut add = |key: ApiKey, request: RequestKind| {
        cases.push(case(format!("refused: {key:?}"), key, move |_| request.clone()));
    };
    let hmac = Bytes::from_static(b"x");
    add(
        ApiKey::CreateDelegationToken,
        K::CreateDelegationToken(CreateDelegationTokenRequest::default()),
    );
    add(
        ApiKey::RenewDelegationToken,
        K::RenewDelegationToken(RenewDelegationTokenRequest::default().with_hmac(hmac.clone())),
    );
    add(
        ApiKey::ExpireDelegationToken,
        K::ExpireDelegationToken(ExpireDelegationTokenRequest::default().with_hmac(hmac)),
    );
    add(
        ApiKey::DescribeDelegationToken,
        K::DescribeDelegationToken(DescribeDelegationTokenRequest::default().with_owners(None)),
    );
    add(
        ApiKey::ConsumerGroupDescribe,
        K::ConsumerGroupDescribe(ConsumerGroupDescribeRequest::default()),
    );
    add(ApiKey::ShareGroupHeartbeat, K::ShareGroupHeartbeat(ShareGroupHeartbeatRequest::default()));
    add(ApiKey::ShareGroupDescribe, K::ShareGroupDescribe(ShareGroupDescribeRequest::default()));
    add(ApiKey::ShareFetch, K::ShareFetch(ShareFetchRequest::default()));
    add(ApiKey::ShareAcknowledge, K::ShareAcknowledge(ShareAcknowledgeRequest::default()));
    add(ApiKey::AddRaftVoter, K::AddRaftVoter(AddRaftVoterRequest::default()));
    add(ApiKey::RemoveRaftVoter, K::RemoveRaftVoter(RemoveRaftVoterRequest::default()));
    add(
        ApiKey::InitializeShareGroupState,
        K::InitializeShareGroupState(InitializeShareGroupStateRequest::default()),
    );
    add(ApiKey::ReadShareGroupState, K::ReadShareGroupState(ReadShareGroupStateRequest::default()));
    add(
        ApiKey::WriteShareGroupState,
        K::WriteShareGroupState(WriteShareGroupStateRequest::default()),
    );
    add(
        ApiKey::DeleteShareGroupState,
        K::DeleteShareGroupState(DeleteShareGroupStateRequest::default()),
    );
    add(
        ApiKey::ReadShareGroupStateSummary,
        K::ReadShareGroupStateSummary(ReadShareGroupStateSummaryRequest::default()),
    );
    add(
        ApiKey::DescribeShareGroupOffsets,
        K::DescribeShareGroupOffsets(DescribeShareGroupOffsetsRequest::default()),
    );
    add(
        ApiKey::AlterShareGroupOffsets,
        K::AlterShareGroupOffsets(AlterShareGroupOffsetsRequest::default()),
    );
    add(
        ApiKey::DeleteShareGroupOffsets,
        K::DeleteShareGroupOffsets(DeleteShareGroupOffsetsRequest::default()),
    );
    cases
}
