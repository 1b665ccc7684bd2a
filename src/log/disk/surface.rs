//! What is durable of a file or a folder, and what was done to it since.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::random::Random;

/// Bytes that a disk writes whole, or not.
const SECTOR: usize = 512;

/// What was done to a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) durable: Vec<u8>,
    /// What was synced behind something that a failed sync may have let go of: no later sync brings that back.
    behind_doomed: Vec<(Change, bool)>,
    pending: Vec<Change>,
}

impl Content {
    pub(super) fn change(&mut self, change: Change) {
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        let synced = std::mem::take(&mut self.pending);
        if self.behind_doomed.is_empty() {
            synced.iter().for_each(|change| apply(&mut self.durable, change));
        } else {
            self.behind_doomed.extend(synced.into_iter().map(|change| (change, false)));
        }
    }

    pub(super) fn fail_sync(&mut self) {
        let doomed = std::mem::take(&mut self.pending);
        self.behind_doomed.extend(doomed.into_iter().map(|change| (change, true)));
    }

    /// Only some of what was not synced has reached the disk.
    pub(super) fn cut(&mut self, random: &mut Random) {
        for (change, is_doomed) in std::mem::take(&mut self.behind_doomed) {
            if !is_doomed || random.below(2) == 0 {
                apply(&mut self.durable, &change);
            }
        }
        let pending = std::mem::take(&mut self.pending);
        match random.below(4) {
            0 => {}
            1 => pending.iter().for_each(|change| apply(&mut self.durable, change)),
            2 => self.keep_first(&pending, random),
            _ => self.keep_some(&pending, random),
        }
    }

    /// In the order in which it was done, up to some byte.
    fn keep_first(&mut self, pending: &[Change], random: &mut Random) {
        let count = random.up_to(pending.len());
        for change in pending.iter().take(count) {
            apply(&mut self.durable, change);
        }
        if let Some(Change::Bytes(place, bytes)) = pending.get(count) {
            let bytes = bytes[..random.up_to(bytes.len())].to_vec();
            apply(&mut self.durable, &Change::Bytes(*place, bytes));
        }
    }

    /// The length as it was, and some sectors: zeros where the others would be.
    fn keep_some(&mut self, pending: &[Change], random: &mut Random) {
        for change in pending {
            match change {
                Change::Length(_) if random.below(2) == 0 => apply(&mut self.durable, change),
                Change::Length(_) => {}
                Change::Bytes(place, bytes) => {
                    let end = place + bytes.len();
                    if self.durable.len() < end {
                        self.durable.resize(end, 0);
                    }
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        if random.below(2) == 0 {
                            let place = place + number * SECTOR;
                            apply(&mut self.durable, &Change::Bytes(place, sector.to_vec()));
                        }
                    }
                }
            }
        }
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => content.resize(*length, 0),
        Change::Bytes(place, bytes) => {
            let (place, end) = (*place, place + bytes.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            content[place..end].copy_from_slice(bytes);
        }
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    File(u64),
    Folder(u64),
}

type Listing = BTreeMap<OsString, Entry>;

/// The names in a folder.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) now: Listing,
    durable: Listing,
    /// How it was after each thing that was done since it was synced.
    pending: Vec<Listing>,
}

impl Names {
    pub(super) fn set(&mut self, name: OsString, entry: Entry) {
        self.now.insert(name, entry);
        self.pending.push(self.now.clone());
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        self.now.remove(name);
        self.pending.push(self.now.clone());
    }

    pub(super) fn rename(&mut self, from: &OsStr, to: OsString) {
        if let Some(entry) = self.now.remove(from) {
            self.now.insert(to, entry);
        }
        self.pending.push(self.now.clone());
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.now);
        self.pending.clear();
    }

    /// Names reach the disk in the order in which they were made, as in a journal.
    pub(super) fn cut(&mut self, random: &mut Random) {
        let pending = std::mem::take(&mut self.pending);
        if let Some(kept) = random.up_to(pending.len()).checked_sub(1) {
            self.durable.clone_from(&pending[kept]);
        }
        self.now.clone_from(&self.durable);
    }
}
