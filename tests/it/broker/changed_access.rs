//! Access rules and users that are changed over the wire: they hold at once and after a kill, and what the configuration
//! says stays (KIP-140, KIP-554).

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    AlterUserScramCredentialsRequest, ApiKey, CreateAclsRequest, CreateAclsResponse,
    DeleteAclsRequest, DeleteAclsResponse, DescribeAclsRequest,
    DescribeUserScramCredentialsRequest, MetadataRequest, RequestKind, ResponseKind, TopicName,
};
use ring::pbkdf2;

use super::raw::{ask, ask_as, text};
use super::rig::Rig;
use crate::support::{Agent, free_port};

const ACLS: &str = r#"    super_users: ["User:admin"]
    acls:
      - { principal: "User:alice", operations: [describe], topic: "given" }
      - { principal: "User:alice", operations: [alter], topic: "given" }
"#;
const ADMIN: (&str, &str) = ("admin", "x-pass");
const ALICE: (&str, &str) = ("alice", "a-pass");
const DENIED: i16 = 29;
const CLUSTER_DENIED: i16 = 31;
const POLICY: i16 = 44;
const DISABLED: i16 = 54;
const UNACCEPTABLE: i16 = 93;

struct Hub {
    agent: Agent,
    address: String,
}

impl Hub {
    fn start(folder: &std::path::Path) -> Self {
        let rig = Rig::new(folder);
        let agent = Agent::start(folder, &rig.hub(ACLS));
        Self { agent, address: format!("127.0.0.1:{}", rig.sasl) }
    }

    fn ask(
        &self,
        who: (&str, &str),
        key: ApiKey,
        version: i16,
        request: &RequestKind,
    ) -> ResponseKind {
        ask_as(&self.address, who, (key, version), request).expect("an answer")
    }

    /// The code that a client gets for a topic.
    fn sees(&self, who: (&str, &str), topic: &str) -> i16 {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(topic))));
        let request = MetadataRequest::default()
            .with_topics(Some(vec![topic]))
            .with_allow_auto_topic_creation(false);
        let ResponseKind::Metadata(answer) =
            self.ask(who, ApiKey::Metadata, 9, &RequestKind::Metadata(request))
        else {
            panic!("another answer")
        };
        answer.topics[0].error_code
    }

    fn create(&self, who: (&str, &str), rules: Vec<AclCreation>) -> CreateAclsResponse {
        let request = CreateAclsRequest::default().with_creations(rules);
        let ResponseKind::CreateAcls(answer) =
            self.ask(who, ApiKey::CreateAcls, 3, &RequestKind::CreateAcls(request))
        else {
            panic!("another answer")
        };
        answer
    }

    fn delete(&self, who: (&str, &str), filter: DeleteAclsFilter) -> DeleteAclsResponse {
        let request = DeleteAclsRequest::default().with_filters(vec![filter]);
        let ResponseKind::DeleteAcls(answer) =
            self.ask(who, ApiKey::DeleteAcls, 3, &RequestKind::DeleteAcls(request))
        else {
            panic!("another answer")
        };
        answer
    }

    /// Topics that rules are about.
    fn ruled(&self) -> Vec<String> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(2)
            .with_pattern_type_filter(1)
            .with_resource_name_filter(None)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        let ResponseKind::DescribeAcls(answer) =
            self.ask(ADMIN, ApiKey::DescribeAcls, 3, &RequestKind::DescribeAcls(request))
        else {
            panic!("another answer")
        };
        answer.resources.iter().map(|one| one.resource_name.to_string()).collect()
    }
}

fn rule(topic: &'static str, pattern: i8, permission: i8) -> AclCreation {
    AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text(topic))
        .with_resource_pattern_type(pattern)
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(8)
        .with_permission_type(permission)
}

fn filter(topic: Option<&str>) -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(2)
        .with_pattern_type_filter(1)
        .with_resource_name_filter(topic.map(text))
        .with_principal_filter(None)
        .with_host_filter(None)
        .with_operation(1)
        .with_permission_type(1)
}

