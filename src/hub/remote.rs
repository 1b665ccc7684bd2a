//! The embedded hub of a running agent: read from its data folder, written through its API.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anabranch_connectors::contract::counters::Account;
use anabranch_connectors::contract::receipt::{NotStored, Stored};
use anabranch_record::stored::ORIGIN;
use anabranch_record::{Batch, Record};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::{BODY_MAX, Encoding, Line, LineHeaders, Sent, Steps, Token};
use crate::hub::embedded::view::{StoresOffsets, View};
use crate::hub::{
    Advance, Appender, Consumer, ConsumerSpec, GroupInfo, Hub, HubError, Offset, Part, TopicInfo,
};
use crate::log::Folder;

/// Longest wait for an answer: an agent whose disk is full answers when there is room.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Appends that may wait for the API.
const QUEUE: usize = 4;

/// The hub of a running agent.
pub struct Remote {
    api: Api,
    /// Where the hub listens for clients of Kafka's protocol without TLS and SASL.
    listening: Option<String>,
    view: View,
    appender: Arc<Sender>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Remote").field("base", &self.api.base).finish_non_exhaustive()
    }
}

impl Remote {
    /// Asks the agent by `way`; it must be the one that has the folder of `view`.
    ///
    /// # Errors
    /// [`HubError::Fatal`] when it does not answer, or has another folder.
    pub async fn connect(way: &Way, view: View) -> Result<Self, HubError> {
        let api = Api::new(way);
        let listen = way.to_string();
        let folder = view.folder().to_owned();
        let answer = api.call(api.client.get(api.url("hub"))).await.map_err(|error| {
            let (holder, folder) = (Folder::holder(&folder), folder.display());
            HubError::Fatal(format!(
                "{folder} is in use by {holder}, and no agent answers at {listen}: {error}; \
                 see `admin.listen` and `admin.api` of its configuration"
            ))
        })?;
        let theirs = answer.get("data_dir").and_then(Value::as_str).unwrap_or_default();
        if !is_same(Path::new(theirs), &folder) {
            return Err(HubError::Fatal(format!(
                "{} is in use by {}, and the agent at {listen} has {theirs}",
                folder.display(),
                Folder::holder(&folder)
            )));
        }
        let view = view.storing_offsets(Arc::new(api.clone()));
        let appender = Arc::new(Sender::start(way)?);
        let listening = answer.get("listening").and_then(Value::as_array);
        let plain = |address: &Value| Some(local(address.as_str()?.strip_prefix("PLAINTEXT://")?));
        let listening = listening.and_then(|all| all.iter().find_map(plain));
        Ok(Self { api, listening, view, appender })
    }

    /// Where the hub listens for clients of Kafka's protocol without TLS and SASL, `host:port`.
    #[must_use]
    pub fn listens_at(&self) -> Option<&str> {
        self.listening.as_deref()
    }
}

/// The way to a running agent.
#[derive(Debug, Clone)]
pub enum Way {
    /// A unix socket; the rights of its file let in.
    Socket(PathBuf),
    /// `host:port`, with the token.
    Address(String, Option<Token>),
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(out),
            Self::Address(address, _) => address.fmt(out),
        }
    }
}

