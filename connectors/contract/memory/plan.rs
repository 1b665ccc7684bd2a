//! Who gets how much of the memory.

use super::budget::Memory;
use super::part::{Limit, PARTS, Part};

const MIB: usize = 1 << 20;
/// The part of the whole that is for the program itself: its code, its threads, what is known of topics and groups, and
/// what lies idle between two pieces that are in use.
const OWN: usize = 4;
/// Least of that, bytes.
const OWN_MIN: usize = 16 * MIB;
/// Least of what is given out, bytes.
const GIVEN_MIN: usize = 8 * MIB;
/// Most that is reserved for dead letters, bytes.
const DEAD_LETTERS: usize = 4 * MIB;
/// Most that keys of a topic take while it is compacted, bytes.
const KEYS: usize = 16 * MIB;

impl Memory {
    /// What sources may have under way at most where nothing else is said, bytes: more makes nothing faster.
    pub const BUFFER: usize = 64 * MIB;
    /// The least that an agent can do with, bytes.
    pub const LEAST: usize = OWN_MIN + GIVEN_MIN;

    /// Shares out so many bytes; sources may have `buffer` of them, or what is left to them if that is less.
    #[must_use]
    pub fn planned(whole: usize, buffer: Option<usize>) -> Self {
        let given = whole.saturating_sub((whole / OWN).max(OWN_MIN)).max(GIVEN_MIN);
        Self::new(given, limits(given, buffer.unwrap_or_else(|| (whole / 8).min(Self::BUFFER))))
    }
}

impl Default for Memory {
    /// As on a machine with 1 GiB.
    fn default() -> Self {
        Self::planned(256 * MIB, None)
    }
}

fn limits(given: usize, buffer: usize) -> [Limit; PARTS] {
    let sixteenth = (given / 16).max(1);
    let buffer = buffer.clamp(1, 6 * sixteenth);
    let all = |bytes: usize| Limit { reserve: bytes, max: bytes };
    Part::ALL.map(|part| match part {
        Part::Sources => Limit { reserve: sixteenth.min(buffer / 4), max: buffer },
        Part::Bodies => Limit { reserve: (sixteenth / 2).min(buffer / 4), max: buffer / 2 },
        Part::Connections => Limit { reserve: 2 * sixteenth, max: 7 * sixteenth },
        Part::Requests => Limit { reserve: sixteenth, max: given / 4 },
        Part::Fetches => Limit { reserve: sixteenth, max: given / 6 },
        Part::Sinks => all(3 * sixteenth),
        Part::DeadLetters => all(sixteenth.min(DEAD_LETTERS)),
        Part::Compaction => all(sixteenth.min(KEYS)),
        Part::Files => Limit { reserve: 0, max: given },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_can_have_all_that_it_may_have_while_the_others_have_their_reserves() {
        for whole in [Memory::LEAST, 64 * MIB, 256 * MIB, 1 << 30] {
            for buffer in [None, Some(MIB), Some(1 << 40)] {
                let memory = Memory::planned(whole, buffer);
                let limits = limits(memory.total(), buffer.unwrap_or(Memory::BUFFER));
                let reserved: usize = limits.iter().map(|limit| limit.reserve).sum();
                assert!(memory.total() < whole, "{whole}");
                for (part, limit) in Part::ALL.into_iter().zip(limits) {
                    assert!(limit.reserve <= limit.max, "{part:?}");
                    if part != Part::Files {
                        let others = reserved - limit.reserve;
                        assert!(others + limit.max <= memory.total(), "{part:?} of {whole}");
                    }
                }
            }
        }
        assert_eq!(Memory::planned(1 << 30, None).max(Part::Sources), 64 * MIB);
        assert_eq!(Memory::planned(256 * MIB, None).max(Part::Sources), 32 * MIB);
        assert_eq!(Memory::planned(256 * MIB, Some(16 * MIB)).max(Part::Sources), 16 * MIB);
    }
}
