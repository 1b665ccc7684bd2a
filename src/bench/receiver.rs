//! The far end of the case `bulk`: counts documents and says that it has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use tokio::net::TcpListener;

/// A server that takes `_bulk`, on a thread of its own.
pub(super) struct Receiver {
    /// `http://host:port`.
    pub(super) url: String,
    documents: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
    _tasks: crate::tasks::Tasks,
}

impl Receiver {
    pub(super) fn start() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("the receiver cannot start: {error}");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let documents = Arc::new(AtomicU64::new(0));
        let app = Router::new().fallback(take).with_state(Arc::clone(&documents));
        let app = app.layer(axum::extract::DefaultBodyLimit::disable());
        let mut tasks = crate::tasks::Tasks::new(tokio::sync::mpsc::channel(1).0);
        {
            let _inside = runtime.enter();
            tasks.spawn("receiver", async move {
                // It ends with the benchmark.
                axum::serve(listener, app).await.ok();
            });
        }
        Ok(Self { url, documents, _runtime: runtime, _tasks: tasks })
    }

    /// Documents so far.
    pub(super) fn documents(&self) -> u64 {
        self.documents.load(Ordering::Relaxed)
    }
}

async fn take(State(documents): State<Arc<AtomicU64>>, body: Bytes) -> impl IntoResponse {
    // Two lines a document: what to do, and the document.
    let count = memchr::memchr_iter(b'\n', &body).count() / 2;
    documents.fetch_add(count as u64, Ordering::Relaxed);
    let mut answer = String::with_capacity(40 + count * 26);
    answer.push_str("{\"errors\":false,\"items\":[");
    for number in 0..count {
        answer.push_str(if number == 0 {
            "{\"create\":{\"status\":201}}"
        } else {
            ",{\"create\":{\"status\":201}}"
        });
    }
    answer.push_str("]}");
    ([(header::CONTENT_TYPE, "application/json")], answer)
}
