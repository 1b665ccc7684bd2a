//! The same raw requests to the hub and to Kafka: what they answer is the same, field by field, but for what is listed.

mod accepted;
mod admin;
mod cases;
mod conversations;
mod flatten;
mod groups;
mod ids;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest,
    MetadataRequest, RequestKind, ResponseKind,
};

use super::raw;
use crate::support::{Agent, free_port, server, wait_until};
use flatten::{field, flatten};

const LONG: Duration = Duration::from_secs(60);

/// Codes of what is only not ready yet: a coordinator that loads, a leader that is not known, a transaction's end.
const AGAIN: [&str; 6] = ["5", "6", "14", "15", "16", "51"];

/// The versions of each API, by key.
type Versions = BTreeMap<i16, (i16, i16)>;

/// One request, for each of the versions.
struct Case {
    name: String,
    key: ApiKey,
    request: Box<dyn Fn(i16) -> RequestKind>,
}

/// What a server says to a request; `None` when it hangs up or says nothing.
fn ask(address: &str, key: ApiKey, version: i16, request: &RequestKind) -> Option<ResponseKind> {
    let mut answer = raw::ask(address, key, version, &ids::by_id(address, version, request))?;
    if let ResponseKind::ListGroups(listed) = &mut answer {
        listed.groups.retain(|listed| listed.group_id.as_str() == cases::GROUP);
    }
    Some(answer)
}

/// The answer as paths and values, without what nobody compares.
fn answer(address: &str, case: &Case, version: i16) -> BTreeMap<String, String> {
    let request = (case.request)(version);
    for attempt in 0.. {
        let Some(answer) = ask(address, case.key, version, &request) else {
            return BTreeMap::from([("closed".to_owned(), "true".to_owned())]);
        };
        let found: BTreeMap<_, _> = flatten(&format!("{answer:#?}")).into_iter().collect();
        let not_yet = found.iter().any(|(path, value)| {
            field(path).ends_with("error_code") && AGAIN.contains(&value.as_str())
        });
        if not_yet && attempt < 8 {
            pause();
            continue;
        }
        return found
            .into_iter()
            .filter_map(|(path, value)| accepted::compared(path, value))
            .collect();
    }
    unreachable!("the last attempt returns")
}

#[expect(clippy::disallowed_methods, reason = "Kafka says itself that it is to be asked again")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

/// The versions that both serve, by key.
fn versions(hub: &str, kafka: &str) -> Versions {
    let served = |address: &str| -> BTreeMap<i16, (i16, i16)> {
        let request = RequestKind::ApiVersions(ApiVersionsRequest::default());
        let answer = ask(address, ApiKey::ApiVersions, 0, &request);
        let Some(ResponseKind::ApiVersions(answer)) = answer else { panic!("no versions") };
        let keys = answer.api_keys.iter();
        keys.map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
    };
    let theirs = served(kafka);
    let both = served(hub).into_iter().filter_map(|(key, (first, last))| {
        let (their_first, their_last) = theirs.get(&key)?;
        // What the decoder does not know is not compared.
        let of = ApiKey::try_from(key).ok()?;
        // It says 10 of offsets, and writes 9.
        let is_offsets = matches!(of, ApiKey::OffsetCommit | ApiKey::OffsetFetch);
        let last = last.min(if is_offsets { 9 } else { of.valid_versions().max });
        // The versions of Produce before 3 are only advertised.
        let least = if key == 0 { 3 } else { 0 };
        Some((key, (first.max(*their_first).max(least), last.min(*their_last))))
    });
    both.collect()
}

