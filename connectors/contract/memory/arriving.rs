//! Memory for what comes in bit by bit.
//!
//! The first bytes are of `connections`, so that small things never wait for large ones. Whoever brings more than that
//! gets the room for all that he has announced at once, in his turn, and so those who are served come to their end. Whoever
//! then pauses loses what he does not use; from then on he gets room for what has come, and no more.

use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::budget::Memory;
use super::part::Part;
use super::taken::Taken;

/// How long room is waited for.
const WAIT: Duration = Duration::from_secs(2);
/// When so many wait for room, no more should,
const QUEUE: usize = 32;
/// and when so many wait for the little that comes first.
const QUEUE_FIRST: usize = 256;
/// Room that is taken at once for what has not said how long it is.
const STEP: usize = 64 << 10;

/// The same for who has paused.
const STEP_PAUSED: usize = 4 << 10;

/// There was no memory in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no memory for it now (memory, producer.buffer_memory)")]
pub struct NoRoom;

/// What one thing that comes in holds.
#[derive(Debug)]
pub struct Arriving {
    first: Taken,
    rest: Taken,
    /// How long it is to be, as far as it is known.
    announced: usize,
    /// Bytes that there is room for.
    room: usize,
    has_paused: bool,
}

impl Arriving {
    /// Bytes that come before others are waited for.
    pub const FIRST: usize = 8 << 10;
    /// How long a sender may pause before others get what was kept for him: short, since they wait for it.
    pub const PAUSE: Duration = Duration::from_millis(100);

    /// Something that comes in for `part`, and has so many bytes as far as it is known.
    #[must_use]
    pub fn new(memory: &Memory, part: Part, announced: usize) -> Self {
        let (first, rest) = (memory.nothing(Part::Connections), memory.nothing(part));
        Self { first, rest, announced, room: 0, has_paused: false }
    }

    /// Whether there is room for so many bytes in all, without waiting.
    #[must_use]
    pub const fn has(&self, bytes: usize) -> bool {
        bytes <= self.room
    }

    /// Bytes that there is room for.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.room
    }

    /// Whether it holds no more than its first bytes.
    #[must_use]
    pub const fn is_small(&self) -> bool {
        self.rest.bytes() == 0
    }

    /// Whether so many wait for room already that whoever wants some for so many bytes in all would wait in vain: better
    /// told at once.
    #[must_use]
    pub fn is_hopeless(&self, bytes: usize) -> bool {
        self.first.waiting() >= QUEUE_FIRST || (bytes > Self::FIRST && self.rest.waiting() >= QUEUE)
    }

    /// Makes room for so many bytes in all, of which the last have come just now or are about to.
    ///
    /// Cancel safe: what was taken stays taken.
    ///
    /// # Errors
    /// [`NoRoom`] after two seconds.
    pub async fn make_room(&mut self, bytes: usize) -> Result<(), NoRoom> {
        if self.has(bytes) {
            return Ok(());
        }
        let first = bytes.min(Self::FIRST);
        if first > self.first.bytes() {
            let more = if bytes > Self::FIRST { Self::FIRST } else { bytes } - self.first.bytes();
            timeout(WAIT, self.first.grow(more)).await.map_err(|_elapsed| NoRoom)?;
        }
        if bytes > Self::FIRST {
            let wanted = if !self.has_paused && self.announced >= bytes {
                self.announced
            } else if self.has_paused {
                bytes.next_multiple_of(STEP_PAUSED)
            } else {
                // Without an end in sight, room grows with what has come.
                (bytes + bytes / 2).next_multiple_of(STEP)
            };
            let more = (wanted - Self::FIRST).saturating_sub(self.rest.bytes());
            timeout(WAIT, self.rest.grow(more)).await.map_err(|_elapsed| NoRoom)?;
            self.room = wanted;
        } else {
            self.room = bytes;
        }
        Ok(())
    }

    /// Gives back what was taken for bytes behind the first `come` ones: their sender pauses.
    pub fn pause(&mut self, come: usize) {
        if std::mem::replace(&mut self.has_paused, true) || self.room <= Self::FIRST {
            return;
        }
        self.rest.shrink_to(come.saturating_sub(Self::FIRST));
        self.room = self.room.min(come.max(Self::FIRST));
    }

    /// Whether its sender has paused.
    #[must_use]
    pub const fn has_paused(&self) -> bool {
        self.has_paused
    }

    /// What it holds beyond its first bytes.
    #[must_use]
    pub const fn rest(&mut self) -> &mut Taken {
        &mut self.rest
    }

    /// What it holds, but for the first bytes where it holds more: what is small is small until it is done with, and stands
    /// in no line behind what is large.
    #[must_use]
    pub const fn most(&mut self) -> &mut Taken {
        if self.is_small() { &mut self.first } else { &mut self.rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::memory::Limit;

    fn memory(connections: usize, bodies: usize) -> Memory {
        let limits = Part::ALL.map(|part| {
            if part == Part::Connections {
                Limit { reserve: connections, max: connections }
            } else {
                Limit { reserve: 0, max: bodies }
            }
        });
        Memory::new(connections + bodies, limits)
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_served_comes_to_an_end_and_small_ones_pass_large_ones() {
        const MIB: usize = 1 << 20;
        let memory = memory(MIB, 2 * MIB);
        let arriving = || Arriving::new(&memory, Part::Bodies, MIB);
        let mut all: Vec<Arriving> = (0..10).map(|_| arriving()).collect();
        let mut served = 0;
        for one in &mut all {
            served += usize::from(one.make_room(20_000).await.is_ok());
        }
        assert_eq!(served, 2, "each of them has room for all of it");
        let mut ends = 0;
        for one in &mut all {
            ends += usize::from(one.has(MIB));
        }
        assert_eq!(ends, 2);
        let mut small = Arriving::new(&memory, Part::Bodies, 1000);
        small.make_room(1000).await.unwrap();
        all.clear();
        let mut next = arriving();
        next.make_room(20_000).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_wait_the_next_is_told_at_once_and_small_ones_are_not() {
        const MIB: usize = 1 << 20;
        let memory = memory(16 * MIB, MIB);
        let mut all: Vec<Arriving> =
            (0..QUEUE + 1).map(|_| Arriving::new(&memory, Part::Bodies, MIB)).collect();
        let next = Arriving::new(&memory, Part::Bodies, MIB);
        assert!(!next.is_hopeless(MIB));
        let wait = futures::future::join_all(all.iter_mut().map(|one| one.make_room(MIB)));
        let look = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            (next.is_hopeless(MIB), next.is_hopeless(Arriving::FIRST))
        };
        let (ends, looked) = tokio::join!(wait, look);
        assert_eq!(looked, (true, false));
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_pauses_keeps_only_what_has_come() {
        const MIB: usize = 1 << 20;
        let memory = memory(MIB, MIB);
        let mut slow = Arriving::new(&memory, Part::Bodies, MIB);
        slow.make_room(100_000).await.unwrap();
        assert!(memory.held(Part::Bodies) > 900_000);
        slow.pause(100_000);
        assert_eq!(memory.held(Part::Bodies), 100_000 - Arriving::FIRST);
        let mut other = Arriving::new(&memory, Part::Bodies, MIB / 2);
        other.make_room(MIB / 2).await.unwrap();
        slow.make_room(110_000).await.unwrap();
        assert!(memory.held(Part::Bodies) < 800_000, "it gets what has come, and no more");
        drop((slow, other));
        assert_eq!((memory.held(Part::Bodies), memory.held(Part::Connections)), (0, 0));
    }
}
