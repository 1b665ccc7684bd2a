//! Finds the messages of a syslog stream, whose framing each connection shows with its first bytes.
//!
//! | first byte  | framing                                                                             |
//! |-------------|-------------------------------------------------------------------------------------|
//! | digit       | octet counting, see [`octet_counting`]; a wrong count makes it lines                |
//! | `<`         | lines or NUL: the first of the two that ends a message, as the next `<` shows       |
//! | other       | lines                                                                               |
//!
//! A line feed inside messages that end with NUL (Python's handler) is kept, and so is a NUL inside lines. Which of the
//! two ends the first message can depend on the byte behind it. When that byte does not come, [`Framer::settle`] takes
//! what is there for whole, so a lone message never waits for the next one. Only then can the way in which the network
//! cut the stream make a difference.
//!
//! A message that is longer than the limit comes in pieces. Blank frames are no messages.
//!
//! Source: RFC 6587, section 3.4.

use std::ops::Range;

use memchr::{memchr, memchr2};

use super::octet_counting::{self, Count};

/// Finds messages in a stream that comes in parts of any size.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    message_max: usize,
    /// Where the next frame begins in the bytes at hand.
    at: usize,
    /// Bytes behind `at` that are known to hold no end of a message.
    searched: usize,
    /// Whether the frame before was a piece of the message that goes on here.
    inside: bool,
    /// Whether a NUL at the end of the data ends a line.
    settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Unknown,
    Counted,
    /// So many bytes of the counted message are still to come.
    CountedBody(usize),
    /// Lines or NUL.
    Delimited,
    Lines,
    Nul,
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

enum Step {
    Found { end: usize, next: usize, continued: bool },
    Again,
    More,
}

impl Framer {
    /// Cuts messages that are longer than `message_max` bytes.
    #[must_use]
    pub const fn new(message_max: usize) -> Self {
        let message_max = if message_max == 0 { 1 } else { message_max };
        let framing = Framing::Unknown;
        Self { framing, message_max, at: 0, searched: 0, inside: false, settled: false }
    }

    /// The next message in `data`: what [`Framer::consume`] left of the bytes before, and new ones behind them.
    pub fn next(&mut self, data: &[u8]) -> Option<Frame> {
        loop {
            let rest = data.get(self.at..).filter(|rest| !rest.is_empty())?;
            let step = match self.framing {
                Framing::Unknown => self.guess(rest),
                Framing::Counted => self.count(rest),
                Framing::CountedBody(left) => self.counted_body(left, rest),
                Framing::Delimited => self.delimited(rest),
                Framing::Lines => self.line(rest),
                Framing::Nul => self.nul(rest),
            };
            match step {
                Step::Found { end, next, continued } => {
                    if let Some(frame) = self.frame(data, end, next, continued) {
                        return Some(frame);
                    }
                }
                Step::Again => {}
                Step::More => return None,
            }
        }
    }

    /// Says that nothing more comes for now: a message that may be whole is. True when [`Framer::next`] can go on.
    pub fn settle(&mut self, data: &[u8]) -> bool {
        match (self.framing, data.last()) {
            (Framing::Delimited, Some(b'\n')) => self.framing = Framing::Lines,
            (Framing::Delimited, Some(0)) => self.framing = Framing::Nul,
            (Framing::Lines, Some(0)) if !self.settled => self.settled = true,
            _ => return false,
        }
        self.searched = 0;
        self.at < data.len()
    }

    /// Says that the stream has ended: what is left is a message too. Comes again until it gives `None`.
    pub fn finish(&mut self, data: &[u8]) -> Option<Frame> {
        loop {
            if let Some(frame) = self.next(data) {
                return Some(frame);
            }
            if self.settle(data) {
                continue;
            }
            if self.framing != Framing::Delimited {
                break;
            }
            (self.framing, self.searched) = (Framing::Lines, 0);
        }
        let left = data.len().checked_sub(self.at).filter(|left| *left > 0)?;
        let end = left.min(self.message_max);
        self.frame(data, end, end, left > end)
    }

