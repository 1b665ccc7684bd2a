//! What a sink has, compared with what was sent.

use std::collections::BTreeMap;

use crate::line;
use crate::oracle::{Cut, Oracle, Sent, Stream, Way};

/// What came out at one place, in its order.
#[derive(Debug, Default)]
pub struct Seen {
    streams: BTreeMap<String, Arrivals>,
    altered: Vec<String>,
    /// Beginnings of lines: stream, number and text.
    begun: Vec<(String, usize, String)>,
    total: usize,
}

#[derive(Debug, Default)]
struct Arrivals {
    times: Vec<u32>,
    next: usize,
    disorder: usize,
    /// The first line that came too late, and the one that it came behind.
    late: Option<(usize, usize)>,
}

/// Which lines belong to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// All of them, in their order.
    All,
    /// All of them, in no order: several partitions.
    Shared,
    /// All but those that a search server refuses, in no order.
    Search,
    /// Only those that a search server refuses.
    Dead,
}

/// The verdict on one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Lines that came out, repeats included.
    pub delivered: usize,
    /// Lines that had to come out and did not.
    pub lost: usize,
    /// Lines that came out again though they were sent once.
    pub twice: usize,
    /// Texts that nobody has sent.
    pub altered: usize,
    /// Lines that came behind a later one of their stream.
    pub disorder: usize,
    /// Lines that a power cut may cost, and did.
    pub lost_in_window: usize,
    /// Lines that were on their way when a power was cut, of which each may come twice.
    pub in_window: usize,
}

/// How many examples of each fault are printed.
const EXAMPLES: usize = 12;

impl Seen {
    /// Notes one text.
    pub fn add(&mut self, seed: u64, text: &str) {
        self.total += 1;
        match line::parse(seed, text) {
            Ok((stream, number)) => {
                if !self.streams.contains_key(stream) {
                    self.streams.insert(stream.to_owned(), Arrivals::default());
                }
                if let Some(arrivals) = self.streams.get_mut(stream) {
                    arrivals.add(number);
                }
            }
            Err(_stream) => {
                let text_of_fault = text.chars().take(80).collect();
                match line::begins(seed, text) {
                    Some((stream, number)) => {
                        self.begun.push((stream.to_owned(), number, text_of_fault));
                    }
                    None => self.altered.push(text_of_fault),
                }
            }
        }
    }

    /// Whether there is a line of every one of `count` files.
    pub fn has_all_files(&self, oracle: &Oracle, count: usize) -> bool {
        let book = oracle.book();
        let files = book.streams.iter().filter(|(_name, stream)| stream.way == Way::File);
        files.filter(|(name, _stream)| self.streams.contains_key(*name)).count() >= count
    }

    /// The verdict, with the first few faults as sentences.
    pub fn judge(&self, oracle: &Oracle, place: Place) -> (Count, Vec<String>) {
        let mut count =
            Count { delivered: self.total, altered: self.altered.len(), ..Count::default() };
        let mut examples: Vec<String> =
            self.altered.iter().map(|text| format!("altered: {text}")).take(EXAMPLES).collect();
        let book = oracle.book();
        let none = Arrivals::default();
        for (name, number, text) in &self.begun {
            // What a stop has cut off is there as far as it came: the sender is not told, and cannot tell.
            let is_cut = book.streams.get(name).is_some_and(|stream| {
                stream.may_lack_its_end()
                    && self.streams.get(name).is_none_or(|seen| *number >= seen.next)
            });
            if !is_cut {
                count.altered += 1;
                examples.push(format!("altered: {text}"));
            }
        }
        for (name, stream) in &book.streams {
            let arrivals = self.streams.get(name).unwrap_or(&none);
            if place == Place::All && stream.is_ordered {
                count.disorder += arrivals.disorder;
                examples.extend(arrivals.late.map(|(line, before)| {
                    let times = arrivals.disorder;
                    format!("out of order: {name} {line} behind {before}, {times} in all")
                }));
            }
            let belongs = |number| {
                let poison = oracle.is_poison(stream.way, name, number);
                matches!(place, Place::All | Place::Shared) || poison == (place == Place::Dead)
            };
            for (number, sent) in
                stream.lines.iter().enumerate().filter(|(number, _)| belongs(*number))
            {
                let on_its_way = book.cuts.iter().any(|cut| cut.holds(sent));
                count.in_window += usize::from(on_its_way && stream.way == Way::File);
                let may_go = on_its_way && stream.way != Way::File;
                let fault = arrivals.fault(stream, number, sent);
                let fault = count.note(fault, may_go);
                if let Some(fault) = fault.filter(|_| examples.len() < EXAMPLES) {
                    examples.push(format!("{fault}: {name} {number}"));
                }
            }
            let strangers = arrivals.times.iter().enumerate().filter(|(number, times)| {
                **times > 0 && (*number >= stream.lines.len() || !belongs(*number))
            });
            count.altered += strangers.count();
        }
        let unknown = self.streams.keys().filter(|name| !book.streams.contains_key(*name));
        count.altered += unknown.count();
        (count, examples)
    }
}

