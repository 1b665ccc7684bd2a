//! Access control lists, as clients feel them.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{FutureProducer, Producer};

use super::rig::{Client, Rig, send};
use crate::support::{Agent, SOON, wait_until};

const ACLS: &str = r#"    super_users: ["User:admin"]
    acls:
      - { principal: "User:alice", operations: [write, create], topic: "in-*" }
      - { principal: "User:alice", operations: [write], transactional_id: "alice-*" }
      - { principal: "User:bob", operations: [read], topic: "in-*" }
      - { principal: "User:bob", operations: [read], group: "bob-*" }
      - { principal: "User:bob", operations: [read], topic: "in-secret", deny: true }
      - { principal: "User:bob", operations: [describe], topic: "in-secret", deny: true }
      - { principal: "User:carol", operations: [all], topic: "carol" }
"#;

struct Clients {
    alice: Client,
    bob: Client,
    carol: Client,
    admin: Client,
    anonymous: Client,
}

fn clients(rig: &Rig) -> Clients {
    Clients {
        alice: rig.user("SCRAM-SHA-256", "alice", "a-pass"),
        bob: rig.user("PLAIN", "bob", "b-pass"),
        carol: rig.mutual(),
        admin: rig.user("SCRAM-SHA-512", "admin", "x-pass"),
        anonymous: rig.ssl(),
    }
}

/// The topics that a client sees.
fn topics(client: &Client) -> Vec<String> {
    let consumer: BaseConsumer = client.config().create().unwrap();
    let metadata = consumer.fetch_metadata(None, SOON).unwrap();
    let mut names: Vec<String> =
        metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
    names.retain(|name| !name.starts_with("__"));
    names.sort();
    names
}

fn admin(client: &Client) -> AdminClient<DefaultClientContext> {
    client.config().create().unwrap()
}

/// What the only one of the answers is refused with.
fn refusal<T, N>(answers: Vec<Result<T, (N, Code)>>) -> Option<Code> {
    answers.into_iter().next().unwrap().err().map(|(_, code)| code)
}

/// The settings that a client is told, with their values.
async fn settings(client: &Client, what: ResourceSpecifier<'_>) -> Vec<(String, String)> {
    let told = admin(client).describe_configs([&what], &limit()).await.unwrap();
    let entries = told.into_iter().flatten().flat_map(|resource| resource.entries);
    entries.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect()
}

/// Sets `retention.ms`; the crate does not tell whether that was refused.
async fn retain(client: &Client, topic: &str, time_ms: &str) {
    let set = AlterConfig::new(ResourceSpecifier::Topic(topic)).set("retention.ms", time_ms);
    admin(client).alter_configs([&set], &limit()).await.unwrap();
}

