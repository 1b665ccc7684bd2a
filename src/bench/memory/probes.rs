//! Those who want little, and how long they wait for it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::addresses::Addresses;
use super::crowd::Told;
use super::waiting;

/// How often each of them wants something.
const EVERY: Duration = Duration::from_millis(100);
/// How often it is looked what has come.
const LOOK: Duration = Duration::from_millis(10);
/// What has not come after so long counts as this long.
const MOST: Duration = Duration::from_secs(30);

/// The longest that each kind has waited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waits {
    pub(super) http: Duration,
    pub(super) syslog: Duration,
    pub(super) file: Duration,
    pub(super) kafka: Duration,
}

/// Wants little of the agent in `folder` until `crowd` ends, and then until all of it has come.
pub(super) async fn beside<T>(
    (folder, addresses): (&Path, &Addresses),
    told: &Told,
    crowd: impl Future<Output = T>,
) -> Result<(Waits, T), String> {
    let is_over = AtomicBool::new(false);
    let ending = async {
        let crowded = crowd.await;
        is_over.store(true, Ordering::Relaxed);
        crowded
    };
    let (crowded, http, kafka, lines) = tokio::join!(
        ending,
        posts(&addresses.http, told, &is_over),
        calls(&addresses.hub, &is_over),
        lines(folder, &addresses.syslog, &is_over),
    );
    let [file, syslog] = lines.map_err(|error| format!("the probes: {error}"))?;
    Ok((Waits { http, syslog, file, kafka }, crowded))
}

/// Posts a line now and then, again until it is taken; gives the longest time that this took.
async fn posts(address: &str, told: &Told, is_over: &AtomicBool) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        while begin.elapsed() < MOST {
            let Ok(stream) = TcpStream::connect(address).await else { continue };
            if waiting::post(stream, b"a line of little\n", MOST).await == Some(200) {
                told.small.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        longest = longest.max(begin.elapsed());
        sleep(EVERY).await;
    }
    longest
}

/// Connects as a client of Kafka now and then and asks what every one asks first; gives the longest time that this took.
async fn calls(address: &str, is_over: &AtomicBool) -> Duration {
    // ApiVersions, version 0.
    let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255];
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        let call = async {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(&request).await?;
            stream.read_exact(&mut [0; 8]).await
        };
        // Without an answer it has taken the longest time.
        timeout(MOST, call).await.ok();
        longest = longest.max(begin.elapsed());
        sleep(EVERY).await;
    }
    longest
}

/// Appends a line to a file, and sends one by syslog, now and then; gives how long the latest of each took to come out of
/// the file sink.
async fn lines(
    folder: &Path,
    syslog: &str,
    is_over: &AtomicBool,
) -> std::io::Result<[Duration; 2]> {
    let mut stream = TcpStream::connect(syslog).await?;
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("probe.log"))?;
    let mut output = Output::new(folder.join("out.txt"));
    let mut sent: Vec<Instant> = Vec::new();
    let (mut longest, mut come) = ([Duration::ZERO; 2], [0, 0]);
    loop {
        let is_due = sent.last().is_none_or(|at| at.elapsed() >= EVERY);
        if is_due && !is_over.load(Ordering::Relaxed) {
            let number = sent.len();
            writeln!(file, "probe-0 {number}")?;
            stream.write_all(format!("<13>probe-1 {number}\n").as_bytes()).await?;
            sent.push(Instant::now());
        }
        for (kind, number) in output.look()? {
            let Some(at) = sent.get(number) else { continue };
            if let (Some(longest), Some(come)) = (longest.get_mut(kind), come.get_mut(kind)) {
                *longest = at.elapsed().max(*longest);
                *come += 1;
            }
        }
        let is_late = sent.last().is_some_and(|at| at.elapsed() >= MOST);
        if is_over.load(Ordering::Relaxed) && (come == [sent.len(); 2] || is_late) {
            // What has not come at all has waited longest.
            let waits = longest.iter().zip(come);
            let mut waits = waits.map(|(most, come)| if come < sent.len() { MOST } else { *most });
            return Ok([waits.next().unwrap_or(MOST), waits.next().unwrap_or(MOST)]);
        }
        sleep(LOOK).await;
    }
}

/// What comes out of the file sink.
struct Output {
    path: PathBuf,
    read: u64,
    rest: Vec<u8>,
}

impl Output {
    const fn new(path: PathBuf) -> Self {
        Self { path, read: 0, rest: Vec::new() }
    }

    /// The kinds and numbers of the lines that have come since.
    fn look(&mut self) -> std::io::Result<Vec<(usize, usize)>> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(Vec::new()) };
        file.seek(SeekFrom::Start(self.read))?;
        self.read += file.read_to_end(&mut self.rest)? as u64;
        let whole = memchr::memrchr(b'\n', &self.rest).map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(self.rest.get(..whole).unwrap_or_default());
        let probe = |line: &str| {
            let (_, rest) = line.split_once("probe-")?;
            let (kind, number) = rest.split_once(' ')?;
            Some((kind.parse().ok()?, number.trim().parse().ok()?))
        };
        let found = text.lines().filter_map(probe).collect();
        self.rest.drain(..whole);
        Ok(found)
    }
}
