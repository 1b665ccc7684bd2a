//! Finds the messages of a syslog stream, of which each shows with its first bytes how it is framed.
//!
//! | begins with | framing                                                                             |
//! |-------------|-------------------------------------------------------------------------------------|
//! | a count     | octet counting, see [`octet_counting`]                                              |
//! | `<`         | lines or NUL: the first of the two that ends a message, as the next `<` shows       |
//! | other       | lines                                                                               |
//!
//! No wrong byte of a sender makes this another stream for good. A message goes to the next right count when its own is
//! wrong, and one without a count does too. Lines come back from NUL with a line that begins with a priority. So one
//! broken frame costs at most the border to its neighbours.
//!
//! A line feed inside messages that end with NUL (Python's handler) is kept, and so is a NUL inside lines. Where a message
//! ends can depend on the bytes behind it. When these do not come, [`Framer::settle`] takes what is there for whole, so a
//! lone message never waits for the next one; but a message whose count has not come to its end is waited for.
//!
//! A message that is longer than the limit comes in pieces. Blank frames are no messages.
//!
//! Source: RFC 6587, section 3.4.

use std::ops::Range;

use memchr::memchr2;

use super::octet_counting::{self, Behind, Count, Is, LOOK_AHEAD, PREFIX_MAX};
use super::restart::{Look, Restart, restart};

/// Finds messages in a stream that comes in parts of any size.
#[derive(Debug)]
pub struct Framer {
    delimiter: Delimiter,
    /// How the frame before was framed: how much a count is believed that nothing proves.
    before: Before,
    /// So many bytes of the counted message are still to come.
    left: usize,
    message_max: usize,
    /// Where the next frame begins in the bytes at hand.
    at: usize,
    /// Bytes behind `at` that are known to hold no end of a message, and no right count.
    searched: usize,
    cleared: usize,
    /// Whether the frame before was a piece of the message that goes on here.
    inside: bool,
    /// Whether nothing comes behind the data for now, and whether for good.
    settled: bool,
    ended: bool,
}

/// What ends the messages that have no count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Unknown,
    /// A line feed or NUL.
    Either,
    Line,
    Nul,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Counted,
    Delimited,
}

/// One message, or a piece of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where it is, without what delimits it.
    pub range: Range<usize>,
    /// Whether it is a piece that goes on where the frame before ended.
    pub continues: bool,
    /// Whether the next frame is the rest, or more, of the same message.
    pub continued: bool,
}

/// A frame, from the front of what is left.
#[derive(Debug, Clone, Copy)]
struct Found {
    start: usize,
    end: usize,
    next: usize,
    continued: bool,
}

enum Step {
    /// With what ends the messages from here on.
    Found(Found, Option<Delimiter>),
    /// The bytes up to there show what ends messages.
    Shown(usize, Delimiter),
    Skip(usize),
    Again,
    More,
}

impl Framer {
    /// Cuts messages that are longer than `message_max` bytes.
    #[must_use]
    pub const fn new(message_max: usize) -> Self {
        Self {
            delimiter: Delimiter::Unknown,
            before: Before::Nothing,
            left: 0,
            message_max: if message_max == 0 { 1 } else { message_max },
            at: 0,
            searched: 0,
            cleared: 0,
            inside: false,
            settled: false,
            ended: false,
        }
    }

    /// The next message in `data`: what [`Framer::consume`] left of the bytes before, and new ones behind them.
    pub fn next(&mut self, data: &[u8]) -> Option<Frame> {
        loop {
            let rest = data.get(self.at..).filter(|rest| !rest.is_empty())?;
            match self.step(rest) {
                Step::Found(found, _) => {
                    if let Some(frame) = self.frame(data, found) {
                        return Some(frame);
                    }
                }
                Step::Skip(bytes) => self.at += bytes,
                Step::Again | Step::Shown(..) => {}
                Step::More => return None,
            }
        }
    }

    /// Says that nothing more comes for now: a message that may be whole is. True when [`Framer::next`] may go on.
    pub const fn settle(&mut self, data: &[u8]) -> bool {
        !std::mem::replace(&mut self.settled, true) && self.at < data.len()
    }

    /// Says that the stream has ended: what is left is a message too. Comes again until it gives `None`.
    pub fn finish(&mut self, data: &[u8]) -> Option<Frame> {
        loop {
            (self.settled, self.ended) = (true, true);
            if let Some(frame) = self.next(data) {
                return Some(frame);
            }
            if self.delimiter != Delimiter::Either {
                break;
            }
            (self.delimiter, self.searched) = (Delimiter::Line, 0);
        }
        let rest = data.get(self.at..).filter(|rest| !rest.is_empty())?;
        let found = match octet_counting::count(rest) {
            _ if self.left > 0 => self.body(0, rest.len()),
            Count::Whole { prefix, .. } if self.before != Before::Delimited && !self.inside => {
                self.body(prefix, rest.len() - prefix)
            }
            Count::Whole { .. } | Count::Partial | Count::Invalid => self.piece(0, rest.len()),
        };
        self.frame(data, found)
    }

