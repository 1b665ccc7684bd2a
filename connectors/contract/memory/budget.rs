//! The budget: whoever takes of it holds a [`Taken`] until it is given back.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::ledger::{Books, Ledger};
use super::part::{Limit, PARTS, Part};
use super::taken::Taken;

/// The budget. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory {
    books: Books,
}

impl Memory {
    /// So many bytes, and what each part may have of them, in the order of [`Part::ALL`].
    #[must_use]
    pub fn new(total: usize, limits: [Limit; PARTS]) -> Self {
        Self { books: Arc::new(Mutex::new(Ledger::new(total, limits))) }
    }

    /// So many bytes for whoever comes first.
    #[must_use]
    pub fn shared(total: usize) -> Self {
        Self::new(total, [Limit { reserve: 0, max: total }; PARTS])
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.books.lock()
    }

    /// All that there is, bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.ledger().total()
    }

    /// Bytes that a part holds.
    #[must_use]
    pub fn held(&self, part: Part) -> usize {
        self.ledger().held(part)
    }

    /// Most bytes that a part may hold.
    #[must_use]
    pub fn max(&self, part: Part) -> usize {
        self.ledger().max(part)
    }

    /// How many wait for bytes of a part.
    #[must_use]
    pub fn waiting(&self, part: Part) -> usize {
        self.ledger().waiting(part)
    }

    /// Nothing yet.
    #[must_use]
    pub fn nothing(&self, part: Part) -> Taken {
        Taken::new(Books::clone(&self.books), part, 0)
    }

    /// Bytes, if they are there and nobody came before who waits for them. What is larger than the part may hold gets all
    /// of that.
    #[must_use]
    pub fn try_take(&self, part: Part, bytes: usize) -> Option<Taken> {
        let mut taken = self.nothing(part);
        taken.try_grow(bytes).then_some(taken)
    }

    /// Bytes, once they are there; the first who comes is the first who gets. What is larger than the part may hold gets
    /// all of that.
    ///
    /// Cancel safe: a future that is dropped has taken nothing.
    pub async fn take(&self, part: Part, bytes: usize) -> Taken {
        let mut taken = self.nothing(part);
        taken.grow(bytes).await;
        taken
    }

    /// Notes bytes that are there whatever the budget says; others wait until they are given back.
    #[must_use]
    pub fn force(&self, part: Part, bytes: usize) -> Taken {
        self.ledger().force(part, bytes);
        Taken::new(Books::clone(&self.books), part, bytes)
    }
}
