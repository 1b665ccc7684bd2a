//! Settings of the broker, of groups and of topics: what is set, where it comes from, and that it holds.

use anabranch::wire::{Builder, Codec, Stamp};
use anabranch_record::Record;
use anabranch_record::stored::push_record;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use kafka_protocol::messages::list_config_resources_response::ConfigResource;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, CreateTopicsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    ListConfigResourcesRequest, ProduceRequest, RequestKind, ResponseKind, TopicName,
};

use super::raw::{ask, text};
use crate::support::Agent;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;
/// Where a value comes from.
const SET: i8 = 1;
const THIS_BROKER: i8 = 2;
const BROKERS: i8 = 3;
const FILE: i8 = 4;
const DEFAULT: i8 = 5;
const OF_GROUP: i8 = 8;

fn create(address: &str, name: &str) -> Vec<(String, String, i8)> {
    let topic = CreatableTopic::default()
        .with_name(TopicName(text(name)))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let made = ask(address, ApiKey::CreateTopics, 5, &RequestKind::CreateTopics(request));
    let Some(ResponseKind::CreateTopics(mut made)) = made else { panic!("no topic") };
    assert_eq!(made.topics[0].error_code, 0, "{name}");
    let configs = made.topics.remove(0).configs.unwrap();
    let one = |config: kafka_protocol::messages::create_topics_response::CreatableTopicConfigs| {
        let value = config.value.unwrap_or_default().to_string();
        (config.name.to_string(), value, config.config_source)
    };
    configs.into_iter().map(one).collect()
}

fn describe(address: &str, kind: i8, name: &str, key: &str) -> DescribeConfigsResourceResult {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(vec![text(key)]));
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource])
        .with_include_synonyms(true)
        .with_include_documentation(true);
    let answer = ask(address, ApiKey::DescribeConfigs, 4, &RequestKind::DescribeConfigs(request));
    let Some(ResponseKind::DescribeConfigs(mut answer)) = answer else { panic!("no answer") };
    assert_eq!(answer.results[0].error_code, 0, "{kind} {name} {key}");
    answer.results.remove(0).configs.remove(0)
}

/// Value, source, and the sources of all synonyms.
fn told(address: &str, kind: i8, name: &str, key: &str) -> (String, i8, Vec<(String, i8)>) {
    let config = describe(address, kind, name, key);
    let synonyms = config
        .synonyms
        .iter()
        .map(|one| (one.value.clone().unwrap_or_default().to_string(), one.source));
    (config.value.unwrap_or_default().to_string(), config.config_source, synonyms.collect())
}

fn set(address: &str, kind: i8, name: &str, key: &str, value: Option<&str>) -> (i16, String) {
    let config = AlterableConfig::default()
        .with_name(text(key))
        .with_config_operation(i8::from(value.is_none()))
        .with_value(value.map(text));
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(vec![config]);
    let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
    let request = RequestKind::IncrementalAlterConfigs(request);
    let answer = ask(address, ApiKey::IncrementalAlterConfigs, 1, &request);
    let Some(ResponseKind::IncrementalAlterConfigs(answer)) = answer else { panic!("no answer") };
    let one = &answer.responses[0];
    (one.error_code, one.error_message.clone().unwrap_or_default().to_string())
}

/// The code for a record of so many bytes.
fn produce(address: &str, topic: &str, bytes: usize) -> i16 {
    let mut builder = Builder::new(Codec::None, None);
    let mut batch = Vec::new();
    builder.begin(&mut batch);
    let value = vec![7; bytes];
    push_record(
        &Record { value: Some(&value), ..Record::default() },
        (0, 0),
        &[],
        builder.records(),
    );
    let stamp =
        Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer: (-1, -1, -1) };
    builder.finish(stamp, &mut batch).unwrap();
    let data = PartitionProduceData::default().with_index(0).with_records(Some(batch.into()));
    let data = TopicProduceData::default()
        .with_name(TopicName(text(topic)))
        .with_partition_data(vec![data]);
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(10_000).with_topic_data(vec![data]);
    let done = ask(address, ApiKey::Produce, 9, &RequestKind::Produce(request));
    let Some(ResponseKind::Produce(done)) = done else { panic!("no answer") };
    done.responses[0].partition_responses[0].error_code
}

