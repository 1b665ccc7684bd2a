//! Raw frames to a real broker: each is answered with a frame that can be decoded, or the connection ends; and the
//! broker goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anabranch::broker::{self, Broker, Listening, Network, serve_stream};
use anabranch::hub::Hub;
use anabranch::hub::embedded::{Cleanup, Embedded, Settings, TopicSettings};
use anabranch::wire::Codec;
use bytes::{Buf, Bytes};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader,
    ResponseKind,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;
use uuid::Uuid;

use crate::random::Random;
use crate::report::Target;
use crate::{corpus, mutate, requests};

/// Frames for one hub: topics, groups and records pile up.
const ROUND: u64 = 4000;
/// What an answer may take that waits for nothing. The longest makes a topic with 10,000 partitions, each on disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the fuzzer waits for what may wait itself.
const WAIT: Duration = Duration::from_millis(80);
const PROBE: i32 = 0x7e57_7e57;

/// One API, with the versions that are served and can be encoded.
pub(crate) type Served = (ApiKey, i16, i16);

/// The id of the hub, so that topics have the same ids in each run.
const HUB: &str = "fuzz";

/// The id that a topic of that name has here: twelve hexadecimal digits, as every id.
fn own_id(name: &str) -> String {
    let hash = xxhash_rust::xxh3::xxh3_64(name.as_bytes());
    format!("{:012x}", hash >> 16)
}

/// The id on the wire of a topic.
pub(crate) fn topic_id(name: &str) -> Uuid {
    Uuid::from_u128(xxhash_rust::xxh3::xxh3_128(format!("{HUB}.{}", own_id(name)).as_bytes()))
}

/// A data folder with a topic, of which there is nothing but its id.
fn prepare(folder: &Path, name: &str) -> std::io::Result<()> {
    let meta = format!("version=1\ncluster.id={HUB}\n");
    std::fs::write(folder.join("meta.properties"), meta)?;
    let partition = folder.join(format!("{name}-0"));
    std::fs::create_dir(&partition)?;
    let id = format!("version: 0\ntopic_id: {}\n", own_id(name));
    std::fs::write(partition.join("partition.metadata"), id)
}

struct Rig {
    _folder: tempfile::TempDir,
    hub: Arc<Embedded>,
    broker: Arc<Broker>,
    peer: Option<(DuplexStream, tokio::task::JoinHandle<()>)>,
    serving: tokio::task::JoinHandle<()>,
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(folder.path());
        settings.acks = anabranch::Acks::Leader;
        settings.min_free = 0;
        let plain = TopicSettings { partitions: 2, ..TopicSettings::default() };
        for (name, topic) in [
            ("packed", TopicSettings { compression: Some(Codec::Lz4), ..plain.clone() }),
            ("stamped", TopicSettings { append_time: true, ..plain.clone() }),
            ("compacted", TopicSettings { cleanup: Cleanup::COMPACT, ..plain.clone() }),
            ("spare", plain.clone()),
            ("plain", plain),
        ] {
            prepare(folder.path(), name).unwrap();
            settings.topics.insert(name.to_owned(), topic);
        }
        let hub = Embedded::open(settings, Arc::default()).unwrap();
        let broker = Broker::new(Arc::clone(&hub), broker::Settings::default());
        let listening = Listening::open("127.0.0.1:0").await.unwrap();
        let serving = tokio::spawn(broker::serve(
            Arc::clone(&broker),
            Network::start().unwrap(),
            vec![listening],
            None,
        ));
        Self { _folder: folder, hub, broker, peer: None, serving }
    }

    fn connect(&mut self) -> &mut DuplexStream {
        let broker = Arc::clone(&self.broker);
        let (peer, _task) = self.peer.get_or_insert_with(|| {
            let (ours, theirs) = tokio::io::duplex(2 << 20);
            let serving = async move {
                let place = (([127, 0, 0, 1], 1).into(), ("localhost".to_owned(), 9092));
                serve_stream(broker, theirs, place).await.ok();
            };
            (ours, tokio::spawn(serving))
        });
        peer
    }

    fn hang_up(&mut self) {
        if let Some((stream, task)) = self.peer.take() {
            drop(stream);
            task.abort();
        }
    }

    async fn stop(mut self) {
        self.hang_up();
        self.serving.abort();
        self.hub.close().await;
    }
}

