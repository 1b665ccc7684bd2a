//! The cluster and what it knows of itself.

use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, DescribeAclsRequest, DescribeClusterRequest,
    DescribeLogDirsRequest, DescribeProducersRequest, ElectLeadersRequest,
    ListPartitionReassignmentsRequest, RequestKind,
};

use crate::random::Random;

pub(super) fn cluster(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::ApiVersions => api_versions(v, r),
        ApiKey::DescribeAcls => describe_acls(r),
        ApiKey::DescribeLogDirs => describe_log_dirs(r),
        ApiKey::ElectLeaders => elect_leaders(v, r),
        ApiKey::ListPartitionReassignments => list_partition_reassignments(r),
        ApiKey::DescribeCluster => describe_cluster(v, r),
        ApiKey::DescribeProducers => describe_producers(r),
        _ => return None,
    })
}

fn api_versions(v: i16, r: &mut Random) -> RequestKind {
    let request = ApiVersionsRequest::default();
    RequestKind::ApiVersions(if v >= 3 {
        request.with_client_software_name(r.text()).with_client_software_version(r.text())
    } else {
        request
    })
}

fn describe_acls(r: &mut Random) -> RequestKind {
    RequestKind::DescribeAcls(
        DescribeAclsRequest::default()
            .with_resource_type_filter(r.pick(&[1, 2, -1]))
            .with_resource_name_filter(r.maybe(Random::text))
            .with_pattern_type_filter(r.pick(&[3, 1, 0]))
            .with_principal_filter(r.maybe(Random::text))
            .with_host_filter(r.maybe(Random::text))
            .with_operation(r.pick(&[1, 0, -1]))
            .with_permission_type(r.pick(&[1, 0, -1])),
    )
}

fn describe_log_dirs(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        DescribableLogDirTopic::default()
            .with_topic(r.topic())
            .with_partitions(r.many(Random::partition))
    });
    RequestKind::DescribeLogDirs(DescribeLogDirsRequest::default().with_topics(r.maybe(|_| topics)))
}

fn elect_leaders(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        TopicPartitions::default().with_topic(r.topic()).with_partitions(r.many(Random::partition))
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

fn list_partition_reassignments(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        ListPartitionReassignmentsTopics::default()
            .with_name(r.topic())
            .with_partition_indexes(r.many(Random::partition))
    });
    RequestKind::ListPartitionReassignments(
        ListPartitionReassignmentsRequest::default().with_topics(r.maybe(|_| topics)),
    )
}

fn describe_cluster(v: i16, r: &mut Random) -> RequestKind {
    let request =
        DescribeClusterRequest::default().with_include_cluster_authorized_operations(r.flag());
    RequestKind::DescribeCluster(if v >= 1 {
        request.with_endpoint_type(r.pick(&[1, 2, 0]))
    } else {
        request
    })
}

fn describe_producers(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        TopicRequest::default()
            .with_name(r.topic())
            .with_partition_indexes(r.many(Random::partition))
    });
    RequestKind::DescribeProducers(DescribeProducersRequest::default().with_topics(topics))
}