#[test]
fn a_limit_for_all_topics_holds_for_those_there_are_and_those_to_come_also_after_a_kill() {
    const TOO_LARGE: i16 = 10;
    const NAME: &str = "message.max.bytes";
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "before");
    assert_eq!(produce(&address, "before", 5000), 0);
    assert_eq!(set(&address, BROKER, "", NAME, Some("2000")).0, 0);
    create(&address, "after");
    assert_eq!(produce(&address, "before", 5000), TOO_LARGE);
    assert_eq!(produce(&address, "after", 5000), TOO_LARGE);
    // What is set for a topic, or for this broker, comes first.
    assert_eq!(set(&address, TOPIC, "after", "max.message.bytes", Some("9000")).0, 0);
    assert_eq!(produce(&address, "after", 5000), 0);
    assert_eq!(set(&address, BROKER, "1", NAME, Some("7000")).0, 0);
    assert_eq!(produce(&address, "before", 5000), 0);
    agent.kill();
    agent.start_again();
    let all = |values: &[(&str, i8)]| -> Vec<(String, i8)> {
        values.iter().map(|(value, source)| ((*value).to_owned(), *source)).collect()
    };
    let rest = [("7000", THIS_BROKER), ("2000", BROKERS), ("1048588", DEFAULT)];
    let expected = ("9000".to_owned(), SET, all(&[&[("9000", SET)], &rest[..]].concat()));
    assert_eq!(told(&address, TOPIC, "after", "max.message.bytes"), expected);
    assert_eq!(told(&address, BROKER, "1", NAME), ("7000".to_owned(), THIS_BROKER, all(&rest)));
    let expected = ("2000".to_owned(), BROKERS, all(&[("2000", BROKERS)]));
    assert_eq!(told(&address, BROKER, "", NAME), expected);
    assert_eq!(produce(&address, "before", 8000), TOO_LARGE);
    for broker in ["1", ""] {
        assert_eq!(set(&address, BROKER, broker, NAME, None).0, 0);
    }
    assert_eq!(produce(&address, "before", 8000), 0);
    assert_eq!(told(&address, BROKER, "1", NAME).1, DEFAULT);
    agent.stop();
}

#[test]
fn what_the_configuration_says_of_topics_is_told_as_said_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 3);
    let made = create(&address, "new");
    // Kafka keeps everything where nobody says otherwise; the hub has a limit, and whoever makes a topic is told.
    let size = made.iter().find(|(name, ..)| name == "retention.bytes").unwrap();
    assert_eq!((size.1.as_str(), size.2), ("10737418240", FILE));
    let (value, source, synonyms) = told(&address, TOPIC, "new", "retention.bytes");
    assert_eq!((value.as_str(), source), ("10737418240", FILE));
    let expected = [("10737418240".to_owned(), FILE), ("-1".to_owned(), DEFAULT)];
    assert_eq!(synonyms, expected);
    // Whoever sets what Kafka has gets what Kafka does.
    assert_eq!(set(&address, TOPIC, "new", "retention.bytes", Some("-1")).0, 0);
    assert_eq!(told(&address, TOPIC, "new", "retention.bytes").0, "-1");
    assert_eq!(told(&address, BROKER, "1", "num.partitions").0, "3");
    assert_eq!(told(&address, BROKER, "1", "num.partitions").1, FILE);
    assert_eq!(told(&address, BROKER, "1", "delete.topic.enable").1, DEFAULT);
    assert!(describe(&address, BROKER, "1", "broker.id").read_only);
    agent.stop();
}

#[test]
fn a_retention_for_all_topics_is_set_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "made");
    assert_eq!(set(&address, BROKER, "", "log.retention.bytes", Some("-1")).0, 0);
    let (value, source, _) = told(&address, TOPIC, "made", "retention.bytes");
    assert_eq!((value.as_str(), source), ("-1", BROKERS));
    assert_eq!(set(&address, BROKER, "", "log.retention.bytes", None).0, 0);
    assert_eq!(told(&address, TOPIC, "made", "retention.bytes").0, "10737418240");
    agent.stop();
}