/// What the broker serves, as it says itself.
async fn served(rig: &mut Rig) -> Vec<Served> {
    let stream = rig.connect();
    send(stream, &probe()).await.unwrap();
    let mut answer = receive(stream).await.unwrap().unwrap();
    answer.advance(4);
    let Ok(ResponseKind::ApiVersions(answer)) =
        ResponseKind::decode(ApiKey::ApiVersions, &mut answer, 0)
    else {
        panic!("ApiVersions is not answered");
    };
    let one = |api: &kafka_protocol::messages::api_versions_response::ApiVersion| {
        // Those that the decoder does not know are only refused.
        let key = ApiKey::try_from(api.api_key).ok()?;
        // Versions 0 to 2 of Produce are only advertised.
        let from = if key == ApiKey::Produce { 3 } else { api.min_version };
        Some((key, from, api.max_version))
    };
    answer.api_keys.iter().filter_map(one).collect()
}

/// Panics unless topics have the ids that requests name.
async fn check_ids(rig: &mut Rig) {
    let mut frame = bytes::BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(ApiKey::Metadata as i16);
    header.with_request_api_version(12).encode(&mut frame, 2).unwrap();
    let wanted = MetadataRequestTopic::default().with_name(None).with_topic_id(topic_id("plain"));
    MetadataRequest::default().with_topics(Some(vec![wanted])).encode(&mut frame, 12).unwrap();
    let stream = rig.connect();
    send(stream, &frame).await.unwrap();
    let mut answer = receive(stream).await.unwrap().unwrap();
    answer.advance(5);
    let answer = MetadataResponse::decode(&mut answer, 12).unwrap();
    assert_eq!(answer.topics[0].name.as_ref().unwrap().as_str(), "plain");
}

fn probe() -> Vec<u8> {
    let mut frame = bytes::BytesMut::new();
    let header = RequestHeader::default().with_request_api_key(ApiKey::ApiVersions as i16);
    header.with_correlation_id(PROBE).encode(&mut frame, 1).unwrap();
    ApiVersionsRequest::default().encode(&mut frame, 0).unwrap();
    frame.to_vec()
}

async fn send(stream: &mut DuplexStream, frame: &[u8]) -> std::io::Result<()> {
    stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).await?;
    stream.write_all(frame).await
}

/// The next answer; `None` when the connection has ended.
async fn receive(stream: &mut DuplexStream) -> Result<Option<Bytes>, String> {
    let Ok(length) = stream.read_i32().await else { return Ok(None) };
    let length = usize::try_from(length).map_err(|_| format!("an answer of {length} bytes"))?;
    if length > 64 << 20 {
        return Err(format!("an answer of {length} bytes"));
    }
    let mut answer = vec![0; length];
    match stream.read_exact(&mut answer).await {
        Ok(_) => Ok(Some(answer.into())),
        Err(_) => Err("half an answer".to_owned()),
    }
}

/// Requests of Streams groups, which `kafka-protocol` does not know.
const BEYOND: [i16; 2] = [88, 89];

/// Whether an answer is one to that request.
fn check(frame: &[u8], mut answer: Bytes, served: &[Served]) -> Result<(), String> {
    let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
    let (key, mut version) = (number(0), number(2));
    if answer.get(..4) != frame.get(4..8) {
        return Err("another correlation id".to_owned());
    }
    let Some((key, first, last)) = served.iter().find(|(served, ..)| *served as i16 == key) else {
        if BEYOND.contains(&key) {
            return Ok(());
        }
        return Err("an answer to what is not served".to_owned());
    };
    let sent_version = version;
    if *key == ApiKey::ApiVersions && !(*first..=*last).contains(&version) {
        version = 0;
    }
    // In version 10 topics have ids, and the decoder knows names only.
    let is_beyond = match key {
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => version >= 10,
        // It has a field more in version 2.
        _ => *key == ApiKey::ShareAcknowledge && version >= 2,
    };
    if is_beyond {
        return Ok(());
    }
    version = version.min(requests::last_coded(*key));
    ResponseHeader::decode(&mut answer, key.response_header_version(version))
        .map_err(|error| format!("the head of the answer: {error}"))?;
    ResponseKind::decode(*key, &mut answer, version)
        .map_err(|error| format!("the answer: {error}"))?;
    // The decoder does not know the last field of a folder, which is of one byte.
    let more = usize::from(*key == ApiKey::DescribeLogDirs && sent_version >= 5);
    if answer.len() <= more {
        Ok(())
    } else {
        Err(format!("{} bytes behind the answer", answer.len()))
    }
}

