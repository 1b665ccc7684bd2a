//! Reads lines from standard input, until it ends.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use anabranch_record::batch::stream_of;
use anabranch_record::{Batch, Buffer, Headers, Pool};
use async_trait::async_trait;
use memchr::memchr;
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::contract::build::{BuildError, Surroundings};
use crate::contract::clock;
use crate::contract::receipt::NotStored;
use crate::contract::settings::{Card, Described, SourceSettings};
use crate::shared::framing::byte_order_mark;
use crate::{Emitter, Receipt, Source, SourceError};

/// A batch is handed on when it has so many bytes, or when nothing more is there.
const BATCH_BYTES: usize = 1 << 20;
/// Longer lines are cut into pieces; each but the last is marked with the header `continued`.
const LINE_MAX: usize = 1 << 20;
/// How often the reader looks whether it is to stop.
const STOP_CHECK: Duration = Duration::from_millis(100);
/// How long what was read before a stop may wait for the producer.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// The `stdin` block of a source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {}

impl Described for SourceConfig {
    const CARD: Card = Card {
        also: &["exec", "pipe"],
        settings: &[],
        guarantee: "what had not been stored yet is lost",
    };
}

impl SourceSettings for SourceConfig {
    fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError> {
        Ok(Box::new(StdinSource::new(self.clone(), around)?))
    }
}

/// The source. It ends by itself when its input does and everything is stored.
#[derive(Debug)]
pub struct StdinSource {
    host: String,
}

impl StdinSource {
    /// Builds it.
    ///
    /// # Errors
    /// None today.
    pub fn new(_config: SourceConfig, around: &Surroundings) -> Result<Self, BuildError> {
        Ok(Self { host: around.host.clone() })
    }
}

#[async_trait]
impl Source for StdinSource {
    async fn run(
        self: Box<Self>,
        emitter: Emitter,
        stop: CancellationToken,
    ) -> Result<(), SourceError> {
        emitter.ready();
        let mut reader = Reader::new(&self.host, emitter, stop);
        let read = tokio::task::spawn_blocking(move || reader.run(std::io::stdin().as_fd()));
        read.await.unwrap_or_else(|error| Err(failed(error.to_string())))
    }
}

fn failed(cause: String) -> SourceError {
    SourceError::Failed {
        what: "cannot take in standard input".to_owned(),
        cause,
        hint: "lines that were read and not stored are lost; send them again",
    }
}

/// Reads, cuts and hands on, on a thread of its own.
struct Reader {
    emitter: Emitter,
    stop: CancellationToken,
    headers: Headers,
    pool: Pool,
    /// What the last read left of an unfinished line.
    tail: Vec<u8>,
    /// Whether the first bytes have been looked at.
    begun: bool,
    receipts: VecDeque<Receipt>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// Nothing more for now, or the buffer is full.
    Paused,
    Ended,
}

impl Reader {
    fn new(host: &str, emitter: Emitter, stop: CancellationToken) -> Self {
        let headers = match host {
            "" => Headers::new(),
            host => Headers::new().with("host", host.as_bytes()),
        };
        let pool = Pool::new(4, 4 * BATCH_BYTES);
        let (tail, begun, receipts) = Default::default();
        Self { emitter, stop, headers, pool, tail, begun, receipts }
    }

    fn run(&mut self, input: BorrowedFd<'_>) -> Result<(), SourceError> {
        loop {
            if self.stop.is_cancelled() {
                let data = std::mem::take(&mut self.tail);
                return self.send(data.into(), true);
            }
            if !is_readable(input, STOP_CHECK)? {
                continue;
            }
            let mut data = self.pool.take();
            data.reserve(BATCH_BYTES.max(self.tail.len() * 2));
            data.append(&mut self.tail);
            let ended = read(input, &mut data)? == Read::Ended;
            if !self.begun && !byte_order_mark::is_begun(&data) {
                self.begun = true;
                let mark = data.len() - byte_order_mark::strip(&data).len();
                data.drain(..mark);
            }
            self.send(data, ended)?;
            if ended {
                return self.settle();
            }
        }
    }

