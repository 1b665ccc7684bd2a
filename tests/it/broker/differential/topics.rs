//! Topics, their settings and their records; and what is asked about the cluster.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::*;

use super::Case;
use super::cases::{TOPIC, case, text, topic};

type Setting = (&'static str, Option<&'static str>);

/// A topic to create: name, partitions, replicas, settings.
fn create(
    name: &'static str,
    partitions: i32,
    replicas: i16,
    settings: &'static [Setting],
) -> Case {
    let shown =
        format!("create: {name:?}, {partitions} partitions, {replicas} replicas, {settings:?}");
    case(shown, ApiKey::CreateTopics, move |_| {
        let configs = settings.iter().map(|(name, value)| {
            CreatableTopicConfig::default().with_name(text(name)).with_value(value.map(text))
        });
        let one = CreatableTopic::default()
            .with_name(topic(name))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
            .with_configs(configs.collect());
        RequestKind::CreateTopics(
            CreateTopicsRequest::default()
                .with_topics(vec![one])
                .with_timeout_ms(5000)
                .with_validate_only(true),
        )
    })
}

fn creations() -> Vec<Case> {
    vec![
        create("differential-new", 2, 1, &[]),
        create("differential-new", -1, -1, &[]),
        create(TOPIC, 2, 1, &[]),
        create("not valid!", 2, 1, &[]),
        create("", 2, 1, &[]),
        create("..", 2, 1, &[]),
        create("differential-new", 0, 1, &[]),
        create("differential-new", -5, 1, &[]),
        create("differential-new", 1, 3, &[]),
        create("differential-new", 1, 0, &[]),
        create("differential-new", 1, 1, &[("retention.ms", Some("60000"))]),
        create("differential-new", 1, 1, &[("retention.ms", Some("soon"))]),
        create("differential-new", 1, 1, &[("no.such.setting", Some("1"))]),
        create("differential-new", 1, 1, &[("cleanup.policy", Some("burn"))]),
        create("differential-new", 1, 1, &[("retention.ms", None)]),
    ]
}

fn alter(kind: i8, name: &'static str, setting: Setting, operation: i8) -> [Case; 2] {
    let shown = format!("{kind} {name:?} {setting:?}");
    let whole = case(format!("alter: {shown}"), ApiKey::AlterConfigs, move |_| {
        let config =
            AlterableConfig::default().with_name(text(setting.0)).with_value(setting.1.map(text));
        let resource = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(vec![config]);
        let request = AlterConfigsRequest::default().with_resources(vec![resource]);
        RequestKind::AlterConfigs(request.with_validate_only(true))
    });
    let shown = format!("alter incrementally: {shown}, operation {operation}");
    let single = case(shown, ApiKey::IncrementalAlterConfigs, move |_| {
        let config = incremental::AlterableConfig::default()
            .with_name(text(setting.0))
            .with_config_operation(operation)
            .with_value(setting.1.map(text));
        let resource = incremental::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(vec![config]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        RequestKind::IncrementalAlterConfigs(request.with_validate_only(true))
    });
    [whole, single]
}

fn settings() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(alter(2, TOPIC, ("retention.ms", Some("60000")), 0));
    cases.extend(alter(2, TOPIC, ("retention.ms", Some("soon")), 0));
    cases.extend(alter(2, TOPIC, ("no.such.setting", Some("1")), 0));
    cases.extend(alter(2, TOPIC, ("retention.ms", None), 1));
    cases.extend(alter(2, TOPIC, ("cleanup.policy", Some("compact")), 2));
    cases.extend(alter(2, TOPIC, ("retention.ms", Some("1")), 2));
    cases.extend(alter(2, "absent-topic", ("retention.ms", Some("60000")), 0));
    cases.extend(alter(4, "", ("message.max.bytes", Some("2000000")), 0));
    cases.extend(alter(4, "1", ("message.max.bytes", Some("soon")), 0));
    cases.extend(alter(4, "", ("num.partitions", Some("3")), 0));
    cases.extend(alter(4, "77", ("message.max.bytes", Some("3")), 0));
    cases.extend(alter(32, "differential", ("consumer.session.timeout.ms", Some("50000")), 0));
    cases.extend(alter(32, "differential", ("consumer.session.timeout.ms", Some("5")), 0));
    cases.extend(alter(32, "", ("consumer.session.timeout.ms", Some("50000")), 0));
    cases.extend(alter(77, TOPIC, ("retention.ms", Some("60000")), 0));
    for (kind, name, key) in [
        (2, TOPIC, "retention.ms"),
        (2, TOPIC, "no.such.setting"),
        (2, "absent-topic", "retention.ms"),
        (2, "", "retention.ms"),
        (4, "77", "num.partitions"),
        (4, "x", "num.partitions"),
        (77, TOPIC, "retention.ms"),
        (4, "1", "message.max.bytes"),
        (4, "1", "delete.topic.enable"),
        (4, "1", "broker.id"),
        (4, "1", "log.cleaner.min.compaction.lag.ms"),
        (4, "1", "log.retention.ms"),
        (4, "", "message.max.bytes"),
        (8, "77", "x"),
        (8, "", "x"),
        (16, "differential", "interval.ms"),
        (16, "", "interval.ms"),
        (32, "differential", "consumer.session.timeout.ms"),
        (32, "differential", "share.session.timeout.ms"),
        (32, "", "consumer.session.timeout.ms"),
    ] {
        let shown = format!("describe configs: {kind} {name:?} {key}");
        cases.push(case(shown, ApiKey::DescribeConfigs, move |version| {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_configuration_keys(Some(vec![text(key)]));
            let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
            let request = request.with_include_synonyms(true);
            RequestKind::DescribeConfigs(if version >= 3 {
                request.with_include_documentation(true)
            } else {
                request
            })
        }));
    }
    cases
}

