//! The same raw requests to the hub and to Kafka: what they answer is the same, field by field, but for what is listed.

mod accepted;
mod cases;
mod flatten;
mod groups;
mod topics;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FindCoordinatorRequest,
    RequestHeader, RequestKind, ResponseHeader, ResponseKind,
};
use kafka_protocol::protocol::{Decodable, Encodable};

use self::flatten::{field, flatten};
use crate::support::{Agent, free_port, server, wait_until};

const LONG: Duration = Duration::from_secs(60);

/// Codes of what is only not ready yet: a coordinator that loads, a leader that is not known, a transaction's end.
const AGAIN: [&str; 6] = ["5", "6", "14", "15", "16", "51"];

/// One request, for each of the versions.
struct Case {
    name: String,
    key: ApiKey,
    request: Box<dyn Fn(i16) -> RequestKind>,
}

/// What a server says to a request; `None` when it hangs up or says nothing.
fn ask(address: &str, key: ApiKey, version: i16, request: &RequestKind) -> Option<ResponseKind> {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(7)
        .with_client_id(Some(cases::text("differential")))
        .encode(&mut frame, key.request_header_version(version))
        .unwrap();
    let encoded = request.encode(&mut frame, version);
    encoded.unwrap_or_else(|error| panic!("{key:?} version {version}: {error}"));
    let length = i32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_be_bytes());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(&frame).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let mut answer = Bytes::from(answer);
    ResponseHeader::decode(&mut answer, key.response_header_version(version)).unwrap();
    Some(ResponseKind::decode(key, &mut answer, version).unwrap())
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
        let kept = |(path, _): &(String, String)| !accepted::NEVER.contains(&field(path));
        return found.into_iter().filter(kept).collect();
    }
    unreachable!("the last attempt returns")
}

#[expect(clippy::disallowed_methods, reason = "Kafka says itself that it is to be asked again")]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

/// The versions that both serve, by key.
fn versions(hub: &str, kafka: &str) -> BTreeMap<i16, (i16, i16)> {
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
    used: &mut [bool],
    version: i16,
) -> Vec<String> {
    let (ours, theirs) = (answer(hub, case, version), answer(kafka, case, version));
    let mut paths: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    paths.sort();
    paths.dedup();
    let mut found = Vec::new();
    for path in paths {
        let (our, their) = (ours.get(path), theirs.get(path));
        if our == their {
            continue;
        }
        let row = accepted::ACCEPTED.iter().position(|(of, name, _)| {
            case.name.starts_with(of) && (*name == "*" || *name == field(path))
        });
        match row {
            Some(row) => used[row] = true,
            None => found.push(format!(
                "{} (version {version}) {path}: the hub {}, Kafka {}",
                case.name,
                our.map_or("nothing", String::as_str),
                their.map_or("nothing", String::as_str),
            )),
        }
    }
    found
}

#[test]
fn raw_requests_are_answered_as_kafka_answers_them() {
    let Some(kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let hub = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{hub}\" }} }}\n\
         sources: {{ in: {{ topic: other, from: {{ http: {{ listen: \"127.0.0.1:0\" }} }} }} }}\n"
    );
    let _agent = Agent::start(folder.path(), &blocks);
    prepare(&hub);
    prepare(&kafka);
    let versions = versions(&hub, &kafka);
    let mut used = vec![false; accepted::ACCEPTED.len()];
    let (mut found, mut asked) = (Vec::new(), std::collections::BTreeSet::new());
    let mut count = 0;
    for case in cases::all() {
        let Some((first, last)) = versions.get(&(case.key as i16)) else { continue };
        for version in std::collections::BTreeSet::from([*first, *last]) {
            found.extend(differences(&case, &hub, &kafka, &mut used, version));
            count += 1;
        }
        asked.insert(case.key as i16);
    }
    let left_out: Vec<i16> = versions.keys().copied().filter(|key| !asked.contains(key)).collect();
    assert!(left_out.is_empty(), "no case asks the APIs {left_out:?}");
    println!("{count} requests of {} APIs were answered alike", asked.len());
    for ((of, name, reason), used) in accepted::ACCEPTED.iter().zip(used) {
        if !used {
            println!("not seen any more: {of} {name}: {reason}");
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