    fn send(&mut self, data: Buffer, ended: bool) -> Result<(), SourceError> {
        let stream = stream_of(b"stdin");
        let mut batch = Batch::new(data, self.headers.clone(), clock::now_ms(), stream);
        let taken = push_lines(&mut batch, ended);
        self.tail.extend_from_slice(batch.data().get(taken..).unwrap_or_default());
        batch.data_mut().truncate(taken);
        if batch.is_empty() {
            return Ok(());
        }
        self.look_at_receipts()?;
        let records = batch.len() as u64;
        let (emitter, stop) = (&self.emitter, &self.stop);
        let sent = Handle::current().block_on(async {
            tokio::select! {
                biased;
                sent = emitter.send(batch) => sent.ok(),
                () = grace_is_over(stop) => None,
            }
        });
        if let Some(receipt) = sent {
            self.receipts.push_back(receipt);
            return Ok(());
        }
        self.emitter.dropped("stopped", records);
        Err(SourceError::Closed)
    }

    /// Forgets the receipts that have resolved.
    fn look_at_receipts(&mut self) -> Result<(), SourceError> {
        while let Some(settled) = self.receipts.front_mut().and_then(Receipt::poll) {
            settled.map_err(|error| failed(error.to_string()))?;
            self.receipts.pop_front();
        }
        Ok(())
    }

    /// Waits until everything is stored, or the source is told to stop.
    fn settle(&mut self) -> Result<(), SourceError> {
        let receipts = std::mem::take(&mut self.receipts);
        let stored = async {
            for receipt in receipts {
                receipt.stored().await?;
            }
            Ok(())
        };
        let stored = Handle::current().block_on(self.stop.run_until_cancelled(stored));
        stored.unwrap_or(Ok(())).map_err(|error: NotStored| failed(error.to_string()))
    }
}

async fn grace_is_over(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(STOP_GRACE).await;
}

/// Makes each line a record, and what is left too when nothing follows. Says how many bytes are used up.
fn push_lines(batch: &mut Batch, ended: bool) -> usize {
    let mut start = 0;
    loop {
        let rest = batch.data().get(start..).unwrap_or_default();
        let line = memchr(b'\n', rest);
        let length = line.unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        let text = if line.is_some() { text.strip_suffix(b"\r").unwrap_or(text) } else { text };
        let end = start + text.len();
        let mut at = start;
        while end - at > LINE_MAX {
            batch.push(at..at + LINE_MAX);
            batch.set_header("continued", b"true");
            at += LINE_MAX;
        }
        if line.is_some() || (ended && end > at) {
            batch.push(at..end);
            at = start + length + usize::from(line.is_some());
        }
        if line.is_none() {
            return at;
        }
        start = at;
    }
}

