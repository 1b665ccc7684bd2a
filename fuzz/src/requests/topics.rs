//! Topics and their settings.

use kafka_protocol::messages::alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsTopic,
};
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request as incremental;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterConfigsRequest, ApiKey, BrokerId, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest, MetadataRequest,
    RequestKind, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use crate::random::Random;

pub(super) fn topics(key: ApiKey, v: i16, r: &mut Random) -> Option<RequestKind> {
    Some(match key {
        ApiKey::Metadata => metadata(v, r),
        ApiKey::CreateTopics => create_topics(r),
        ApiKey::DeleteTopics => delete_topics(v, r),
        ApiKey::CreatePartitions => create_partitions(r),
        ApiKey::DescribeConfigs => describe_configs(v, r),
        ApiKey::AlterConfigs => alter_configs(r),
        ApiKey::IncrementalAlterConfigs => incremental_alter_configs(r),
        _ => return None,
    })
}

fn metadata(v: i16, r: &mut Random) -> RequestKind {
    let topics = r.many(|r| MetadataRequestTopic::default().with_name(Some(r.topic())));
    let topics = if v >= 1 { r.maybe(|_| topics) } else { Some(topics) };
    let request = MetadataRequest::default().with_topics(topics);
    let request = if v >= 4 { request.with_allow_auto_topic_creation(r.flag()) } else { request };
    RequestKind::Metadata(if v >= 8 {
        request.with_include_topic_authorized_operations(r.flag())
    } else {
        request
    })
}

fn create_topics(r: &mut Random) -> RequestKind {
    let topics = r.many(|r| {
        let configs = r.many(|r| {
            CreatableTopicConfig::default().with_name(r.text()).with_value(r.maybe(Random::text))
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

fn delete_topics(v: i16, r: &mut Random) -> RequestKind {
    // What is deleted here is missed by the others, so it is only what does not matter.
    let name = |r: &mut Random| {
        TopicName(StrBytes::from_static_str(r.pick(&["spare", "absent", "", ".."])))
    };
    let request = DeleteTopicsRequest::default().with_timeout_ms(r.int());
    RequestKind::DeleteTopics(if v >= 6 {
        request.with_topics(r.many(|r| DeleteTopicState::default().with_name(r.maybe(name))))
    } else {
        request.with_topic_names(r.many(name))
    })
}

fn create_partitions(r: &mut Random) -> RequestKind {
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

fn describe_configs(v: i16, r: &mut Random) -> RequestKind {
    let resources = r.many(|r| {
        let (kind, name) = resource(r);
        let keys = r.many(Random::text);
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_configuration_keys(r.maybe(|_| keys))
    });
    let request =
        DescribeConfigsRequest::default().with_resources(resources).with_include_synonyms(r.flag());
    RequestKind::DescribeConfigs(if v >= 3 {
        request.with_include_documentation(r.flag())
    } else {
        request
    })
}

fn alter_configs(r: &mut Random) -> RequestKind {
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
        AlterConfigsRequest::default().with_resources(resources).with_validate_only(r.flag()),
    )
}

fn incremental_alter_configs(r: &mut Random) -> RequestKind {
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

fn resource(r: &mut Random) -> (i8, StrBytes) {
    let kind = r.pick(&[2, 2, 2, 4, 4, 32, 8, 16, 0, -1]);
    (
        kind,
        if kind == 2 {
            r.topic().0
        } else {
            StrBytes::from_static_str(r.pick(&["1", "", "2", "x"]))
        },
    )
}
