//! Sends records: gathered on a thread of its own, each told what became of it.

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::sending::{Choose, Request, Sending};
use super::worker::Worker;
use super::{ClientError, HubHandle, Message, ProducerSettings, RecordMetadata};
use crate::hub::HubError;

/// Messages that may wait for the worker.
const QUEUE: usize = 1024;

/// Sends records to a hub. Shared by reference; [`Producer::close`] stores what is still under way.
pub struct Producer {
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    budget: Arc<Semaphore>,
    budget_max: usize,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Producer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Producer")
            .field("buffer_memory", &self.budget_max)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer that places keys as Kafka's clients do, and records without a key in turn, batch by batch.
    ///
    /// # Errors
    /// [`ClientError::Hub`] when its thread cannot be started.
    pub fn new(hub: &HubHandle, settings: ProducerSettings) -> Result<Self, ClientError> {
        Self::start(hub, settings, None)
    }

    /// A producer whose records are placed by `choose`, which gets the message and the number of partitions.
    ///
    /// # Errors
    /// As [`Producer::new`].
    pub fn with_partitioner(
        hub: &HubHandle,
        settings: ProducerSettings,
        choose: impl Fn(&Message, u32) -> i32 + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        Self::start(hub, settings, Some(Box::new(choose)))
    }

    fn start(
        hub: &HubHandle,
        settings: ProducerSettings,
        choose: Option<Box<Choose>>,
    ) -> Result<Self, ClientError> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let budget_max = settings.buffer_memory.clamp(1, Semaphore::MAX_PERMITS);
        let failed = |error: std::io::Error| {
            ClientError::Hub(HubError::Fatal(format!("cannot start a thread: {error}")))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(failed)?;
        let worker = Worker::new(hub.hub(), settings, choose);
        let thread = std::thread::Builder::new()
            .name("client-producer".to_owned())
            .spawn(move || runtime.block_on(worker.run(queue)))
            .map_err(failed)?;
        Ok(Self {
            requests: Mutex::new(Some(requests)),
            budget: Arc::new(Semaphore::new(budget_max)),
            budget_max,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Sends, and waits until the hub has the record as durably as `acks` says.
    ///
    /// # Errors
    /// [`ClientError`] says why it is not stored, or that this is not known in time.
    pub async fn send(&self, message: Message) -> Result<RecordMetadata, ClientError> {
        let (tell, told) = oneshot::channel();
        // Whoever sent may have given up waiting.
        self.send_with(message, move |outcome| drop(tell.send(outcome))).await?;
        told.await.unwrap_or(Err(ClientError::Closed))
    }

    /// Sends, and returns as soon as there is room; `callback` is told the outcome, on the producer's thread, and must
    /// not block.
    ///
    /// # Errors
    /// [`ClientError`] when the message cannot be sent at all; `callback` is not called then.
    pub async fn send_with(
        &self,
        message: Message,
        callback: impl FnOnce(Result<RecordMetadata, ClientError>) + Send + 'static,
    ) -> Result<(), ClientError> {
        message.check()?;
        let requests = self.requests()?;
        let bytes = u32::try_from(message.size_bytes().min(self.budget_max)).unwrap_or(u32::MAX);
        let share = Arc::clone(&self.budget).acquire_many_owned(bytes).await;
        let share = share.map_err(|_closed| ClientError::Closed)?;
        let sent = tokio::time::Instant::now();
        let tell = Box::new(callback);
        let sending = Box::new(Sending { message, sent, tell, _share: share });
        requests.send(Request::Send(sending)).await.map_err(|_closed| ClientError::Closed)
    }

    /// Waits until everything that was sent before has its outcome.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let Ok(requests) = self.requests() else { return };
        if requests.send(Request::Flush(done)).await.is_ok() {
            // The worker ends only after it has flushed.
            flushed.await.ok();
        }
    }

    /// Flushes and ends; what is sent afterwards is refused.
    pub async fn close(&self) {
        drop(self.requests.lock().take());
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic of the thread was printed when it happened.
            tokio::task::spawn_blocking(move || thread.join().ok()).await.ok();
        }
    }

    fn requests(&self) -> Result<mpsc::Sender<Request>, ClientError> {
        let requests = self.requests.lock();
        requests.clone().ok_or(ClientError::Closed)
    }
}
