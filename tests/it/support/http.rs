//! HTTP requests that a test makes and waits for, from sync and async tests alike.

use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use reqwest::{Client, RequestBuilder, header};
use tokio::runtime::Runtime;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The whole body.
    pub(crate) body: String,
}

/// Requests run here, so that the caller may block whatever runtime it is in.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

static CLIENT: LazyLock<Client> =
    LazyLock::new(|| Client::builder().timeout(Duration::from_secs(20)).build().unwrap());

/// Gets `url`.
///
/// # Errors
/// What went wrong, when there was no answer.
pub(crate) fn get(url: &str) -> Result<Answer, reqwest::Error> {
    send(CLIENT.get(url))
}

/// Posts `body` to `url`.
///
/// # Errors
/// What went wrong, when there was no answer.
pub(crate) fn post(
    url: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Result<Answer, reqwest::Error> {
    send(CLIENT.post(url).header(header::CONTENT_TYPE, content_type).body(body.into()))
}

/// Posts `body` to `url` as the one who has `token`.
///
/// # Errors
/// What went wrong, when there was no answer.
pub(crate) fn post_as(
    token: &str,
    url: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
) -> Result<Answer, reqwest::Error> {
    let request = CLIENT.post(url).bearer_auth(token).header(header::CONTENT_TYPE, content_type);
    send(request.body(body.into()))
}

/// Puts `body`, which is JSON, at `url`.
///
/// # Errors
/// What went wrong, when there was no answer.
pub(crate) fn put(url: &str, body: impl Into<Vec<u8>>) -> Result<Answer, reqwest::Error> {
    send(CLIENT.put(url).header(header::CONTENT_TYPE, "application/json").body(body.into()))
}

fn send(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let (give, take) = mpsc::channel();
    RUNTIME.spawn(async move { give.send(answer(request).await) });
    take.recv().expect("the request's own end")
}

async fn answer(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    Ok(Answer { status, body: response.text().await? })
}