#[test]
fn what_cannot_be_set_for_a_broker_or_a_group_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    for (kind, name, key, value, code, words) in [
        (BROKER, "", "num.partitions", "3", 42, "Cannot update these configs dynamically"),
        (BROKER, "1", "broker.id", "3", 42, "Cannot update these configs dynamically"),
        (BROKER, "", "no.such.setting", "3", 42, "means nothing here"),
        (BROKER, "", "message.max.bytes", "soon", 42, "Not a number of type INT"),
        (
            BROKER,
            "7",
            "message.max.bytes",
            "5",
            42,
            "Unexpected broker id, expected 1, but received 7",
        ),
        (BROKER, "x", "message.max.bytes", "5", 42, "Node id must be an integer, but it is: x"),
        (GROUP, "", "consumer.session.timeout.ms", "50000", 42, "Default group resources"),
        (GROUP, "g", "consumer.session.timeout.ms", "5", 40, "must be greater than or equal to"),
        (GROUP, "g", "consumer.session.timeout.ms", "500000", 40, "must be less than or equal to"),
        (GROUP, "g", "no.such.setting", "5", 40, "Unknown group config name"),
        (GROUP, "g", "share.session.timeout.ms", "45000", 40, "no share groups"),
        (16, "m", "interval.ms", "5", 42, "not taken"),
        (8, "1", "kafka", "DEBUG", 42, "configuration"),
        (77, "x", "y", "z", 42, "Unknown resource type 77"),
    ] {
        let (found, said) = set(&address, kind, name, key, Some(value));
        assert_eq!(found, code, "{kind} {name:?} {key}: {said}");
        assert!(said.contains(words), "{kind} {name:?} {key}: {said}");
    }
    agent.stop();
}

#[test]
fn a_groups_settings_are_kept_and_listed() {
    const NAME: &str = "consumer.session.timeout.ms";
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    assert_eq!(told(&address, GROUP, "readers", NAME).1, DEFAULT);
    assert_eq!(set(&address, GROUP, "readers", NAME, Some("50000")).0, 0);
    agent.kill();
    agent.start_again();
    let (value, source, synonyms) = told(&address, GROUP, "readers", NAME);
    assert_eq!((value.as_str(), source), ("50000", OF_GROUP));
    assert_eq!(synonyms[1..], [("45000".to_owned(), DEFAULT)]);
    let listed = |types: Vec<i8>| -> Vec<(i8, String)> {
        let request = ListConfigResourcesRequest::default().with_resource_types(types);
        let request = RequestKind::ListConfigResources(request);
        let answer = ask(&address, ApiKey::ListConfigResources, 1, &request);
        let Some(ResponseKind::ListConfigResources(answer)) = answer else { panic!("no answer") };
        let one = |one: &ConfigResource| (one.resource_type, one.resource_name.to_string());
        answer.config_resources.iter().map(one).collect()
    };
    assert_eq!(listed(vec![GROUP]), [(GROUP, "readers".to_owned())]);
    assert_eq!(listed(vec![BROKER]), [(BROKER, "1".to_owned())]);
    assert_eq!(set(&address, GROUP, "readers", NAME, None).0, 0);
    assert!(listed(vec![GROUP]).is_empty());
    agent.stop();
}

#[test]
fn every_setting_says_what_it_is_for_when_it_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    create(&address, "made");
    for (kind, name) in [(TOPIC, "made"), (BROKER, "1"), (GROUP, "readers"), (16, "metrics")] {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None);
        let asked = |documentation| {
            let request = DescribeConfigsRequest::default()
                .with_resources(vec![resource.clone()])
                .with_include_documentation(documentation);
            let request = RequestKind::DescribeConfigs(request);
            let answer = ask(&address, ApiKey::DescribeConfigs, 4, &request);
            let Some(ResponseKind::DescribeConfigs(mut answer)) = answer else { panic!("none") };
            answer.results.remove(0).configs
        };
        let (with, without) = (asked(true), asked(false));
        assert!(with.len() >= 3 && with.len() == without.len(), "{kind}");
        for config in with {
            let words = config.documentation.unwrap_or_default();
            assert!(words.len() > 10, "{} of {kind}", config.name.as_str());
        }
        assert!(without.iter().all(|config| config.documentation.is_none()));
    }
    agent.stop();
}
