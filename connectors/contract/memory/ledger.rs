//! Who holds how much of the memory, and who waits for some: the rules, without tasks and clock.
//!
//! Each part has a reserve that nobody else gets and a limit of its own; what it holds beyond its reserve is of what is
//! shared. Those who wait are served in the order in which they came. Who waits for its own part's limit holds up those
//! behind it in that part alone; who waits for what is shared holds up all who want of that, so that a large wish is not
//! overtaken for ever by small ones, and nobody who still has a reserve.
//!
//! Invariant: the sum of what is held, or reserved where that is more, is at most the total, but for what was taken by
//! [`Ledger::force`]. Where that has made it more, each part that has nothing still gets one thing at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::part::{Limit, PARTS, Part};

/// The ledger as all who hold bytes have it.
pub(super) type Books = Arc<Mutex<Ledger>>;

/// The books.
#[derive(Debug)]
pub(super) struct Ledger {
    total: usize,
    accounts: [Account; PARTS],
    next_ticket: u64,
    waiting: usize,
}

/// What is noted of one part.
#[derive(Debug, Default)]
struct Account {
    limit: Limit,
    held: usize,
    queue: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    bytes: usize,
    granted: oneshot::Sender<()>,
}

/// What stands in the way of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The part has as much as it may have.
    Own,
    /// Sources and bodies together have as much as they may have.
    Sources,
    /// There is nothing left of what is shared.
    Shared,
}

impl Ledger {
    pub(super) fn new(total: usize, limits: [Limit; PARTS]) -> Self {
        let accounts = limits.map(|limit| Account { limit, ..Account::default() });
        Self { total, accounts, next_ticket: 0, waiting: 0 }
    }

    fn account(&self, part: Part) -> Option<&Account> {
        self.accounts.get(part as usize)
    }

    /// Bytes that a part holds.
    pub(super) fn held(&self, part: Part) -> usize {
        self.account(part).map_or(0, |account| account.held)
    }

    /// Most bytes that a part may hold.
    pub(super) fn max(&self, part: Part) -> usize {
        self.account(part).map_or(0, |account| account.limit.max)
    }

    /// How many wait for bytes of a part.
    pub(super) fn waiting(&self, part: Part) -> usize {
        self.account(part).map_or(0, |account| account.queue.len())
    }

    /// All that there is.
    pub(super) const fn total(&self) -> usize {
        self.total
    }

    /// What a wish comes to: what is larger than a part may hold gets all of that, so that it passes alone.
    pub(super) fn fitted(&self, part: Part, bytes: usize) -> usize {
        let most = if part.is_of_sources() { self.max(Part::Sources) } else { usize::MAX };
        bytes.min(self.max(part)).min(most)
    }

    /// Takes bytes if they are there and nobody waits for them who came before.
    pub(super) fn try_take(&mut self, part: Part, bytes: usize) -> bool {
        if self.waiting == 0 {
            let is_free = self.obstacle(part, bytes).is_none();
            if is_free {
                self.add(part, bytes);
            }
            return is_free;
        }
        let (ticket, mut granted) = self.wait(part, bytes);
        let is_granted = granted.try_recv().is_ok();
        if !is_granted {
            self.forget(part, ticket);
        }
        is_granted
    }