#[test]
fn rules_hold_at_once_and_after_a_kill_until_they_are_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(folder.path());
    assert_eq!((hub.sees(ALICE, "new-1"), hub.sees(ALICE, "given")), (DENIED, 3));
    let made = hub.create(ADMIN, vec![rule("new-", 4, 3), rule("new-", 4, 3), rule("new-2", 3, 2)]);
    let codes: Vec<i16> = made.results.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [0, 0, 0]);
    // What is allowed is not there (3); what is denied is not told of.
    assert_eq!((hub.sees(ALICE, "new-1"), hub.sees(ALICE, "new-2")), (3, DENIED));
    assert_eq!(hub.ruled(), ["given", "new-", "new-2"]);
    hub.agent.kill();
    hub.agent.start_again();
    assert_eq!((hub.sees(ALICE, "new-1"), hub.sees(ALICE, "new-2")), (3, DENIED));
    let gone = hub.delete(ADMIN, filter(Some("new-")));
    assert_eq!(gone.filter_results[0].matching_acls.len(), 1);
    assert_eq!(hub.sees(ALICE, "new-1"), DENIED);
    hub.agent.kill();
    hub.agent.start_again();
    assert_eq!(
        (hub.sees(ALICE, "new-1"), hub.ruled()),
        (DENIED, vec!["given".into(), "new-2".into()])
    );
    hub.agent.stop();
}

#[test]
fn what_the_configuration_says_is_not_taken_away_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(folder.path());
    hub.create(ADMIN, vec![rule("mine", 3, 3)]);
    let answer = hub.delete(ADMIN, filter(None));
    let mut told: Vec<_> = answer.filter_results[0]
        .matching_acls
        .iter()
        .map(|one| (one.resource_name.as_str(), one.error_code))
        .collect();
    told.sort_unstable();
    assert_eq!(told, [("given", POLICY), ("given", POLICY), ("mine", 0)]);
    let words =
        answer.filter_results[0].matching_acls.iter().find_map(|one| one.error_message.clone());
    assert!(words.unwrap().contains("configuration"));
    assert_eq!((hub.ruled(), hub.sees(ALICE, "given")), (vec!["given".to_owned()], 3));
    hub.agent.stop();
}

#[test]
fn who_may_not_alter_the_cluster_changes_neither_rules_nor_users() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(folder.path());
    let made = hub.create(ALICE, vec![rule("new-", 4, 3)]);
    assert_eq!(made.results[0].error_code, CLUSTER_DENIED);
    let gone = hub.delete(ALICE, filter(None));
    assert_eq!(gone.filter_results[0].error_code, CLUSTER_DENIED);
    assert_eq!(
        alter(&hub, ALICE, vec![upsertion("eve", "e-pass")], &[]),
        [("eve".to_owned(), CLUSTER_DENIED)]
    );
    assert_eq!(hub.ruled(), ["given"]);
    hub.agent.stop();
}

#[test]
fn without_access_control_nothing_of_it_can_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let request = CreateAclsRequest::default().with_creations(vec![rule("a", 3, 3)]);
    let made = ask(&address, ApiKey::CreateAcls, 3, &RequestKind::CreateAcls(request));
    let Some(ResponseKind::CreateAcls(made)) = made else { panic!("no answer") };
    assert_eq!(made.results[0].error_code, DISABLED);
    let request = DeleteAclsRequest::default().with_filters(vec![filter(None)]);
    let gone = ask(&address, ApiKey::DeleteAcls, 3, &RequestKind::DeleteAcls(request));
    let Some(ResponseKind::DeleteAcls(gone)) = gone else { panic!("no answer") };
    assert_eq!(gone.filter_results[0].error_code, DISABLED);
    let request = AlterUserScramCredentialsRequest::default()
        .with_upsertions(vec![upsertion("eve", "e-pass")]);
    let request = RequestKind::AlterUserScramCredentials(request);
    let altered = ask(&address, ApiKey::AlterUserScramCredentials, 0, &request);
    let Some(ResponseKind::AlterUserScramCredentials(altered)) = altered else {
        panic!("no answer")
    };
    assert_eq!(altered.results[0].error_code, DISABLED);
    agent.stop();
}

/// What a client makes of a password, for SCRAM-SHA-256.
fn upsertion(name: &str, password: &str) -> ScramCredentialUpsertion {
    let mut salted = vec![0; 32];
    let rounds = NonZeroU32::new(4096).unwrap();
    let salt = b"some salt";
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
    ScramCredentialUpsertion::default()
        .with_name(text(name))
        .with_mechanism(1)
        .with_iterations(4096)
        .with_salt(Bytes::from_static(salt))
        .with_salted_password(Bytes::from(salted))
}

