//! What was sent, what of it was acknowledged, and what each way in promises.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::line;

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Written into a file: each line arrives once, whatever happens.
    File,
    /// Posted, and sent again until it is answered with 200: arrives once or more.
    Http,
    /// Written to a connection, which acknowledges nothing.
    Syslog,
}

/// How a connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// Both sides have closed it in order at this time; what had been sent is with the agent.
    Whole(Instant),
    /// Something came between; a part at the end may be lost.
    Cut,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    /// How often it was sent.
    pub(crate) times: u32,
    /// When it was sent last.
    pub(crate) sent: Instant,
    /// When it was acknowledged; for files: written.
    pub(crate) acknowledged: Option<Instant>,
}

/// All lines of one writer.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) way: Way,
    /// Whether its lines must come in their order.
    pub(crate) is_ordered: bool,
    end: End,
    pub(crate) lines: Vec<Sent>,
}

impl Stream {
    /// Whether lines at the end may be missing: nobody has acknowledged them.
    pub(crate) fn may_lack_its_end(&self) -> bool {
        self.way == Way::Syslog && !matches!(self.end, End::Whole(_))
    }
}

/// A power cut, and what it may have cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// The one who hands out lines; all writers share it.
#[derive(Debug)]
pub struct Oracle {
    /// The seed of all lines.
    pub seed: u64,
    /// Whether some lines of files are such that the search server refuses them.
    pub poison: bool,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) streams: BTreeMap<String, Stream>,
    pub(crate) cuts: Vec<Cut>,
}

/// How long a message can be on its way to the hub in an agent that nothing disturbs, pauses of the agent included.
pub const ON_ITS_WAY: Duration = Duration::from_secs(8);

impl Oracle {
    /// Begins with nothing sent.
    pub fn new(seed: u64, poison: bool) -> Self {
        Self { seed, poison, book: Mutex::default() }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock()
    }

    /// A new stream.
    pub fn open(&self, name: &str, way: Way) {
        let stream = Stream { way, is_ordered: true, end: End::Open, lines: Vec::new() };
        self.book().streams.insert(name.to_owned(), stream);
    }

    /// The lines of a stream may come in any order.
    pub fn forget_order(&self, stream: &str) {
        if let Some(entry) = self.book().streams.get_mut(stream) {
            entry.is_ordered = false;
        }
    }

    /// The next lines of a stream, which count as sent once; with the number of the first.
    pub fn issue(&self, stream: &str, count: usize) -> (usize, Vec<String>) {
        let mut book = self.book();
        let Some(entry) = book.streams.get_mut(stream) else { return (0, Vec::new()) };
        let (first, way) = (entry.lines.len(), entry.way);
        let sent = Sent { times: 1, sent: Instant::now(), acknowledged: None };
        entry.lines.extend(std::iter::repeat_n(sent, count));
        drop(book);
        let line = |number| {
            let text = line::text(self.seed, stream, number);
            if self.is_poison(way, stream, number) { line::poisoned(&text) } else { text }
        };
        (first, (first..first + count).map(line).collect())
    }

    /// Whether the search server refuses this line.
    pub fn is_poison(&self, way: Way, stream: &str, number: usize) -> bool {
        self.poison && way == Way::File && line::is_poison(self.seed, stream, number)
    }

    /// These lines were sent once more.
    pub fn sent_again(&self, stream: &str, first: usize, count: usize) {
        let now = Instant::now();
        self.each(stream, first, count, |sent| {
            sent.times += 1;
            sent.sent = now;
        });
    }

    /// These lines are the agent's now.
    pub fn acknowledged(&self, stream: &str, first: usize, count: usize) {
        let now = Instant::now();
        self.each(stream, first, count, |sent| sent.acknowledged = Some(now));
    }

    fn each(&self, stream: &str, first: usize, count: usize, change: impl Fn(&mut Sent)) {
        if let Some(entry) = self.book().streams.get_mut(stream) {
            entry.lines.iter_mut().skip(first).take(count).for_each(change);
        }
    }

    /// A connection was closed by both sides, or by something between them.
    pub fn closed(&self, stream: &str, in_order: bool) {
        if let Some(entry) = self.book().streams.get_mut(stream)
            && entry.end == End::Open
        {
            entry.end = if in_order { End::Whole(Instant::now()) } else { End::Cut };
        }
    }

    /// The agent was killed or stopped, or what is between it and its connections has cut them: what ended within this
    /// time before may lack its end.
    pub fn disturbed(&self, time: Duration) {
        for stream in self.book().streams.values_mut() {
            let lately = match stream.end {
                End::Open => true,
                End::Whole(at) => at.elapsed() < time,
                End::Cut => false,
            };
            if lately {
                stream.end = End::Cut;
            }
        }
    }

    /// The power was cut; what was acknowledged in this time before may be lost where nobody can send it again.
    pub fn power_cut(&self, window: Duration) {
        let to = Instant::now();
        let from = to.checked_sub(window).unwrap_or(to);
        self.disturbed(window.saturating_add(ON_ITS_WAY));
        self.book().cuts.push(Cut { from, to });
    }

    /// Lines sent so far, and those of them that are acknowledged.
    pub fn sent(&self) -> (usize, usize) {
        let book = self.book();
        let lines = || book.streams.values().flat_map(|stream| &stream.lines);
        (lines().count(), lines().filter(|sent| sent.acknowledged.is_some()).count())
    }
}