fn is_readable(input: BorrowedFd<'_>, wait: Duration) -> Result<bool, SourceError> {
    let timeout = Timespec::try_from(wait).ok();
    match poll(&mut [PollFd::from_borrowed_fd(input, PollFlags::IN)], timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Reads while there is something and room for it.
fn read(input: BorrowedFd<'_>, data: &mut Vec<u8>) -> Result<Read, SourceError> {
    while data.len() < data.capacity() {
        match rustix::io::read(input, spare_capacity(data)) {
            Ok(0) => return Ok(Read::Ended),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Ok(Read::Paused),
            Err(error) => return Err(failed(error.to_string())),
        }
        if !is_readable(input, Duration::ZERO)? {
            return Ok(Read::Paused);
        }
    }
    Ok(Read::Paused)
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, PipeWriter, Write};

    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::contract::emitter::Emission;
    use crate::contract::receipt::Stored;

    type Running = JoinHandle<Result<(), SourceError>>;

    fn start() -> (PipeWriter, Running, mpsc::Receiver<Emission>, CancellationToken) {
        let (input, output): (PipeReader, PipeWriter) = std::io::pipe().unwrap();
        let (emitter, outlet) = Emitter::channel(100);
        let stop = CancellationToken::new();
        let mut reader = Reader::new("web-1", emitter, stop.clone());
        let running = tokio::task::spawn_blocking(move || reader.run(input.as_fd()));
        (output, running, outlet, stop)
    }

    async fn take(outlet: &mut mpsc::Receiver<Emission>, lines: usize) -> Vec<String> {
        let mut seen = Vec::new();
        while seen.len() < lines {
            let emission = outlet.recv().await.unwrap();
            for record in emission.batch.iter() {
                assert_eq!(record.headers.get("host"), Some(&b"web-1"[..]));
                seen.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
            drop(emission.settle.send(Ok(Stored { partition: 0, offset: 0 })));
        }
        seen
    }

    #[tokio::test]
    async fn lines_are_read_until_the_end_and_the_unterminated_one_too() {
        let (mut input, running, mut outlet, _stop) = start();
        input.write_all(b"one\ntwo\r\nthr").unwrap();
        assert_eq!(take(&mut outlet, 2).await, ["one", "two"]);
        input.write_all(b"ee\n\nlast").unwrap();
        drop(input);
        assert_eq!(take(&mut outlet, 3).await, ["three", "", "last"]);
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_byte_order_mark_at_the_start_is_no_part_of_the_first_line() {
        for (first, rest) in [("\u{feff}one\n", ""), ("\u{feff}", "one\n"), ("", "one\n")] {
            for split in 0..=first.len().min(3) {
                let (mut input, running, mut outlet, _stop) = start();
                let (begin, end) = first.as_bytes().split_at(split);
                input.write_all(begin).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
                input
                    .write_all(&[end, rest.as_bytes(), "\u{feff}two\n".as_bytes()].concat())
                    .unwrap();
                assert_eq!(take(&mut outlet, 2).await, ["one", "\u{feff}two"]);
                drop(input);
                running.await.unwrap().unwrap();
            }
        }
    }

    #[tokio::test]
    async fn it_ends_only_when_the_last_line_is_stored() {
        let (mut input, running, mut outlet, _stop) = start();
        input.write_all(b"one\n").unwrap();
        drop(input);
        let emission = outlet.recv().await.unwrap();
        assert!(!running.is_finished());
        emission.settle.send(Err(NotStored("disk full".to_owned()))).unwrap();
        let error = running.await.unwrap().unwrap_err().to_string();
        assert!(error.contains("disk full"), "{error}");
    }

    #[tokio::test]
    async fn a_stop_ends_a_reader_that_waits_for_input_and_keeps_the_half_line() {
        let (mut input, running, mut outlet, stop) = start();
        input.write_all(b"one\nhalf").unwrap();
        assert_eq!(take(&mut outlet, 1).await, ["one"]);
        stop.cancel();
        assert_eq!(take(&mut outlet, 1).await, ["half"]);
        running.await.unwrap().unwrap();
        drop(input);
    }

    #[test]
    fn a_long_line_comes_in_marked_pieces() {
        let text = [vec![b'a'; 2 * LINE_MAX + 5], b"\nb\n".to_vec()].concat();
        for split in [text.len(), LINE_MAX + 7] {
            let mut seen = Vec::new();
            let mut tail = Vec::new();
            for (part, ended) in [(&text[..split], false), (&text[split..], true)] {
                tail.extend_from_slice(part);
                let mut batch = Batch::new(tail.clone().into(), Headers::new(), 0, 0);
                let taken = push_lines(&mut batch, ended);
                tail.drain(..taken);
                seen.extend(batch.iter().map(|record| {
                    (record.value.unwrap().len(), record.headers.get("continued").is_some())
                }));
            }
            assert_eq!(seen, [(LINE_MAX, true), (LINE_MAX, true), (5, false), (1, false)]);
        }
    }
}
