//! Bytes of the budget that somebody holds.

use super::ledger::Books;
use super::part::Part;

/// Bytes that are held; given back when it is dropped.
#[derive(Debug)]
pub struct Taken {
    books: Books,
    part: Part,
    bytes: usize,
}

impl Taken {
    pub(super) const fn new(books: Books, part: Part, bytes: usize) -> Self {
        Self { books, part, bytes }
    }

    /// How many.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many wait for bytes of its part.
    pub(super) fn waiting(&self) -> usize {
        self.books.lock().waiting(self.part)
    }

    /// What is missing of a wish for so many more: together never more than the part may hold.
    fn missing(&self, more: usize) -> usize {
        let memory = self.books.lock();
        memory.fitted(self.part, self.bytes.saturating_add(more)).saturating_sub(self.bytes)
    }

    /// Takes so many more, if they are there and nobody waits for them; together never more than the part may hold, so
    /// that what is larger passes alone.
    pub fn try_grow(&mut self, more: usize) -> bool {
        let missing = self.missing(more);
        let is_there = missing == 0 || self.books.lock().try_take(self.part, missing);
        if is_there {
            self.bytes += missing;
        }
        is_there
    }

    /// The same, once they are there. Cancel safe: a future that is dropped has taken nothing.
    pub async fn grow(&mut self, more: usize) {
        if self.try_grow(more) {
            return;
        }
        let bytes = self.missing(more);
        let (ticket, granted) = self.books.lock().wait(self.part, bytes);
        let mut waiting =
            Waiting { books: &self.books, part: self.part, bytes, ticket: Some(ticket) };
        // The books outlive this borrow of them, so there is an answer.
        granted.await.ok();
        waiting.ticket = None;
        drop(waiting);
        self.bytes += bytes;
    }

    /// Gives back all but so many.
    pub fn shrink_to(&mut self, bytes: usize) {
        let more = self.bytes.saturating_sub(bytes);
        if more > 0 {
            self.bytes -= more;
            self.books.lock().give_back(self.part, more);
        }
    }

    /// Notes that so many are held in truth, whatever there is: more than were taken, or fewer.
    pub fn set(&mut self, bytes: usize) {
        self.shrink_to(bytes);
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.bytes += more;
            self.books.lock().force(self.part, more);
        }
    }

    /// What holds so many bytes of it, with what is missing if that is there: what came in is covered in any case.
    #[must_use]
    pub fn for_all_of(&mut self, bytes: usize) -> Self {
        let missing = bytes.saturating_sub(self.bytes);
        let is_covered = missing == 0 || self.try_grow(missing);
        self.split(if is_covered { bytes } else { self.bytes })
    }

    /// A part of it, at most all.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { books: Books::clone(&self.books), part: self.part, bytes }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.books.lock().give_back(self.part, self.bytes);
        }
    }
}

/// One in the line; who goes away leaves it, and gives back what was given to him at that moment.
struct Waiting<'a> {
    books: &'a Books,
    part: Part,
    bytes: usize,
    ticket: Option<u64>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut ledger = self.books.lock();
        if !ledger.forget(self.part, ticket) {
            ledger.give_back(self.part, self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::memory::Memory;
    use futures::poll;
    use std::pin::pin;

    #[tokio::test]
    async fn who_comes_first_gets_first_and_who_goes_away_has_nothing() {
        let memory = Memory::shared(100);
        let first = memory.take(Part::Sources, 100).await;
        let mut given_up = Box::pin(memory.take(Part::Sources, 60));
        let mut second = pin!(memory.take(Part::Sources, 50));
        assert!(poll!(&mut given_up).is_pending() && poll!(&mut second).is_pending());
        assert!(memory.try_take(Part::Sinks, 1).is_none());
        drop(given_up);
        drop(first);
        let second = second.await;
        assert_eq!((second.bytes(), memory.held(Part::Sources)), (50, 50));
        // Given at the moment when nobody wants it any more.
        let mut late = Box::pin(memory.take(Part::Sources, 80));
        assert!(poll!(&mut late).is_pending());
        drop(second);
        assert_eq!(memory.held(Part::Sources), 80);
        drop(late);
        assert_eq!(memory.held(Part::Sources), 0);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_takes_all_and_passes_alone() {
        let memory = Memory::shared(100);
        let small = memory.take(Part::Sinks, 1).await;
        let mut large = pin!(memory.take(Part::Sources, 1000));
        assert!(poll!(&mut large).is_pending());
        drop(small);
        let mut large = large.await;
        assert_eq!(large.bytes(), 100);
        assert!(large.try_grow(1000), "it has all already");
        let part = large.split(30);
        drop(large);
        assert_eq!(memory.held(Part::Sources), 30);
        drop(part);
        let mut known = memory.force(Part::Files, 150);
        let one = memory.try_take(Part::Sources, 1);
        assert!(one.is_some() && memory.try_take(Part::Sources, 1).is_none());
        drop(one);
        known.set(10);
        assert!(memory.try_take(Part::Sources, 90).is_some());
    }
}