impl Arrivals {
    fn add(&mut self, number: usize) {
        if self.times.len() <= number {
            self.times.resize(number + 1, 0);
        }
        let Some(times) = self.times.get_mut(number) else { return };
        *times += 1;
        if *times == 1 && number < self.next {
            self.disorder += 1;
            self.late.get_or_insert((number, self.next - 1));
        }
        self.next = self.next.max(number + 1);
    }

    fn fault(&self, stream: &Stream, number: usize, sent: &Sent) -> Option<Fault> {
        match self.times.get(number).copied().unwrap_or(0) {
            0 => self.is_due(stream, number, sent).then_some(Fault::Lost),
            times => (times > sent.times).then_some(Fault::Twice),
        }
    }

    /// Whether a line must be here: it was acknowledged, or a later one of its connection is here.
    fn is_due(&self, stream: &Stream, number: usize, sent: &Sent) -> bool {
        match stream.way {
            Way::File | Way::Http => sent.acknowledged.is_some(),
            Way::Syslog => number < self.next || !stream.may_lack_its_end(),
        }
    }
}

/// What can be wrong with one line.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Lost,
    Twice,
}

impl Count {
    /// Counts a fault; gives its name, unless a power cut `may` cost the line.
    fn note(&mut self, fault: Option<Fault>, may: bool) -> Option<&'static str> {
        match fault? {
            Fault::Twice => {
                self.twice += 1;
                Some("twice")
            }
            Fault::Lost if may => {
                self.lost_in_window += 1;
                None
            }
            Fault::Lost => {
                self.lost += 1;
                Some("lost")
            }
        }
    }
}

impl Cut {
    /// Whether a line was acknowledged in this time, or may have been, though that was noted a moment later.
    fn holds(&self, line: &Sent) -> bool {
        line.sent <= self.to && line.acknowledged.is_some_and(|at| at >= self.from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sent(way: Way, count: usize) -> (Oracle, Vec<String>) {
        let oracle = Oracle::new(7, false);
        oracle.open("a", way);
        let (_first, lines) = oracle.issue("a", count);
        (oracle, lines)
    }

    fn judged(oracle: &Oracle, texts: &[&str]) -> Count {
        let mut seen = Seen::default();
        texts.iter().for_each(|text| seen.add(7, text));
        seen.judge(oracle, Place::All).0
    }

    #[test]
    fn what_is_lost_twice_altered_or_out_of_order_is_counted() {
        let (oracle, lines) = sent(Way::File, 4);
        oracle.acknowledged("a", 0, 4);
        let [a, b, c, d] = [0, 1, 2, 3].map(|at: usize| lines[at].as_str());
        let changed = d.replace('~', "-");
        let good = Count { delivered: 4, ..Count::default() };
        assert_eq!(judged(&oracle, &[a, b, c, d]), good);
        assert_eq!(judged(&oracle, &[a, c, b, d]), Count { disorder: 1, ..good });
        assert_eq!(judged(&oracle, &[a, b, c]), Count { delivered: 3, lost: 1, ..good });
        assert_eq!(judged(&oracle, &[a, b, c, d, b]), Count { delivered: 5, twice: 1, ..good });
        assert_eq!(judged(&oracle, &[a, b, c, &changed]), Count { lost: 1, altered: 1, ..good });
    }

    #[test]
    fn a_connection_that_was_cut_may_lack_its_end_and_no_other_part() {
        let (oracle, lines) = sent(Way::Syslog, 3);
        oracle.disturbed(crate::oracle::ON_ITS_WAY);
        assert_eq!(judged(&oracle, &[&lines[0]]).lost, 0);
        assert_eq!(judged(&oracle, &[&lines[0], &lines[2]]).lost, 1);
        // Its last message may have come in part, and no other one.
        let part = lines[1].trim_end_matches('~').to_owned();
        let part = part.as_str();
        assert_eq!(judged(&oracle, &[&lines[0], part]).altered, 0);
        assert_eq!(judged(&oracle, &[&lines[0], part, &lines[2]]).altered, 1);
        assert_eq!(judged(&oracle, &[&lines[0], &lines[1], part]).altered, 1);
        let (oracle, lines) = sent(Way::Syslog, 3);
        oracle.closed("a", true);
        assert_eq!(judged(&oracle, &[&lines[0]]).lost, 2);
        assert_eq!(judged(&oracle, &[&lines[0], part]).altered, 1);
    }

    #[test]
    fn what_was_posted_may_come_as_often_as_it_was_sent_and_must_come_once_it_is_acknowledged() {
        let (oracle, lines) = sent(Way::Http, 1);
        assert_eq!(judged(&oracle, &[]).lost, 0);
        oracle.sent_again("a", 0, 1);
        assert_eq!(judged(&oracle, &[&lines[0], &lines[0]]).twice, 0);
        oracle.acknowledged("a", 0, 1);
        assert_eq!(judged(&oracle, &[]).lost, 1);
        oracle.power_cut(Duration::from_secs(60));
        let count = judged(&oracle, &[]);
        assert_eq!((count.lost, count.lost_in_window), (0, 1));
    }
}