enum Ended {
    Answered,
    Refused,
    Waiting,
}

/// Sends a frame and a good request behind it.
async fn execute(rig: &mut Rig, frame: &[u8], served: &[Served]) -> Result<Ended, String> {
    let key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
    // A fetch waits for records, and members for each other.
    let waits =
        [ApiKey::Fetch, ApiKey::JoinGroup, ApiKey::SyncGroup].iter().any(|api| *api as i16 == key);
    let stream = rig.connect();
    let exchange = async {
        let sent = send(stream, frame).await.is_ok() && send(stream, &probe()).await.is_ok();
        loop {
            match receive(stream).await? {
                None => return Ok(Ended::Refused),
                Some(answer) if answer.starts_with(&PROBE.to_be_bytes()) && sent => {
                    return Ok(Ended::Answered);
                }
                Some(answer) => check(frame, answer, served)?,
            }
        }
    };
    match timeout(if waits { WAIT } else { PATIENCE }, exchange).await {
        Ok(Ok(Ended::Refused)) => {
            let (_stream, task) = rig.peer.take().ok_or("no connection")?;
            if task.await.is_err_and(|error| error.is_panic()) {
                return Err("a panic".to_owned());
            }
            let stream = rig.connect();
            send(stream, &probe()).await.map_err(|error| error.to_string())?;
            let answer = timeout(PATIENCE, receive(stream)).await;
            match answer {
                Ok(Ok(Some(_))) => Ok(Ended::Refused),
                _ => Err("no answer to ApiVersions on a new connection".to_owned()),
            }
        }
        Ok(other) => other,
        Err(_elapsed) if waits => {
            rig.hang_up();
            Ok(Ended::Waiting)
        }
        Err(_elapsed) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

fn generated(served: &[Served], only: Option<&str>, random: &mut Random) -> Option<Vec<u8>> {
    let of: Vec<_> = served
        .iter()
        .filter(|(key, ..)| only.is_none_or(|name| format!("{key:?}").eq_ignore_ascii_case(name)))
        .copied()
        .collect();
    assert!(!of.is_empty(), "no such API is served");
    let (key, first, last) = random.pick(&of);
    let version =
        first + i16::try_from(random.below(usize::try_from(last - first).unwrap() + 1)).unwrap();
    requests::frame(key, version, random)
}

/// One frame: good, damaged or noise.
fn next(served: &[Served], only: Option<&str>, random: &mut Random) -> Vec<u8> {
    if only.is_none() && random.one_in(50) {
        let length = 8 + random.below(200);
        return (0..length).map(|_| random.next() as u8).collect();
    }
    let Some(mut frame) = generated(served, only, random) else { return vec![0; 8] };
    if !random.one_in(4) {
        let other = generated(served, only, random).unwrap_or_default();
        mutate::mutate(&mut frame, &other, random);
    }
    // A shorter frame has no head, and is refused by its length alone.
    frame.resize(frame.len().max(mutate::HEAD), 0);
    frame
}

/// Feeds the broker for that long, the corpus first.
pub(crate) fn run(target: &mut Target, seconds: u64, seed: u64, only: Option<&str>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = Random::new(seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut first = corpus::frames();
    while Instant::now() < until || !first.is_empty() {
        runtime.block_on(async {
            let mut rig = Rig::start().await;
            let served = served(&mut rig).await;
            check_ids(&mut rig).await;
            corpus::check(&served);
            let mut count = 0;
            while (count < ROUND && Instant::now() < until) || !first.is_empty() {
                let frame = first.pop().unwrap_or_else(|| next(&served, only, &mut random));
                target.begin(&frame);
                let ended = execute(&mut rig, &frame, &served).await;
                if ended.is_err() {
                    rig.hang_up();
                }
                target.end(
                    &frame,
                    ended.map(|ended| match ended {
                        Ended::Answered => "answered",
                        Ended::Refused => "refused",
                        Ended::Waiting => "waiting",
                    }),
                );
                count += 1;
            }
            rig.stop().await;
        });
    }
}

/// Every API and version that is served.
pub(crate) fn all_served() -> Vec<Served> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut rig = Rig::start().await;
        let served = served(&mut rig).await;
        rig.stop().await;
        served
    })
}
