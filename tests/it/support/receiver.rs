//! An HTTP server that takes what is posted to it, or does not, as the test says.

use std::collections::HashSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::waiting::wait_until;

/// Larger than any request of a test.
const BODY_MAX_BYTES: usize = 256 << 20;

/// One request that was answered with success.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    /// Path and query.
    pub(crate) path: String,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body as it was sent.
    pub(crate) body: Bytes,
}

impl Taken {
    /// The body as text, decompressed when it was sent compressed.
    pub(crate) fn text(&self) -> String {
        let mut plain = Vec::new();
        match self.headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes()) {
            None => plain.extend_from_slice(&self.body),
            Some(b"gzip") => {
                flate2::read::MultiGzDecoder::new(&*self.body)
                    .read_to_end(&mut plain)
                    .map(drop)
                    .unwrap();
            }
            Some(b"zstd") => plain = zstd::decode_all(&*self.body).unwrap(),
            Some(other) => panic!("content-encoding {}", String::from_utf8_lossy(other)),
        }
        String::from_utf8(plain).unwrap()
    }
}

/// What is answered from now on.
#[derive(Debug, Clone, Copy)]
struct Answer {
    status: StatusCode,
    retry_after_seconds: Option<u32>,
}

#[derive(Debug)]
struct Desk {
    answer: Mutex<Answer>,
    refuses: Mutex<Option<(&'static str, StatusCode)>>,
    taken: Mutex<Vec<Taken>>,
    refused: Mutex<usize>,
}

/// The server; it has a thread of its own, and is there until it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    desk: Arc<Desk>,
    presence: Option<Runtime>,
}

impl Receiver {
    /// Starts one that answers everything with 200.
    pub(crate) fn start() -> Self {
        let answer = Answer { status: StatusCode::OK, retry_after_seconds: None };
        let desk = Desk {
            answer: Mutex::new(answer),
            refuses: Mutex::default(),
            taken: Mutex::default(),
            refused: Mutex::default(),
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut receiver = Self { address: any, desk: Arc::new(desk), presence: None };
        receiver.come_back();
        receiver
    }

    /// The URL of `path` here, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers with `status` from now on; requests not answered with success are only counted.
    pub(crate) fn answer(&self, status: u16) {
        self.set(status, None);
    }

    /// Answers with `status` and `Retry-After` from now on.
    pub(crate) fn answer_retry_after(&self, status: u16, seconds: u32) {
        self.set(status, Some(seconds));
    }

    /// Answers requests whose body contains `text`, not compressed, with `status` whatever the others get.
    pub(crate) fn refuse(&self, text: &'static str, status: u16) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.desk.refuses.lock() = Some((text, status));
    }

    fn set(&self, status: u16, retry_after_seconds: Option<u32>) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.desk.answer.lock() = Answer { status, retry_after_seconds };
    }

    /// Closes the listener and cuts every connection; the port is refused until [`Self::come_back`].
    pub(crate) fn go_away(&mut self) {
        if let Some(presence) = self.presence.take() {
            // A runtime may not be ended in the context of another, and a test may be async.
            let end = move || presence.shutdown_timeout(Duration::from_secs(5));
            std::thread::spawn(end).join().unwrap();
        }
    }

    /// Listens again at the same address.
    pub(crate) fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&self.desk));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await
        });
        self.presence = Some(runtime);
    }

    /// Everything that was taken, in order.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.desk.taken.lock().clone()
    }

    /// The lines of all bodies that were taken, in order, repeats included.
    pub(crate) fn lines(&self) -> Vec<String> {
        let texts = self.taken().into_iter().map(|taken| taken.text());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// As [`Self::lines`], but of requests with the same `Idempotency-Key` only the first, as a careful far side does.
    pub(crate) fn lines_of_distinct(&self) -> Vec<String> {
        let mut keys = HashSet::new();
        let key = |taken: &Taken| taken.headers.get("idempotency-key").unwrap().clone();
        let distinct = self.taken().into_iter().filter(|taken| keys.insert(key(taken)));
        distinct
            .flat_map(|taken| taken.text().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    /// The `Idempotency-Key` of every request that was taken and has one, in order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let taken = self.taken();
        let keys = taken.iter().filter_map(|taken| taken.headers.get("idempotency-key"));
        keys.map(|key| key.to_str().unwrap().to_owned()).collect()
    }

    /// Requests that were not answered with success.
    pub(crate) fn refused(&self) -> usize {
        *self.desk.refused.lock()
    }

    /// Waits until at least `count` lines were taken, and returns them.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, count: usize, limit: Duration) -> Vec<String> {
        let mut lines = Vec::new();
        wait_until(limit, &format!("{count} lines at {}", self.address), || {
            lines = self.lines();
            lines.len() >= count
        });
        lines
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go_away();
    }
}

async fn take(State(desk): State<Arc<Desk>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_MAX_BYTES).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Answer { mut status, retry_after_seconds } = *desk.answer.lock();
    if let Some((text, refusal)) = *desk.refuses.lock()
        && body.windows(text.len()).any(|part| part == text.as_bytes())
    {
        status = refusal;
    }
    if status.is_success() {
        let path = parts.uri.to_string();
        desk.taken.lock().push(Taken { path, headers: parts.headers, body });
    } else {
        *desk.refused.lock() += 1;
    }
    match retry_after_seconds {
        None => status.into_response(),
        Some(seconds) => (status, [(header::RETRY_AFTER, seconds.to_string())]).into_response(),
    }
}
