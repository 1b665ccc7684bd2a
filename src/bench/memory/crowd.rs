//! Those who take much, or for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::addresses::Addresses;
use super::waiting;

/// Lines of a body, and bytes of each with its end.
const BODY: (u64, usize) = (8192, 128);
/// How many connect at the same moment: a listener's queue has an end, and what does not fit in there is the system's.
const CONNECTING: usize = 64;
/// How long a body that was refused waits before it is sent again.
const AGAIN: Duration = Duration::from_secs(1);
/// Bytes that a client sends who takes its time, and how often.
const TRICKLE: (usize, Duration) = (64, Duration::from_millis(500));
/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_secs(60);

/// How many there are of each kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) files: u64,
    bodies: u64,
    slow: u64,
    endless: u64,
    stalled: u64,
}

impl Sizes {
    /// One `scale`th of the whole crowd.
    pub(super) const fn of(scale: u64) -> Self {
        Self {
            files: 50_000 / scale,
            bodies: 2_000 / scale,
            slow: 2_000 / scale,
            endless: 500 / scale,
            stalled: 200 / scale,
        }
    }
}

/// What clients were told.
#[derive(Debug, Default)]
pub(super) struct Told {
    taken: AtomicU64,
    refused: AtomicU64,
    slow: AtomicU64,
    unanswered: AtomicU64,
    /// Lines beside those of bodies that were answered as stored.
    pub(super) small: AtomicU64,
}

impl Told {
    /// Lines that were answered as stored.
    pub(super) fn lines(&self) -> u64 {
        self.taken() * BODY.0 + self.small.load(Ordering::Relaxed)
    }

    /// Bodies that were answered as stored.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How often a body was refused for want of memory, in words.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// How many were told that they were too slow.
    pub(super) fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    /// How often a body got no answer that is one.
    pub(super) fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::Relaxed)
    }

    fn note(&self, status: u16) {
        let counter = match status {
            200 => &self.taken,
            503 => &self.refused,
            408 => &self.slow,
            _ => &self.unanswered,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// All of them.
pub(super) struct Crowd {
    pub(super) addresses: Addresses,
    pub(super) sizes: Sizes,
    pub(super) told: Arc<Told>,
}

impl Crowd {
    /// Lets all come at once, and ends when each body was taken.
    pub(super) async fn run(self) {
        let Self { addresses, sizes, told } = self;
        let door = Arc::new(Semaphore::new(CONNECTING));
        let mut lasting = JoinSet::new();
        for _ in 0..sizes.slow {
            lasting.spawn(trickle(addresses.http.clone(), Arc::clone(&door), Arc::clone(&told)));
        }
        for _ in 0..sizes.endless {
            lasting.spawn(endless(addresses.syslog.clone(), Arc::clone(&door)));
        }
        for number in 0..sizes.stalled {
            lasting.spawn(stalled(addresses.hub.clone(), Arc::clone(&door), number));
        }
        let body: Arc<[u8]> = body().into();
        let mut bodies = JoinSet::new();
        for _ in 0..sizes.bodies {
            let (door, told) = (Arc::clone(&door), Arc::clone(&told));
            bodies.spawn(until_taken(addresses.http.clone(), door, told, Arc::clone(&body)));
        }
        while bodies.join_next().await.is_some() {}
    }
}

/// A server that takes a request in ten seconds.
pub(super) struct SlowReceiver {
    pub(super) address: String,
    _tasks: JoinSet<()>,
}

/// Starts it.
pub(super) async fn slow_receiver() -> std::io::Result<SlowReceiver> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let app = axum::Router::new().fallback(|body: axum::body::Bytes| async move {
        sleep(Duration::from_secs(10)).await;
        drop(body);
    });
    let app = app.layer(axum::extract::DefaultBodyLimit::disable());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // It ends with the benchmark.
        axum::serve(listener, app).await.ok();
    });
    Ok(SlowReceiver { address, _tasks: tasks })
}