/// Makes the topic anew, and lets the coordinators come up.
fn prepare(address: &str) {
    let names = vec![cases::topic(cases::TOPIC), cases::topic("absent-topic")];
    let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(10_000);
    // There is none, unless an earlier run was stopped.
    ask(address, ApiKey::DeleteTopics, 1, &RequestKind::DeleteTopics(request));
    let one = CreatableTopic::default()
        .with_name(cases::topic(cases::TOPIC))
        .with_num_partitions(2)
        .with_replication_factor(1)
        // The records of the cases are old.
        .with_configs(vec![
            CreatableTopicConfig::default()
                .with_name(cases::text("retention.ms"))
                .with_value(Some(cases::text("-1"))),
        ]);
    let request = CreateTopicsRequest::default().with_topics(vec![one]).with_timeout_ms(10_000);
    let request = RequestKind::CreateTopics(request);
    wait_until(LONG, "the topic", || {
        let answer = ask(address, ApiKey::CreateTopics, 2, &request);
        matches!(answer, Some(ResponseKind::CreateTopics(answer)) if answer.topics[0].error_code == 0)
    });
    let request = RequestKind::Metadata(MetadataRequest::default().with_topics(None));
    wait_until(LONG, "the topic's leader", || {
        let answer = ask(address, ApiKey::Metadata, 1, &request);
        let Some(ResponseKind::Metadata(answer)) = answer else { return false };
        let is_led =
            |topic: &MetadataResponseTopic| topic.partitions.iter().all(|one| one.error_code == 0);
        answer.topics.iter().any(|topic| {
            topic.name.as_ref().is_some_and(|name| name.as_str() == cases::TOPIC) && is_led(topic)
        })
    });
    await_coordinators(address);
}

/// Waits until groups and transactions have a coordinator.
fn await_coordinators(address: &str) {
    for kind in [0, 1] {
        let request = FindCoordinatorRequest::default().with_key(cases::text("differential"));
        let request = RequestKind::FindCoordinator(request.with_key_type(kind));
        wait_until(LONG, "a coordinator", || {
            let answer = ask(address, ApiKey::FindCoordinator, 1, &request);
            matches!(answer, Some(ResponseKind::FindCoordinator(answer)) if answer.error_code == 0)
        });
    }
}

/// Fields that differ, as `path: hub's, kafka's`; those that an accepted difference covers are noted in `used`.
fn differences(
    case: &Case,
    hub: &str,
    kafka: &str,
    used: &mut BTreeSet<usize>,
    version: i16,
) -> Vec<String> {
    let (ours, theirs) = (answer(hub, case, version), answer(kafka, case, version));
    let differing = accepted::differing(&case.name, &ours, &theirs, used);
    let told = |what: String| format!("{} (version {version}) {what}", case.name);
    differing.into_iter().map(told).collect()
}

/// The versions of an API that differ most: the first, the last, and the one before what is named changes.
fn edges(key: ApiKey, (first, last): (i16, i16)) -> BTreeSet<i16> {
    let by_name = [ApiKey::Fetch, ApiKey::Produce].contains(&key).then_some(ids::LAST_BY_NAME);
    by_name.into_iter().chain([first, last]).collect()
}

/// A hub on a free port.
fn start_hub(folder: &Path) -> (Agent, String) {
    let hub = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{hub}\" }} }}\n\
         sources: {{ in: {{ topic: other, from: {{ http: {{ listen: \"127.0.0.1:0\" }} }} }} }}\n"
    );
    (Agent::start(folder, &blocks), hub)
}

#[test]
fn raw_requests_are_answered_as_kafka_answers_them() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (_agent, hub) = start_hub(folder.path());
    prepare(&hub);
    prepare(&kafka);
    let versions = versions(&hub, &kafka);
    let mut used = BTreeSet::new();
    let (mut found, mut asked) = (Vec::new(), BTreeSet::new());
    let mut count = 0;
    for case in cases::all() {
        let Some((first, last)) = versions.get(&(case.key as i16)) else { continue };
        for version in edges(case.key, (*first, *last)) {
            found.extend(differences(&case, &hub, &kafka, &mut used, version));
            count += 1;
        }
        asked.insert(case.key as i16);
    }
    let left_out: Vec<i16> = versions.keys().copied().filter(|key| !asked.contains(key)).collect();
    assert!(left_out.is_empty(), "no case asks the APIs {left_out:?}");
    println!("{count} requests of {} APIs were answered alike", asked.len());
    print!("{}", accepted::unused(&used, |of| !of.starts_with(conversations::MARK)));
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