/// One who listens everywhere is here too.
fn local(listen: &str) -> String {
    listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// What it answers when it refuses.
#[derive(Deserialize)]
struct Problem {
    error: String,
}

/// The agent's API.
#[derive(Debug, Clone)]
pub(super) struct Api {
    base: String,
    /// For people.
    pub(super) at: String,
    pub(super) client: Client,
}

fn bearer(token: Option<&Token>) -> HeaderMap {
    let value =
        token.and_then(|token| HeaderValue::try_from(format!("Bearer {}", token.reveal())).ok());
    let value = value.map(|mut value| {
        value.set_sensitive(true);
        (AUTHORIZATION, value)
    });
    value.into_iter().collect()
}

impl Api {
    pub(super) fn new(way: &Way) -> Self {
        // It is on this machine or one beside it: a proxy would only be in the way.
        let client = Client::builder().no_proxy();
        match way {
            Way::Socket(path) => {
                let client = client.unix_socket(path.clone()).build().unwrap_or_default();
                Self { base: "http://localhost/api/v1".to_owned(), at: way.to_string(), client }
            }
            Way::Address(address, token) => {
                let client = client.default_headers(bearer(token.as_ref()));
                let (client, address) = (client.build().unwrap_or_default(), local(address));
                let base = format!("http://{address}/api/v1");
                Self { at: base.clone(), base, client }
            }
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    pub(super) async fn call(&self, request: RequestBuilder) -> Result<Value, HubError> {
        let away = |error: reqwest::Error| HubError::NotNow(error.without_url().to_string());
        let answer = request.timeout(ANSWER_MAX).send().await.map_err(away)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(away)?;
        let parsed: Option<Value> = serde_json::from_slice(&body).ok();
        if let Some(parsed) = parsed.filter(|_| status.is_success()) {
            return Ok(parsed);
        }
        let told = serde_json::from_slice::<Problem>(&body).map(|problem| problem.error);
        let problem =
            told.unwrap_or_else(|_| format!("{status} {}", String::from_utf8_lossy(&body)));
        Err(HubError::Fatal(format!("the agent refuses: {}", problem.trim())))
    }
}

#[async_trait]
impl StoresOffsets for Api {
    async fn store(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        let offset = |at: &Offset| {
            json!({
                "topic": at.topic, "partition": at.partition, "offset": at.offset, "epoch": at.epoch,
            })
        };
        let offsets: Vec<Value> = offsets.iter().map(offset).collect();
        let body = json!({ "group": group, "offsets": offsets });
        self.call(self.client.post(self.url("offsets")).json(&body)).await?;
        Ok(())
    }
}

#[async_trait]
impl Hub for Remote {
    fn appender(&self) -> Arc<dyn Appender> {
        Arc::clone(&self.appender) as Arc<dyn Appender>
    }

    async fn consumer(&self, spec: ConsumerSpec) -> Result<Box<dyn Consumer>, HubError> {
        self.view.consumer(spec).await
    }

    async fn positions(&self, source: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, HubError> {
        self.view.positions(source).await
    }

    async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), HubError> {
        let url = self.api.url(&format!("topics/{name}"));
        let body = json!({ "partitions": partitions });
        self.api.call(self.api.client.post(url).json(&body)).await?;
        Ok(())
    }

    async fn delete_topic(&self, name: &str) -> Result<(), HubError> {
        self.api.call(self.api.client.delete(self.api.url(&format!("topics/{name}")))).await?;
        Ok(())
    }

    async fn delete_records(
        &self,
        topic: &str,
        partition: i32,
        before: i64,
    ) -> Result<(), HubError> {
        let path = format!("topics/{topic}/records?partition={partition}&before={before}");
        let request = self.api.client.delete(self.api.url(&path));
        self.api.call(request.header(CONTENT_TYPE, "application/json")).await.map(drop)
    }

    async fn topics(&self) -> Result<Vec<TopicInfo>, HubError> {
        self.view.topics().await
    }

    async fn groups(&self) -> Result<Vec<GroupInfo>, HubError> {
        self.view.groups().await
    }

    async fn committed(&self, group: &str) -> Result<Vec<(Offset, String)>, HubError> {
        self.view.committed(group).await
    }

    async fn accounts(&self) -> Result<BTreeMap<String, Account>, HubError> {
        self.view.accounts().await
    }

    async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        self.api.store(group, offsets).await
    }

    async fn advance(&self, step: Advance) -> Result<(), HubError> {
        let at = |all: Vec<Offset>| {
            let at = |Offset { topic, partition, offset, epoch }| (topic, partition, offset, epoch);
            all.into_iter().map(at).collect()
        };
        let mut records = Vec::new();
        for placed in &step.records {
            records.extend(placed.batch.iter().map(|record| {
                let origin = record.headers.get(ORIGIN).map(String::from_utf8_lossy);
                let (topic, partition) = (placed.topic.clone(), placed.partition);
                Sent { topic, partition, origin: origin.map(Into::into), line: line(&record) }
            }));
        }
        let steps = Steps { group: step.group, from: at(step.from), to: at(step.to), records };
        self.api.call(self.api.client.post(self.api.url("advance")).json(&steps)).await.map(drop)
    }

    async fn delete_group(&self, name: &str) -> Result<bool, HubError> {
        let url = self.api.url("offsets");
        let body = json!({ "group": name });
        let answer = self.api.call(self.api.client.delete(url).json(&body)).await?;
        Ok(answer.get("deleted").and_then(Value::as_bool).unwrap_or_default())
    }

    async fn offsets_at(&self, topic: &str, timestamp_ms: i64) -> Result<Vec<Offset>, HubError> {
        self.view.offsets_at(topic, timestamp_ms).await
    }

    async fn close(&self) {}

    fn state(&self) -> Result<String, String> {
        Ok(format!("the agent at {}", self.api.at))
    }
}

/// What the sending thread is asked to do.
enum Job {
    Partitions(String, SyncSender<Result<u32, HubError>>),
    Append(String, i32, Vec<Part>),
}

/// Hands appends to a thread that speaks HTTP.
struct Sender(SyncSender<Job>);

impl Sender {
    fn start(way: &Way) -> Result<Self, HubError> {
        let failed =
            |error: std::io::Error| HubError::Fatal(format!("cannot start a thread: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let (jobs, queue) = sync_channel(QUEUE);
        let way = way.clone();
        std::thread::Builder::new()
            .name("api-sender".to_owned())
            .spawn(move || serve(&runtime, &way, &queue))
            .map_err(failed)?;
        Ok(Self(jobs))
    }
}

fn serve(runtime: &tokio::runtime::Runtime, way: &Way, queue: &Receiver<Job>) {
    let api = Api::new(way);
    while let Ok(job) = queue.recv() {
        match job {
            Job::Partitions(topic, answer) => {
                let request = api.client.post(api.url(&format!("topics/{topic}")));
                let request = request.header(CONTENT_TYPE, "application/json");
                let made = runtime.block_on(api.call(request)).map(|body| {
                    let count = body.get("partitions").and_then(Value::as_u64);
                    count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
                });
                // Whoever asked may be gone.
                answer.send(made).ok();
            }
            Job::Append(topic, partition, parts) => {
                for part in parts {
                    let outcome = runtime.block_on(store(&api, &topic, partition, &part.batch));
                    part.settle(outcome);
                }
            }
        }
    }
}

#[derive(Deserialize)]
struct Answered {
    offset: i64,
}

async fn store(api: &Api, topic: &str, partition: i32, batch: &Batch) -> Result<Stored, NotStored> {
    let url = api.url(&format!("topics/{topic}/records?partition={partition}"));
    let mut body = Vec::new();
    for record in batch.iter() {
        let line = serde_json::to_vec(&line(&record));
        body.extend(line.map_err(|error| NotStored(error.to_string()))?);
        body.push(b'\n');
    }
    if body.len() > BODY_MAX {
        return Err(NotStored(format!(
            "{} bytes at once are more than the running agent takes: {BODY_MAX} with base64; stop it first",
            batch.value_bytes()
        )));
    }
    let request = api.client.post(url).header(CONTENT_TYPE, "application/x-ndjson");
    let answer = api.call(request.body(body)).await;
    let answer = answer.map_err(|error| NotStored(error.to_string()))?;
    let Answered { offset } =
        serde_json::from_value(answer).map_err(|error| NotStored(error.to_string()))?;
    Ok(Stored { partition, offset })
}

fn line(record: &Record<'_>) -> Line {
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    let header = |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), value.map(text));
    let headers = LineHeaders::Pairs(record.headers.iter().map(header).collect());
    Line {
        key: record.key.map(text),
        value: record.value.map_or(Value::Null, |value| text(value).into()),
        headers,
        timestamp: Some(record.timestamp_ms),
        encoding: Encoding::Base64,
    }
}

impl Appender for Sender {
    fn partitions(&self, topic: &str) -> Result<u32, HubError> {
        let (answer, answered) = sync_channel(1);
        let closed = || HubError::Fatal("the thread that asks the agent has ended".to_owned());
        self.0.send(Job::Partitions(topic.to_owned(), answer)).map_err(|_closed| closed())?;
        answered.recv().map_err(|_closed| closed())?
    }

    fn append(&self, topic: &str, partition: i32, parts: Vec<Part>) {
        // Parts that come back are dropped, which tells their senders.
        self.0.send(Job::Append(topic.to_owned(), partition, parts)).ok();
    }

    fn store_positions(&self, _parts: Vec<Part>) {}
}