fn limit() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(Duration::from_secs(20)))
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_groups_are_for_those_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let Clients { alice, bob, carol, admin, anonymous } = clients(&rig);

    alice.produce("in-1", "one").await.unwrap();
    alice.produce("in-secret", "hidden").await.unwrap();
    carol.produce("carol", "mine").await.unwrap();
    for (client, topic) in [
        (&alice, "carol"),
        (&bob, "in-1"),
        (&bob, "missing"),
        (&carol, "in-1"),
        (&anonymous, "in-1"),
    ] {
        let refused = client.produce(topic, "x").await.unwrap_err();
        assert_eq!(refused, Code::TopicAuthorizationFailed, "{topic}");
    }

    assert_eq!(bob.consume("bob-1", "in-1", 1).unwrap(), ["one"]);
    let refused = [
        (&bob, "other", "in-1", Code::GroupAuthorizationFailed),
        (&bob, "bob-2", "in-secret", Code::TopicAuthorizationFailed),
        (&bob, "bob-3", "missing", Code::TopicAuthorizationFailed),
        (&alice, "bob-1", "in-1", Code::GroupAuthorizationFailed),
        (&anonymous, "bob-1", "in-1", Code::GroupAuthorizationFailed),
    ];
    for (client, group, topic, code) in refused {
        assert_eq!(client.consume(group, topic, 1), Err(code), "{group} {topic}");
    }

    assert_eq!(topics(&admin), ["carol", "in-1", "in-secret"]);
    assert_eq!(topics(&alice), ["in-1", "in-secret"]);
    assert_eq!(topics(&bob), ["in-1"]);
    assert_eq!(topics(&carol), ["carol"]);
    assert_eq!(topics(&anonymous), [""; 0]);
    drop(agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_made_and_changed_by_those_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let Clients { alice, bob, admin: root, .. } = clients(&rig);
    let create = async |client: &Client, name: &str| {
        let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
        let made = admin(client).create_topics([&topic], &limit()).await.unwrap();
        refusal(made)
    };
    assert_eq!(create(&alice, "in-new").await, None);
    assert_eq!(create(&alice, "in-new").await, Some(Code::TopicAlreadyExists));
    assert_eq!(create(&root, "out").await, None);
    for (client, name) in [(&alice, "out"), (&alice, "out-2"), (&bob, "in-new"), (&bob, "in-2")] {
        assert_eq!(create(client, name).await, Some(Code::TopicAuthorizationFailed), "{name}");
    }

    for name in ["in-new", "out", "missing"] {
        let more = NewPartitions::new(name, 2);
        let grown = admin(&alice).create_partitions([&more], &limit()).await.unwrap();
        assert_eq!(refusal(grown), Some(Code::TopicAuthorizationFailed), "{name}");
        retain(&alice, name, "1234").await;
        assert!(settings(&alice, ResourceSpecifier::Topic(name)).await.is_empty(), "{name}");
        let deleted = admin(&alice).delete_topics(&[name], &limit()).await.unwrap();
        assert_eq!(refusal(deleted), Some(Code::TopicAuthorizationFailed), "{name}");
    }
    assert!(settings(&alice, ResourceSpecifier::Broker(1)).await.is_empty());
    assert!(!settings(&root, ResourceSpecifier::Broker(1)).await.is_empty());
    let retention = async |value: &str| {
        let told = settings(&root, ResourceSpecifier::Topic("in-new")).await;
        told.contains(&("retention.ms".to_owned(), value.to_owned()))
    };
    assert!(!retention("1234").await);
    retain(&root, "in-new", "4321").await;
    assert!(retention("4321").await);
    let groups = admin(&bob).delete_groups(&["other"], &limit()).await.unwrap();
    assert_eq!(refusal(groups), Some(Code::GroupAuthorizationFailed));
    let deleted = admin(&root).delete_topics(&["in-new"], &limit()).await.unwrap();
    assert_eq!(refusal(deleted), None);
}

fn transactional(client: &Client, id: &str) -> FutureProducer {
    let mut config: ClientConfig = client.config();
    config.set("transactional.id", id).set("message.timeout.ms", "20000").create().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn producer_ids_and_transactions_are_for_those_who_may_write() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let _agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let Clients { alice, bob, .. } = clients(&rig);
    send(&alice.producer(true), "in-1", "one").await.unwrap();

    let producer = transactional(&alice, "alice-1");
    producer.init_transactions(SOON).unwrap();
    producer.begin_transaction().unwrap();
    send(&producer, "in-1", "two").await.unwrap();
    producer.commit_transaction(SOON).unwrap();
    assert_eq!(bob.consume("bob-1", "in-1", 2).unwrap(), ["one", "two"]);

    for (client, id) in [(&alice, "bobs"), (&bob, "alice-1")] {
        let refused = transactional(client, id).init_transactions(SOON).unwrap_err();
        let code = refused.rdkafka_error_code();
        assert_eq!(code, Some(Code::TransactionalIdAuthorizationFailed), "{refused}");
    }
    producer.begin_transaction().unwrap();
    let refused = send(&producer, "carol", "x").await.unwrap_err();
    assert_eq!(refused, Code::TopicAuthorizationFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_what_connected_clients_may() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let mut agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let Clients { alice, .. } = clients(&rig);
    let producer = alice.producer(false);
    send(&producer, "in-1", "one").await.unwrap();

    let denied =
        "      - { principal: \"User:alice\", operations: [write], topic: \"in-1\", deny: true }\n";
    agent.configure(&rig.hub(&format!("{ACLS}{denied}")));
    agent.reload();
    wait_until(SOON, "the reload", || agent.log().contains("the configuration was reloaded"));
    let refused = send(&producer, "in-1", "two").await.unwrap_err();
    assert_eq!(refused, Code::TopicAuthorizationFailed);
    send(&producer, "in-2", "three").await.unwrap();
    assert!(!agent.log().contains("takes effect at the next start"), "{}", agent.log());
}