    /// How many bytes at the front of the data are done with. The caller removes them.
    pub const fn consume(&mut self) -> usize {
        let consumed = self.at;
        (self.at, self.settled) = (0, false);
        consumed
    }

    fn step(&mut self, rest: &[u8]) -> Step {
        if self.left > 0 {
            return self.counted(rest, 0, self.left);
        }
        if self.inside {
            return self.delimited(rest);
        }
        let blank = rest.first().is_some_and(|byte| octet_counting::is_delimiter(*byte));
        if blank && self.before != Before::Delimited {
            return Step::Skip(1);
        }
        match octet_counting::count(rest) {
            Count::Whole { prefix, length } => self.counted(rest, prefix, length),
            Count::Partial if !self.settled => Step::More,
            Count::Partial | Count::Invalid => self.delimited(rest),
        }
    }

    /// A message that is said to be of `length` bytes, or what is left of one (then without a `prefix`).
    fn counted(&mut self, rest: &[u8], prefix: usize, length: usize) -> Step {
        let piece = prefix + length.min(self.message_max);
        let is_short = length <= self.message_max;
        let is_whole = rest.len() >= piece;
        if is_short && !is_whole && !self.ended {
            // A pause is not its end: what looks like a message within it may be its text.
            return Step::More;
        }
        if is_short {
            let window = rest.get(..self.window()).unwrap_or(rest);
            match octet_counting::ends_at(window, piece, self.behind(rest)) {
                Is::There => return Step::Found(self.body(prefix, length), None),
                Is::Unknown if !self.settled => return Step::More,
                Is::Unknown | Is::NotThere => {}
            }
        }
        let proved = !is_short || prefix == 0 || self.before == Before::Delimited;
        let within = (usize::from(prefix > 0), prefix + self.message_max);
        match self.restart(rest, within, (proved || !is_whole, is_whole)) {
            Restart::At(next) => {
                (self.left, self.before) = (0, Before::Counted);
                Step::Found(self.piece(if next < prefix { 0 } else { prefix }, next), None)
            }
            _ if self.behind(rest) == Behind::More => Step::More,
            _ if prefix > 0 && self.before == Before::Delimited => self.delimited(rest),
            _ if !is_whole => Step::More,
            Restart::Unknown | Restart::Nowhere => Step::Found(self.body(prefix, length), None),
        }
    }

    /// The first piece of a counted message, which is mostly all of it.
    const fn body(&mut self, prefix: usize, length: usize) -> Found {
        let piece = self.piece(prefix, prefix + length);
        (self.left, self.before) = (prefix + length - piece.end, Before::Counted);
        piece
    }

    const fn piece(&self, start: usize, end: usize) -> Found {
        let longest = start + self.message_max;
        let continued = end > longest;
        let end = if continued { longest } else { end };
        Found { start, end, next: end, continued }
    }

    fn delimited(&mut self, rest: &[u8]) -> Step {
        let step = match self.delimiter {
            Delimiter::Unknown => self.guess(rest),
            Delimiter::Either => self.either(rest),
            Delimiter::Line => self.line(rest),
            Delimiter::Nul => self.nul(rest),
        };
        let end = match step {
            Step::Found(Found { end, .. }, _) | Step::Shown(end, _) => end,
            Step::More => rest.len().min(self.message_max),
            Step::Again | Step::Skip(_) => return step,
        };
        let within = (usize::from(!self.inside), end);
        let is_whole = !matches!(step, Step::More);
        match self.restart(rest, within, (self.before != Before::Counted, is_whole)) {
            Restart::At(next) => {
                self.before = Before::Counted;
                return Step::Found(Found { start: 0, end: next, next, continued: false }, None);
            }
            Restart::Unknown if self.behind(rest) == Behind::More => return Step::More,
            Restart::Unknown | Restart::Nowhere => {}
        }
        match step {
            Step::Shown(_, delimiter) => (self.delimiter, self.searched) = (delimiter, 0),
            Step::Found(_, turned) => {
                self.before = Before::Delimited;
                self.delimiter = turned.unwrap_or(self.delimiter);
            }
            Step::Again | Step::Skip(_) | Step::More => {}
        }
        step
    }

    /// `is_whole`: all of the message at hand is there, so that a pause says something about its end.
    fn restart(
        &mut self,
        rest: &[u8],
        within: (usize, usize),
        (proved, is_whole): (bool, bool),
    ) -> Restart {
        let window = rest.get(..self.window()).unwrap_or(rest);
        let mut behind = self.behind(rest);
        if behind == Behind::Nothing && !is_whole && !self.ended {
            behind = Behind::Pause;
        }
        restart(window, Look { within, behind, proved }, &mut self.cleared)
    }