    /// How many bytes at the front of the data are done with. The caller removes them.
    pub const fn consume(&mut self) -> usize {
        let consumed = self.at;
        self.at = 0;
        consumed
    }

    fn guess(&mut self, rest: &[u8]) -> Step {
        self.framing = match rest.first() {
            Some(b'0'..=b'9') => Framing::Counted,
            Some(b'<') => Framing::Delimited,
            _ => Framing::Lines,
        };
        Step::Again
    }

    fn count(&mut self, rest: &[u8]) -> Step {
        if matches!(rest.first(), Some(b'\n' | b'\r' | 0)) {
            self.at += 1;
            return Step::Again;
        }
        match octet_counting::count(rest) {
            Count::Whole { prefix, length } => {
                self.at += prefix;
                self.framing = Framing::CountedBody(length);
                Step::Again
            }
            Count::Partial => Step::More,
            Count::Invalid => {
                self.framing = Framing::Lines;
                Step::Again
            }
        }
    }

    fn counted_body(&mut self, left: usize, rest: &[u8]) -> Step {
        let piece = left.min(self.message_max);
        if rest.len() < piece {
            return Step::More;
        }
        let left = left - piece;
        self.framing = if left == 0 { Framing::Counted } else { Framing::CountedBody(left) };
        Step::Found { end: piece, next: piece, continued: left > 0 }
    }

    /// Looks for the first line feed or NUL with a `<` behind it.
    fn delimited(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        while let Some(found) = find(window, self.searched, |bytes| memchr2(b'\n', 0, bytes)) {
            self.searched = found;
            match rest.get(found + 1) {
                Some(b'<') => {
                    let nul = rest.get(found) == Some(&0);
                    self.framing = if nul { Framing::Nul } else { Framing::Lines };
                    self.searched = 0;
                    return Step::Again;
                }
                Some(_) => self.searched = found + 1,
                None => return Step::More,
            }
        }
        self.searched = window.len();
        self.lines_if_long(rest)
    }

    fn lines_if_long(&mut self, rest: &[u8]) -> Step {
        if rest.len() <= self.message_max {
            return Step::More;
        }
        (self.framing, self.searched) = (Framing::Lines, 0);
        Step::Again
    }

    /// A line feed ends a line; a NUL does when the next message follows it, and then the stream is one of NULs.
    fn line(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        while let Some(found) = find(window, self.searched, |bytes| memchr2(b'\n', 0, bytes)) {
            let nul = window.get(found) == Some(&0);
            match rest.get(found + 1) {
                Some(b'<') if nul => {
                    self.framing = Framing::Nul;
                    return Step::Found { end: found, next: found + 1, continued: false };
                }
                None if nul && !self.settled => {
                    self.searched = found;
                    return Step::More;
                }
                Some(_) if nul => self.searched = found + 1,
                _ => return Step::Found { end: found, next: found + 1, continued: false },
            }
        }
        self.searched = window.len();
        self.cut_if_long(rest)
    }

    fn nul(&mut self, rest: &[u8]) -> Step {
        let window = rest.get(..self.message_max + 1).unwrap_or(rest);
        if let Some(end) = find(window, self.searched, |bytes| memchr(0, bytes)) {
            return Step::Found { end, next: end + 1, continued: false };
        }
        self.searched = window.len();
        self.cut_if_long(rest)
    }

    const fn cut_if_long(&self, rest: &[u8]) -> Step {
        if rest.len() <= self.message_max {
            return Step::More;
        }
        Step::Found { end: self.message_max, next: self.message_max, continued: true }
    }

    /// Moves behind the frame that ends at `end`, and gives it unless it is blank.
    fn frame(&mut self, data: &[u8], end: usize, next: usize, continued: bool) -> Option<Frame> {
        let start = self.at;
        let continues = std::mem::replace(&mut self.inside, continued);
        self.at = start + next;
        (self.searched, self.settled) = (0, false);
        let bytes = data.get(start..start + end)?;
        let length = if continued { bytes.len() } else { trimmed(bytes) };
        let keep = length > 0 || continues;
        keep.then_some(Frame { range: start..start + length, continues, continued })
    }
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
mod tests;
