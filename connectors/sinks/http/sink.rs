//! Posts batches over HTTP.
//!
//! A request holds records of one partition and one address, at most `max_bytes` of them, in order. Its
//! `Idempotency-Key` names them for ever, so that a far side that honours it takes each request once. Redirects are not
//! followed.
//!
//! | answer                            | is                                                            |
//! |-----------------------------------|---------------------------------------------------------------|
//! | 2xx                               | done                                                          |
//! | none, 408, 425, 429, 5xx          | not now, with the far side's `Retry-After`                    |
//! | 413                               | too large: halves are tried                                   |
//! | 401, 403, 404, 405, 3xx           | fatal, with a hint                                            |
//! | any other 4xx                     | halves are tried; a record refused alone is dead, with the far side's words |
//!
//! `responses` changes that by status.
//!
//! When a request fails after an earlier one of the same write arrived, its records and those behind it come again.

use anabranch_record::{Records, StoredBatch};
use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, HeaderName, HeaderValue};
use reqwest::{Client, Response};

use super::config::{Checked, Method, SinkCompression, SinkConfig};
use super::request::{Form, Request};
use crate::contract::build::{BuildError, Surroundings};
use crate::contract::clock;
use crate::shared::document::Encoder;
use crate::shared::http::answer::{
    Answer, Verdict, causes, cut_short, quote, retry_after, unreachable,
};
use crate::shared::http::client::gzip;
use crate::shared::http::responses::Responses;
use crate::shared::shown;
use crate::shared::template::{Cursor, clean_url_segment};
use crate::{Outcome, Sink, WriteError, Written};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// An answer is read so far, bytes; what follows is of no interest.
const ANSWER_MAX: usize = 64 << 10;

/// The sink.
#[derive(Debug)]
pub struct HttpSink {
    client: Client,
    url: Cursor,
    method: Method,
    form: Form,
    responses: Responses,
    compression: SinkCompression,
    /// The last request's buffer, to be filled again.
    spare: Vec<u8>,
}

impl HttpSink {
    /// Builds it; connects with the first write.
    ///
    /// # Errors
    /// [`BuildError`] when a setting cannot work.
    pub fn new(config: SinkConfig, around: &Surroundings) -> Result<Self, BuildError> {
        let _unused = around;
        let Checked { client, url, codec } = config.check()?;
        let SinkConfig { method, format, compression, max_bytes, responses, .. } = config;
        Ok(Self {
            client,
            url: Cursor::new(url, clean_url_segment),
            method,
            form: Form { format, encoder: Encoder::new(codec), max_bytes: max_bytes.bytes() },
            responses,
            compression,
            spare: Vec::new(),
        })
    }

    /// Sends one request; what its records' fate is goes to `written`.
    async fn deliver(
        &mut self,
        mut request: Request,
        written: &mut Written,
    ) -> Result<(), WriteError> {
        let body = request.finish(self.form.format);
        let (body, encoding) = match self.compression {
            SinkCompression::None => (body, None),
            SinkCompression::Gzip => (self.pack(body, gzip)?, Some("gzip")),
            SinkCompression::Zstd => {
                (self.pack(body, |body| zstd::bulk::compress(body, 1))?, Some("zstd"))
            }
        };
        let mut builder = self
            .client
            .request(self.method.get(), &request.url)
            .header(IDEMPOTENCY_KEY, request.key());
        if let Some(encoding) = encoding {
            builder = builder.header(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let target = request.target();
        let away = |problem: reqwest::Error| unreachable(&target, &problem.without_url());
        let body = Bytes::from(body);
        let mut response = builder.body(body.clone()).send().await.map_err(away)?;
        let head = read_head(&mut response).await.map_err(away)?;
        if self.spare.capacity() == 0 && body.is_unique() {
            self.spare = body.into();
        }
        let answer = Answer {
            target: &target,
            status: response.status(),
            retry_after: retry_after(response.headers(), clock::now_ms()),
            body: &head,
        };
        let named = self.responses.of(answer.status.as_u16(), &[]);
        match answer.verdict_as(named) {
            Verdict::Done => {}
            Verdict::Failed(problem) => return Err(problem),
            Verdict::Again(reason) => {
                let again = |number| (number, Outcome::Again { reason: reason.clone() });
                let numbers = request.first..request.first + request.count;
                written.exceptions.extend(numbers.map(again));
                written.retry_after = answer.retry_after;
            }
            Verdict::Dead(reason) if request.count == 1 => {
                // One that the table calls dead is so for what it is.
                let own = named.is_some();
                written.exceptions.push((request.first, Outcome::Dead { reason, own }));
            }
            // One bad record has all that go with it refused.
            Verdict::Dead(reason) => {
                return Err(WriteError::Refused { target: target.clone(), reason });
            }
        }
        Ok(())
    }

    fn pack(
        &mut self,
        body: Vec<u8>,
        pack: impl Fn(&[u8]) -> std::io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, WriteError> {
        let packed = pack(&body).map_err(|problem| unreachable("compression", &problem));
        self.spare = body;
        packed
    }
}

async fn read_head(response: &mut Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut head = Vec::new();
    while head.len() < ANSWER_MAX
        && let Some(chunk) = response.chunk().await?
    {
        head.extend_from_slice(&chunk);
    }
    Ok(head)
}

fn is_same_place(left: &StoredBatch, right: &StoredBatch) -> bool {
    std::ptr::eq(left, right)
        || (left.partition == right.partition
            && left.epoch == right.epoch
            && left.topic.id == right.topic.id)
}

#[async_trait]
impl Sink for HttpSink {
    async fn write(&mut self, records: &Records) -> Result<Written, WriteError> {
        let mut written = Written::done();
        let mut open: Option<(Request, &StoredBatch)> = None;
        for (number, stored) in records.iter().enumerate() {
            let has_moved = self.url.advance(&stored);
            let full = match &mut open {
                Some((request, batch)) if !has_moved && is_same_place(batch, stored.batch) => {
                    request.push(&stored, &mut self.form)
                }
                _ => {
                    let body = std::mem::take(&mut self.spare);
                    let next =
                        Request::begin(&stored, &mut self.form, number, self.url.text(), body);
                    open.replace((next, stored.batch)).map(|(request, _)| request)
                }
            };
            if let Some(request) = full {
                let first = request.first;
                if let Err(problem) = self.deliver(request, &mut written).await {
                    return cut_short(written, problem, first, records.len());
                }
            }
        }
        if let Some((request, _)) = open {
            let first = request.first;
            if let Err(problem) = self.deliver(request, &mut written).await {
                return cut_short(written, problem, first, records.len());
            }
        }
        Ok(written)
    }
}

/// Tries the far end with a `HEAD`, which changes nothing there; any answer but one about who we are will do.
///
/// # Errors
/// A sentence for a person.
pub(super) async fn probe(config: &SinkConfig) -> Result<String, String> {
    let Checked { client, url, .. } = config.check().map_err(|wrong| wrong.to_string())?;
    let url = url.render_example("topic");
    let address = shown::address(&url);
    let mut response = client
        .head(&url)
        .send()
        .await
        .map_err(|problem| format!("{address}: {}", causes(&problem.without_url())))?;
    let status = response.status();
    if matches!(status.as_u16(), 401 | 403) {
        let head = read_head(&mut response).await.unwrap_or_default();
        return Err(format!("{address}: HTTP {status} {}; check `auth`", quote(&head)));
    }
    Ok(format!("{address}: answers with HTTP {status}"))
}
