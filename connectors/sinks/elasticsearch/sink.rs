//! Writes to Elasticsearch and OpenSearch.

use anabranch_record::Records;
use async_trait::async_trait;
use bytes::Bytes;
use elasticsearch::http::headers::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::answer::{FILTER_PATH, Fate, Item};
use super::bulk::Writer;
use super::call::{Received, bulk};
use super::config::{Checked, Compression, SinkConfig};
use super::endpoints::Endpoints;
use crate::contract::build::{BuildError, Surroundings};
use crate::shared::http::answer::{cut_short, unreachable};
use crate::shared::http::client::gzip;
use crate::shared::http::responses::Responses;
use crate::{Outcome, Sink, WriteError, Written};

/// The sink.
#[derive(Debug)]
pub struct ElasticsearchSink {
    endpoints: Endpoints,
    writer: Writer,
    headers: HeaderMap,
    query: Vec<(&'static str, String)>,
    compression: Compression,
    responses: Responses,
    max_bytes: usize,
    /// Whether records of one request may have different indexes for what they are, so that one record's index must
    /// not stop the others.
    index_is_of_record: bool,
    /// The last request's buffer, to be filled again.
    spare: Vec<u8>,
}

impl ElasticsearchSink {
    /// Builds it; connects with the first write.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SinkConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let _unused = around;
        let Checked { index, transports, mut headers } = config.check()?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        if config.compression == Compression::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let mut query = vec![("filter_path", FILTER_PATH.to_owned())];
        query.extend(config.pipeline.map(|pipeline| ("pipeline", pipeline)));
        let needs = index.needs();
        Ok(Self {
            endpoints: Endpoints::new(transports),
            index_is_of_record: needs.headers || needs.key,
            writer: Writer::new(index, config.action.name()),
            headers,
            query,
            compression: config.compression,
            responses: config.responses,
            max_bytes: config.max_bytes.bytes(),
            spare: Vec::new(),
        })
    }

    /// Sends one request and reads the fate of its `count` records, of which the first has the number `first`.
    async fn deliver(
        &mut self,
        body: Vec<u8>,
        (first, count): (usize, usize),
        written: &mut Written,
    ) -> Result<(), WriteError> {
        let body = Bytes::from(match self.compression {
            Compression::None => body,
            Compression::Gzip => {
                let packed = gzip(&body);
                self.spare = body;
                packed.map_err(|problem| unreachable("gzip", &problem))?
            }
        });
        let answer = self.send(&body).await?;
        if self.spare.capacity() == 0 && body.is_unique() {
            self.spare = body.into();
        }
        let items = answer.items(count)?;
        self.settle(&answer.target, &items, first, written)
    }

    /// Goes on to the next endpoint when one cannot be reached; each at most once.
    async fn send(&mut self, body: &Bytes) -> Result<Received, WriteError> {
        let mut tries = self.endpoints.here(Instant::now()).max(1);
        loop {
            tries -= 1;
            let Some(endpoint) = self.endpoints.next(Instant::now()) else {
                return Err(WriteError::Fatal {
                    target: "elasticsearch".to_owned(),
                    reason: "there is no endpoint".to_owned(),
                    hint: "set `endpoints`",
                });
            };
            let headers = self.headers.clone();
            match bulk(endpoint, headers, &self.query, body.clone()).await {
                Ok(received) => {
                    if received.status.is_server_error() {
                        endpoint.failed(Instant::now());
                    } else {
                        endpoint.answered();
                    }
                    return received.check(&self.responses);
                }
                Err(problem) => {
                    endpoint.failed(Instant::now());
                    if tries == 0 || problem.is_timeout() {
                        return Err(unreachable(&endpoint.address, &problem));
                    }
                }
            }
        }
    }

    fn settle(
        &self,
        target: &str,
        items: &[Item<'_>],
        first: usize,
        written: &mut Written,
    ) -> Result<(), WriteError> {
        let start = written.exceptions.len();
        let (mut blocked, mut cause) = (0, None);
        for (index, item) in items.iter().enumerate() {
            let outcome = match item.fate(&self.responses) {
                Fate::Done => continue,
                Fate::Again(reason) => Outcome::Again { reason },
                Fate::NotNow(reason) => Outcome::NotNow { reason },
                Fate::Dead { reason, own } => Outcome::Dead { reason, own },
                Fate::Blocked(reason, hint) => {
                    blocked += 1;
                    cause.get_or_insert_with(|| (reason.clone(), hint));
                    // Other indexes take their records; those of this one are not bad for that.
                    if self.index_is_of_record {
                        Outcome::Dead { reason, own: false }
                    } else {
                        Outcome::NotNow { reason }
                    }
                }
            };
            written.exceptions.push((first + index, outcome));
        }
        match cause {
            Some((reason, hint)) if blocked == items.len() && !self.index_is_of_record => {
                written.exceptions.truncate(start);
                Err(WriteError::Fatal { target: target.to_owned(), reason, hint })
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Sink for ElasticsearchSink {
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        let mut written = Written::done();
        let mut body = std::mem::take(&mut self.spare);
        body.clear();
        let (mut first, mut count) = (0, 0);
        for (number, stored) in records.iter().enumerate() {
            let end = body.len();
            self.writer.push(&stored, &mut body);
            if body.len() > self.max_bytes && count > 0 {
                let next = body.split_off(end);
                let full = std::mem::replace(&mut body, next);
                let sent = self.deliver(full, (first, count), &mut written).await;
                if let Err(problem) = sent {
                    return cut_short(written, problem, first, records.len());
                }
                (first, count) = (number, 0);
            }
            count += 1;
        }
        if count > 0
            && let Err(problem) = self.deliver(body, (first, count), &mut written).await
        {
            return cut_short(written, problem, first, records.len());
        }
        Ok(written)
    }

    /// A document that is there is answered with 409, or is replaced by the same.
    fn takes_repeats(&self) -> bool {
        true
    }
}