    /// Stands in line for bytes; gives the number and what tells that they are there.
    pub(super) fn wait(&mut self, part: Part, bytes: usize) -> (u64, oneshot::Receiver<()>) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let (granted, grant) = oneshot::channel();
        if let Some(account) = self.accounts.get_mut(part as usize) {
            account.queue.push_back(Waiter { ticket, bytes, granted });
            self.waiting += 1;
        }
        self.serve();
        (ticket, grant)
    }

    /// Takes one who waits out of the line; `false` when its bytes were given to it already.
    pub(super) fn forget(&mut self, part: Part, ticket: u64) -> bool {
        let Some(account) = self.accounts.get_mut(part as usize) else { return false };
        let found = account.queue.binary_search_by_key(&ticket, |waiter| waiter.ticket);
        let Ok(found) = found else { return false };
        account.queue.remove(found);
        self.waiting -= 1;
        self.serve();
        true
    }

    /// Notes bytes that are held already, whatever there is: others wait until they are given back.
    pub(super) fn force(&mut self, part: Part, bytes: usize) {
        self.add(part, bytes);
    }

    /// Takes bytes back and gives them to those who wait.
    pub(super) fn give_back(&mut self, part: Part, bytes: usize) {
        if let Some(account) = self.accounts.get_mut(part as usize) {
            account.held = account.held.saturating_sub(bytes);
        }
        if self.waiting > 0 {
            self.serve();
        }
    }

    fn add(&mut self, part: Part, bytes: usize) {
        if let Some(account) = self.accounts.get_mut(part as usize) {
            account.held = account.held.saturating_add(bytes);
        }
    }

    /// What is held, or reserved where that is more.
    fn committed(&self) -> usize {
        self.accounts.iter().map(|account| account.held.max(account.limit.reserve)).sum()
    }

    /// Bytes that a wish takes of what is shared.
    fn of_shared(account: &Account, bytes: usize) -> usize {
        let reserve = account.limit.reserve;
        (account.held + bytes).max(reserve) - account.held.max(reserve)
    }

    fn obstacle(&self, part: Part, bytes: usize) -> Option<Obstacle> {
        let account = self.account(part)?;
        if account.held + bytes > account.limit.max {
            return Some(Obstacle::Own);
        }
        if part.is_of_sources() {
            let held = self.held(Part::Sources) + self.held(Part::Bodies);
            if held + bytes > self.max(Part::Sources) {
                return Some(Obstacle::Sources);
            }
        }
        let shared = Self::of_shared(account, bytes);
        let committed = self.committed();
        // Who has nothing gets on though others hold more than there is, and for ever perhaps.
        let is_stranded = account.held == 0 && committed > self.total;
        let is_short = shared > 0 && committed + shared > self.total;
        (is_short && !is_stranded).then_some(Obstacle::Shared)
    }

    /// Gives to those who wait what is there, in the order in which they came.
    fn serve(&mut self) {
        let mut is_blocked = [false; PARTS];
        let mut is_shared_blocked = false;
        while let Some((part, bytes)) = self.first(is_blocked) {
            let account = self.account(part);
            let wants_shared = account.is_some_and(|account| Self::of_shared(account, bytes) > 0);
            let obstacle = self.obstacle(part, bytes);
            let wants_shared = wants_shared && self.committed() <= self.total;
            let obstacle = obstacle
                .or_else(|| (is_shared_blocked && wants_shared).then_some(Obstacle::Shared));
            let block = |is_blocked: &mut [bool; PARTS], part: Part| {
                if let Some(is_blocked) = is_blocked.get_mut(part as usize) {
                    *is_blocked = true;
                }
            };
            match obstacle {
                None => self.grant(part),
                Some(Obstacle::Own) => block(&mut is_blocked, part),
                Some(Obstacle::Sources) => {
                    block(&mut is_blocked, Part::Sources);
                    block(&mut is_blocked, Part::Bodies);
                }
                Some(Obstacle::Shared) => {
                    is_shared_blocked = true;
                    block(&mut is_blocked, part);
                }
            }
        }
    }

    /// Who came first of those who are at the head of their part's line, and what it wants.
    fn first(&self, is_blocked: [bool; PARTS]) -> Option<(Part, usize)> {
        let parts = Part::ALL.into_iter().zip(is_blocked).zip(&self.accounts);
        let free = parts.filter(|((_, is_blocked), _)| !is_blocked);
        let heads = free.filter_map(|((part, _), account)| Some((part, account.queue.front()?)));
        let first = heads.min_by_key(|(_, waiter)| waiter.ticket);
        first.map(|(part, waiter)| (part, waiter.bytes))
    }

    fn grant(&mut self, part: Part) {
        let Some(account) = self.accounts.get_mut(part as usize) else { return };
        let Some(waiter) = account.queue.pop_front() else { return };
        self.waiting -= 1;
        // One who went away takes himself out of the line before, under the same lock; so this arrives.
        if waiter.granted.send(()).is_ok() {
            account.held += waiter.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(of: impl Fn(Part) -> (usize, usize)) -> [Limit; PARTS] {
        Part::ALL.map(|part| {
            let (reserve, max) = of(part);
            Limit { reserve, max }
        })
    }

    #[test]
    fn a_part_gets_its_reserve_when_others_have_taken_all_that_is_shared() {
        let limits = limits(|part| if part == Part::DeadLetters { (100, 100) } else { (0, 1000) });
        let mut ledger = Ledger::new(1000, limits);
        assert!(ledger.try_take(Part::Sources, 900));
        assert!(!ledger.try_take(Part::Sinks, 1), "the rest is reserved");
        assert!(ledger.try_take(Part::DeadLetters, 100));
        assert!(!ledger.try_take(Part::DeadLetters, 1), "that is all it may have");
    }

    #[test]
    fn a_large_wish_is_not_overtaken_by_small_ones_but_by_those_with_a_reserve() {
        let limits = limits(|part| if part == Part::Sinks { (100, 1000) } else { (0, 1000) });
        let mut ledger = Ledger::new(1000, limits);
        assert!(ledger.try_take(Part::Sources, 500));
        let (_, mut large) = ledger.wait(Part::Requests, 800);
        assert!(!ledger.try_take(Part::Fetches, 1), "it would take what the large one waits for");
        assert!(ledger.try_take(Part::Sinks, 100));
        ledger.give_back(Part::Sources, 400);
        assert!(large.try_recv().is_ok());
        assert_eq!(ledger.held(Part::Requests), 800);
        assert!(!ledger.try_take(Part::Fetches, 1), "all is taken");
    }

    #[test]
    fn bodies_and_sources_share_a_limit_and_their_places_in_the_line() {
        let limits = limits(|part| match part {
            Part::Sources => (0, 100),
            Part::Bodies => (0, 50),
            Part::Requests | Part::Fetches | Part::DeadLetters | Part::Compaction | Part::Files => {
                (0, 0)
            }
            Part::Sinks | Part::Connections => (0, 1000),
        });
        let mut ledger = Ledger::new(1000, limits);
        assert!(ledger.try_take(Part::Bodies, 50) && ledger.try_take(Part::Sources, 50));
        let (_, mut source) = ledger.wait(Part::Sources, 40);
        let (_, mut body) = ledger.wait(Part::Bodies, 20);
        ledger.give_back(Part::Bodies, 30);
        assert!(body.try_recv().is_err() && source.try_recv().is_err(), "the source was first");
        assert!(ledger.try_take(Part::Sinks, 800), "others are not held up");
        ledger.give_back(Part::Bodies, 10);
        assert!(source.try_recv().is_ok() && body.try_recv().is_err());
        ledger.give_back(Part::Sources, 50);
        assert!(body.try_recv().is_ok());
    }

    #[test]
    fn no_part_stands_still_because_of_what_was_taken_by_force() {
        let mut ledger = Ledger::new(1000, limits(|_| (10, 500)));
        ledger.force(Part::Sinks, 5000);
        assert!(ledger.try_take(Part::Sources, 400), "one thing at a time");
        let (_, mut second) = ledger.wait(Part::Sources, 50);
        assert!(ledger.try_take(Part::Requests, 300), "others, too");
        assert!(second.try_recv().is_err());
        ledger.give_back(Part::Sources, 400);
        assert!(second.try_recv().is_ok());
    }

    proptest! {
        /// Whatever is taken, waited for, given up and given back: the total is kept, and when all is given back everybody
        /// has got what he waited for.
        #[test]
        fn nothing_is_lost_and_nobody_is_forgotten(
            steps in prop::collection::vec((0..PARTS, 1usize..400, 0u8..4), 0..200),
        ) {
            let limits = limits(|part| (10 * (part as usize), 100 + 100 * (part as usize)));
            let mut ledger = Ledger::new(1000, limits);
            let (mut held, mut waiting) = (Vec::new(), VecDeque::new());
            for (number, bytes, kind) in steps {
                let Some(part) = Part::ALL.get(number).copied() else { continue };
                let bytes = ledger.fitted(part, bytes);
                match kind {
                    0 if ledger.try_take(part, bytes) => held.push((part, bytes)),
                    0 => {}
                    1 => {
                        let (ticket, granted) = ledger.wait(part, bytes);
                        waiting.push_back((part, bytes, ticket, granted));
                    }
                    2 => if let Some((part, bytes)) = held.pop() {
                        ledger.give_back(part, bytes);
                    },
                    _ => if let Some((part, bytes, ticket, granted)) = waiting.pop_front()
                        && !ledger.forget(part, ticket)
                    {
                        drop(granted);
                        held.push((part, bytes));
                    },
                }
                prop_assert!(ledger.committed() <= 1000, "{}", ledger.committed());
            }
            for _ in 0..1000 {
                waiting.retain_mut(|(part, bytes, _, granted)| {
                    let is_granted = granted.try_recv().is_ok();
                    if is_granted {
                        held.push((*part, *bytes));
                    }
                    !is_granted
                });
                let Some((part, bytes)) = held.pop() else { break };
                ledger.give_back(part, bytes);
            }
            prop_assert!(waiting.is_empty(), "{} still wait", waiting.len());
            prop_assert!(Part::ALL.into_iter().all(|part| ledger.held(part) == 0));
        }
    }
}