    /// So many bytes are looked at before it is decided where a message ends.
    const fn window(&self) -> usize {
        self.message_max.saturating_add(PREFIX_MAX + LOOK_AHEAD)
    }

    const fn behind(&self, rest: &[u8]) -> Behind {
        match (rest.len() >= self.window(), self.settled) {
            (true, _) => Behind::TooMuch,
            (false, true) => Behind::Nothing,
            (false, false) => Behind::More,
        }
    }

    fn guess(&mut self, rest: &[u8]) -> Step {
        let is_message = rest.first() == Some(&b'<');
        self.delimiter = if is_message { Delimiter::Either } else { Delimiter::Line };
        Step::Again
    }

    /// Looks for the first line feed or NUL with a `<` behind it.
    fn either(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        while let Some(found) = find(window, self.searched, |bytes| memchr2(b'\n', 0, bytes)) {
            self.searched = found;
            match rest.get(found + 1) {
                None if !self.settled => return Step::More,
                None | Some(b'<') => {
                    let is_nul = rest.get(found) == Some(&0);
                    let delimiter = if is_nul { Delimiter::Nul } else { Delimiter::Line };
                    return Step::Shown(found, delimiter);
                }
                Some(_) => self.searched = found + 1,
            }
        }
        self.searched = window.len();
        let is_long = rest.len() > self.message_max && self.behind(rest) != Behind::More;
        if is_long { Step::Shown(self.message_max, Delimiter::Line) } else { Step::More }
    }

    /// A line feed ends a line; a NUL does when the next message follows it, and then the stream is one of NULs.
    fn line(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        while let Some(found) = find(window, self.searched, |bytes| memchr2(b'\n', 0, bytes)) {
            let nul = window.get(found) == Some(&0);
            match rest.get(found + 1) {
                Some(b'<') if nul => {
                    return whole(found, Some(Delimiter::Nul));
                }
                None if nul && !self.settled => {
                    self.searched = found;
                    return Step::More;
                }
                Some(_) if nul => self.searched = found + 1,
                _ => return whole(found, None),
            }
        }
        self.searched = window.len();
        self.cut_if_long(rest)
    }

    /// A NUL ends a message; a line feed does when a priority follows it, and then the stream is one of lines.
    fn nul(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        while let Some(found) = find(window, self.searched, |bytes| memchr2(b'\n', 0, bytes)) {
            if window.get(found) == Some(&0) {
                return whole(found, None);
            }
            self.searched = found;
            match octet_counting::priority(rest.get(found + 1..).unwrap_or_default()) {
                Is::There => return whole(found, Some(Delimiter::Line)),
                Is::Unknown if !self.settled => return Step::More,
                Is::Unknown | Is::NotThere => self.searched = found + 1,
            }
        }
        self.searched = window.len();
        self.cut_if_long(rest)
    }

    /// A count may begin in what is cut off, so that waits for the bytes which show it.
    fn cut_if_long(&self, rest: &[u8]) -> Step {
        let found = self.piece(0, rest.len());
        let is_cut = found.continued && self.behind(rest) != Behind::More;
        if is_cut { Step::Found(found, None) } else { Step::More }
    }

    /// Moves behind a frame, and gives it unless it is blank.
    fn frame(&mut self, data: &[u8], found: Found) -> Option<Frame> {
        let front = self.at;
        let continues = std::mem::replace(&mut self.inside, found.continued);
        self.at = front + found.next;
        (self.searched, self.cleared, self.settled) = (0, 0, false);
        let start = front + found.start;
        let bytes = data.get(start..front + found.end)?;
        let length = if found.continued { bytes.len() } else { trimmed(bytes) };
        let keep = length > 0 || continues;
        keep.then_some(Frame {
            range: start..start + length,
            continues,
            continued: found.continued,
        })
    }
}

/// A frame with one byte behind it that ends it.
const fn whole(end: usize, turned: Option<Delimiter>) -> Step {
    Step::Found(Found { start: 0, end, next: end + 1, continued: false }, turned)
}

fn find(bytes: &[u8], from: usize, search: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    search(bytes.get(from..)?).map(|found| from + found)
}

/// Length of a message without the delimiters at its end: one NUL, one line feed, one carriage return.
#[must_use]
pub fn trimmed(message: &[u8]) -> usize {
    let message = message.strip_suffix(&[0]).unwrap_or(message);
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    message.strip_suffix(b"\r").unwrap_or(message).len()
}

#[cfg(test)]
mod broken;
#[cfg(test)]
mod tests;