fn body() -> Vec<u8> {
    let (lines, bytes) = BODY;
    let line = [b"x".repeat(bytes - 1), b"\n".to_vec()].concat();
    (0..lines).flat_map(|_| line.iter().copied()).collect()
}

async fn connect(address: &str, door: &Semaphore) -> Option<TcpStream> {
    let _turn = door.acquire().await.ok()?;
    TcpStream::connect(address).await.ok()
}

/// Sends a body until it is taken.
async fn until_taken(address: String, door: Arc<Semaphore>, told: Arc<Told>, body: Arc<[u8]>) {
    loop {
        let status = match connect(&address, &door).await {
            Some(stream) => waiting::post(stream, &body, ANSWER).await.unwrap_or(0),
            None => 0,
        };
        told.note(status);
        if status == 200 {
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Announces a body of 1 MiB, and sends a little of it now and then. Begins anew when it is sent away.
async fn trickle(address: String, door: Arc<Semaphore>, told: Arc<Told>) {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1048576\r\n\r\n";
    loop {
        let Some(stream) = connect(&address, &door).await else { continue };
        let (mut reading, mut writing) = stream.into_split();
        let send = async {
            let mut sent = writing.write_all(head).await;
            while sent.is_ok() {
                sent = writing.write_all(&[b'x'; TRICKLE.0]).await;
                sleep(TRICKLE.1).await;
            }
        };
        let mut answer = Vec::new();
        tokio::select! {
            () = send => {}
            // An error is that there is no answer, as nothing is.
            _read = reading.read_to_end(&mut answer) => {}
        }
        if let Some(status) = waiting::status(&answer).filter(|status| *status != 200) {
            told.note(status);
        }
        sleep(AGAIN).await;
    }
}

/// Sends a line without an end, as fast as it is taken. Begins anew when it is sent away.
async fn endless(address: String, door: Arc<Semaphore>) {
    loop {
        let Some(mut stream) = connect(&address, &door).await else { continue };
        let piece = [b"<13>".to_vec(), b"x".repeat(4 << 10)].concat();
        while stream.write_all(&piece).await.is_ok() {
            sleep(TRICKLE.1).await;
        }
        sleep(AGAIN).await;
    }
}

/// Asks for much, again and again, and reads nothing of it.
async fn stalled(address: String, door: Arc<Semaphore>, number: u64) {
    loop {
        let Some(mut stream) = connect(&address, &door).await else { continue };
        let request = fetch(number);
        for _ in 0..8 {
            if stream.write_all(&request).await.is_err() {
                break;
            }
            sleep(TRICKLE.1).await;
        }
        // Until it is sent away.
        while stream.write_all(b"").await.is_ok()
            && timeout(ANSWER, stream.writable()).await.is_ok()
        {
            sleep(AGAIN).await;
        }
    }
}

/// `Fetch` version 4 of partition 0 of the backlog, from an offset near its beginning.
fn fetch(number: u64) -> Vec<u8> {
    let topic = b"backlog";
    let mut body = Vec::new();
    body.extend_from_slice(&[0, 1, 0, 4, 0, 0, 0, 7, 255, 255]);
    // No replica, one second at most for one byte at least, 50 MiB at most, uncommitted.
    for field in [-1i32, 1000, 1, 50 << 20] {
        body.extend_from_slice(&field.to_be_bytes());
    }
    body.extend_from_slice(&[0, 0, 0, 0, 1, 0, 7]);
    body.extend_from_slice(topic);
    body.extend_from_slice(&1i32.to_be_bytes());
    body.extend_from_slice(&0i32.to_be_bytes());
    body.extend_from_slice(&number.to_be_bytes());
    body.extend_from_slice(&(50i32 << 20).to_be_bytes());
    let length = i32::try_from(body.len()).unwrap_or(0).to_be_bytes();
    [length.to_vec(), body].concat()
}