fn partitions() -> Vec<Case> {
    let mut cases = Vec::new();
    for (of, count) in
        [(TOPIC, 4), (TOPIC, 2), (TOPIC, 1), (TOPIC, 0), (TOPIC, -1), ("absent-topic", 4)]
    {
        let shown = format!("create partitions: {of:?} {count}");
        cases.push(case(shown, ApiKey::CreatePartitions, move |_| {
            let one = CreatePartitionsTopic::default().with_name(topic(of)).with_count(count);
            let one = one.with_assignments(None);
            RequestKind::CreatePartitions(
                CreatePartitionsRequest::default()
                    .with_topics(vec![one])
                    .with_timeout_ms(5000)
                    .with_validate_only(true),
            )
        }));
    }
    for (of, number, offset) in [
        (TOPIC, 0, 1),
        (TOPIC, 0, -1),
        (TOPIC, 0, -7),
        (TOPIC, 0, 100_000),
        (TOPIC, 9, 0),
        (TOPIC, -1, 0),
        ("absent-topic", 0, 0),
    ] {
        let shown = format!("delete records: {of:?} {number} before {offset}");
        cases.push(case(shown, ApiKey::DeleteRecords, move |_| {
            let one = DeleteRecordsPartition::default();
            let one = one.with_partition_index(number).with_offset(offset);
            let topics =
                DeleteRecordsTopic::default().with_name(topic(of)).with_partitions(vec![one]);
            let request = DeleteRecordsRequest::default().with_topics(vec![topics]);
            RequestKind::DeleteRecords(request.with_timeout_ms(5000))
        }));
    }
    for name in ["absent-topic", ""] {
        cases.push(case(format!("delete topic: {name:?}"), ApiKey::DeleteTopics, move |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(5000);
            RequestKind::DeleteTopics(if version >= 6 {
                request.with_topics(vec![DeleteTopicState::default().with_name(Some(topic(name)))])
            } else {
                request.with_topic_names(vec![topic(name)])
            })
        }));
    }
    cases
}

fn cluster() -> Vec<Case> {
    let mut cases = vec![
        case("versions", ApiKey::ApiVersions, |version| {
            let request = ApiVersionsRequest::default();
            RequestKind::ApiVersions(if version >= 3 {
                // A name that may not be: the whole list would differ, of course.
                request.with_client_software_name(text("not valid!"))
            } else {
                request
            })
        }),
        case("cluster", ApiKey::DescribeCluster, |_| {
            RequestKind::DescribeCluster(DescribeClusterRequest::default())
        }),
        case("access rules", ApiKey::DescribeAcls, |_| {
            RequestKind::DescribeAcls(
                DescribeAclsRequest::default()
                    .with_resource_type_filter(2)
                    .with_pattern_type_filter(3)
                    .with_operation(1)
                    .with_permission_type(1),
            )
        }),
        case("reassignments", ApiKey::ListPartitionReassignments, |_| {
            let request = ListPartitionReassignmentsRequest::default().with_timeout_ms(5000);
            RequestKind::ListPartitionReassignments(request.with_topics(None))
        }),
    ];
    for (of, number) in [(TOPIC, 0), (TOPIC, 9), ("absent-topic", 0)] {
        cases.push(case(
            format!("log folders: {of} {number}"),
            ApiKey::DescribeLogDirs,
            move |_| {
                let one = DescribableLogDirTopic::default();
                let one = one.with_topic(topic(of)).with_partitions(vec![number]);
                let request = DescribeLogDirsRequest::default().with_topics(Some(vec![one]));
                RequestKind::DescribeLogDirs(request)
            },
        ));
        cases.push(case(format!("elect: {of} {number}"), ApiKey::ElectLeaders, move |_| {
            let one = TopicPartitions::default();
            let one = one.with_topic(topic(of)).with_partitions(vec![number]);
            let request = ElectLeadersRequest::default().with_timeout_ms(5000);
            RequestKind::ElectLeaders(request.with_topic_partitions(Some(vec![one])))
        }));
        cases.push(case(
            format!("producers: {of} {number}"),
            ApiKey::DescribeProducers,
            move |_| {
                let one = TopicRequest::default();
                let one = one.with_name(topic(of)).with_partition_indexes(vec![number]);
                let request = DescribeProducersRequest::default();
                RequestKind::DescribeProducers(request.with_topics(vec![one]))
            },
        ));
    }
    cases
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = creations();
    cases.extend(settings());
    cases.extend(partitions());
    cases.extend(cluster());
    cases
}
