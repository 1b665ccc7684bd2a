//! HTTP/1 on one connection: no request may take for ever to come, no connection holds much memory, and who is silent
//! goes when another wants in.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::linger::linger;
use super::{Ended, Heard, Peer, Place, Stream};

/// What a connection may hold of what comes in and is not taken yet; the head of a request must fit.
const BUFFER_BYTES: usize = 32 << 10;
/// How long requests that are under way at a stop may still get their answer, and how long the last word of a connection may
/// take.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// Marks, as an extension, an answer that is given before its request has come to its end: the rest is not read, and with
/// the answer the connection ends.
#[derive(Debug, Clone, Copy)]
pub struct Early;

/// Serves the requests of one connection until it ends. The head of each has `head_timeout` to come, counted from the
/// answer before. At a stop, what is under way gets a moment.
pub async fn serve<F, B>(
    (stream, peer, place): (Stream, Peer, &Place),
    head_timeout: Duration,
    stop: &CancellationToken,
    answer: impl Fn(Request<Incoming>) -> F,
) where
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let is_early = AtomicBool::new(false);
    let service = service_fn(|request| {
        let (answered, is_early) = (answer(request), &is_early);
        Box::pin(async move {
            let mut answered = answered.await;
            place.said();
            let early = answered.extensions().get::<Early>().is_some();
            is_early.store(early, Ordering::Relaxed);
            if early || place.is_crowded() {
                answered.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answered)
        })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Heard::new(stream, place)), service);
    let served = tokio::select! {
        served = poll_fn(|context| connection.poll_without_shutdown(context)) => served,
        () = place.is_wanted() => return,
        () = stop.cancelled() => {
            let mut connection = std::pin::pin!(connection);
            connection.as_mut().graceful_shutdown();
            let late = tokio::time::timeout(STOP_GRACE, connection).await;
            debug!(in_time = late.is_ok(), %peer, "an http connection ends with the stop");
            return;
        }
    };
    match served {
        Err(error) if error.is_timeout() => place.ends(Ended::Slow, peer),
        Err(error) => debug!(%error, %peer, "an http connection broke"),
        Ok(()) => {
            let mut stream = connection.into_parts().io.into_inner().into_inner();
            if is_early.load(Ordering::Relaxed) {
                stop.run_until_cancelled(linger(stream, place)).await;
            } else {
                // TLS has a word for it, for which there is no room where the far side does not read.
                let closed = tokio::select! {
                    closed = tokio::time::timeout(STOP_GRACE, stream.shutdown()) => closed,
                    () = place.is_wanted() => return,
                };
                if !matches!(closed, Ok(Ok(()))) {
                    debug!(?closed, %peer, "an http connection was not closed in peace");
                }
            }
        }
    }
}