/// Changes users; gives each with its code.
fn alter(
    hub: &Hub,
    who: (&str, &str),
    set: Vec<ScramCredentialUpsertion>,
    deleted: &[&str],
) -> Vec<(String, i16)> {
    let deletion =
        |name: &&str| ScramCredentialDeletion::default().with_name(text(name)).with_mechanism(1);
    let request = AlterUserScramCredentialsRequest::default()
        .with_upsertions(set)
        .with_deletions(deleted.iter().map(deletion).collect());
    let request = RequestKind::AlterUserScramCredentials(request);
    let ResponseKind::AlterUserScramCredentials(answer) =
        hub.ask(who, ApiKey::AlterUserScramCredentials, 0, &request)
    else {
        panic!("another answer")
    };
    answer.results.iter().map(|one| (one.user.to_string(), one.error_code)).collect()
}

/// Whether librdkafka can log in so.
fn logs_in(rig: &Rig, mechanism: &str, name: &str, password: &str) -> bool {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let consumer: BaseConsumer = rig.user(mechanism, name, password).config().create().unwrap();
    consumer.fetch_metadata(None, Duration::from_secs(5)).is_ok()
}

#[test]
fn a_user_that_a_client_sets_logs_in_also_after_a_kill_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(folder.path());
    let agent = Agent::start(folder.path(), &rig.hub(ACLS));
    let mut hub = Hub { agent, address: format!("127.0.0.1:{}", rig.sasl) };
    assert!(!logs_in(&rig, "SCRAM-SHA-256", "dora", "d-pass"));
    assert_eq!(
        alter(&hub, ADMIN, vec![upsertion("dora", "d-pass")], &[]),
        [("dora".to_owned(), 0)]
    );
    assert!(logs_in(&rig, "SCRAM-SHA-256", "dora", "d-pass"));
    assert!(!logs_in(&rig, "SCRAM-SHA-256", "dora", "x-pass"));
    hub.agent.kill();
    hub.agent.start_again();
    assert!(logs_in(&rig, "SCRAM-SHA-256", "dora", "d-pass"));
    let request = DescribeUserScramCredentialsRequest::default().with_users(None);
    let request = RequestKind::DescribeUserScramCredentials(request);
    let ResponseKind::DescribeUserScramCredentials(known) =
        hub.ask(ADMIN, ApiKey::DescribeUserScramCredentials, 0, &request)
    else {
        panic!("no users")
    };
    let names: Vec<_> = known.results.iter().map(|one| one.user.to_string()).collect();
    assert_eq!(names, ["admin", "alice", "bob", "dora"]);
    // Those of the configuration stay as they are there.
    let told = alter(&hub, ADMIN, vec![upsertion("alice", "other")], &["bob"]);
    assert_eq!(told, [("alice".to_owned(), UNACCEPTABLE), ("bob".to_owned(), UNACCEPTABLE)]);
    assert!(logs_in(&rig, "SCRAM-SHA-256", "alice", "a-pass"));
    assert_eq!(alter(&hub, ADMIN, Vec::new(), &["dora"]), [("dora".to_owned(), 0)]);
    assert_eq!(alter(&hub, ADMIN, Vec::new(), &["dora"]), [("dora".to_owned(), 91)]);
    assert!(!logs_in(&rig, "SCRAM-SHA-256", "dora", "d-pass"));
    hub.agent.stop();
}

#[test]
fn rules_do_not_outlive_access_control_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::start(folder.path());
    hub.create(ADMIN, vec![rule("given", 3, 2)]);
    assert_eq!(hub.sees(ALICE, "given"), DENIED);
    hub.agent.stop();
    // The same folder without any rule in the configuration.
    let address = format!("127.0.0.1:{}", free_port());
    let blocks = format!("hub: {{ embedded: {{ listen: \"{address}\" }} }}\n");
    let mut agent = Agent::start(folder.path(), &blocks);
    let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text("given"))));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![topic]))
        .with_allow_auto_topic_creation(false);
    let answer = ask(&address, ApiKey::Metadata, 9, &RequestKind::Metadata(request));
    let Some(ResponseKind::Metadata(answer)) = answer else { panic!("no answer") };
    assert_eq!(answer.topics[0].error_code, 3);
    agent.stop();
}
