//! In which way the disk misbehaves.

use std::time::Duration;

use super::tree::code;
use crate::random::Random;

/// What a request is, to a disk that misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Read,
    Write,
    Sync,
    Name,
}

/// Requests that fail, or are slow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    reads: bool,
    writes: bool,
    syncs: bool,
    names: bool,
    code: i32,
    /// Of a hundred such requests.
    percent: u64,
    /// The folder of the root that it is in; everywhere when empty.
    top: &'static str,
    /// How long each sync takes, where nothing fails.
    slow: Duration,
}

impl Trouble {
    /// One of those there are.
    pub fn any(random: &mut Random) -> Self {
        let percent = *random.pick(&[100, 100, 30, 5]).unwrap_or(&100);
        let top = *random.pick(&["", "data", "data", "out"]).unwrap_or(&"");
        let code = if random.chance(50) { code::IO } else { code::NO_SPACE };
        let quiet = Self {
            reads: false,
            writes: false,
            syncs: false,
            names: false,
            code,
            percent,
            top,
            slow: Duration::ZERO,
        };
        match random.up_to(7) {
            0 => Self { reads: true, code: code::IO, ..quiet },
            1 => Self { writes: true, ..quiet },
            2 => Self { syncs: true, code: code::IO, ..quiet },
            3 => Self { names: true, ..quiet },
            4 => Self { writes: true, syncs: true, ..quiet },
            5 => Self { writes: true, names: true, code: code::NO_SPACE, ..quiet },
            _ => Self { slow: Duration::from_millis(random.between(20, 400)), ..quiet },
        }
    }

    /// The error that a request gets, if any; waits where the disk is slow.
    pub(super) fn strikes(&self, work: Work, top: &str, random: &mut Random) -> Option<i32> {
        if !self.top.is_empty() && self.top != top {
            return None;
        }
        if work == Work::Sync && !self.slow.is_zero() {
            std::thread::sleep(self.slow);
        }
        let meant = match work {
            Work::Read => self.reads,
            Work::Write => self.writes,
            Work::Sync => self.syncs,
            Work::Name => self.names,
        };
        (meant && random.chance(self.percent)).then_some(self.code)
    }

    /// Whether what is written is said to be too much for the disk, so that a part of it may still fit.
    pub(super) fn is_full(&self) -> bool {
        self.code == code::NO_SPACE
    }
}
