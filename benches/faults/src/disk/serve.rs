//! What each request does to the tree.

use std::time::{SystemTime, UNIX_EPOCH};

use super::tree::{Change, File, Folder, Kind, ROOT, Tree, code};
use super::trouble::{Trouble, Work};
use super::wire::{Answer, Request};
use crate::random::Random;

/// The tree, and how the disk misbehaves at present.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) tree: Tree,
    pub(super) trouble: Option<Trouble>,
    pub(super) random: Random,
}

/// Largest write that the kernel may send.
pub(super) const WRITE_MAX: u32 = 1 << 20;

const FOLDER_BITS: u32 = 0o040_000;
const FILE_BITS: u32 = 0o100_000;
const SOCKET_BITS: u32 = 0o140_000;
const KIND_BITS: u32 = 0o170_000;

/// Reads and writes go to us each time, past the kernel's own pages.
const DIRECT: u32 = 1;

type Done = Result<Answer, i32>;

impl Service {
    /// The answer to a request; `None` where none is due.
    pub(super) fn answer(&mut self, request: Request<'_>) -> Option<Vec<u8>> {
        // FORGET, INTERRUPT and BATCH_FORGET.
        if matches!(request.operation, 2 | 36 | 42) {
            return None;
        }
        Some(match self.done(request) {
            Ok(answer) => answer.framed(request.number, 0),
            Err(error) => Answer::default().framed(request.number, error),
        })
    }

    fn done(&mut self, request: Request<'_>) -> Done {
        let node = request.node;
        match request.operation {
            1 => self.look_up(request),
            3 => self.attributes(node),
            4 => self.set_attributes(request),
            8 => self.make(request),
            9 => self.make_folder(request),
            10 | 11 => self.remove(request),
            12 => self.rename(request, false),
            45 => self.rename(request, true),
            14 | 27 => Ok(Answer::default().u64(0).u32(DIRECT).u32(0)),
            15 => self.read(request),
            16 => self.write(request),
            17 => Ok(room()),
            18 | 25 | 29 => Ok(Answer::default()),
            20 => self.sync(node),
            26 => begin(request),
            28 => self.list(request),
            30 => self.sync_folder(node),
            35 => self.create(request),
            _ => Err(code::NOT_THERE),
        }
    }

    fn strike(&mut self, work: Work, node: u64) -> Result<(), i32> {
        let (Some(trouble), Ok(node)) = (&self.trouble, self.tree.node(node)) else {
            return Ok(());
        };
        trouble.strikes(work, &node.top, &mut self.random).map_or(Ok(()), Err)
    }

    fn attributes_of(&self, id: u64, answer: Answer) -> Done {
        let node = self.tree.node(id)?;
        let (bits, size) = match &node.kind {
            Kind::File(file) => (FILE_BITS, file.data.len()),
            Kind::Folder(_) => (FOLDER_BITS, 0),
            Kind::Socket => (SOCKET_BITS, 0),
        };
        let (seconds, nanoseconds) = node.modified;
        let answer = answer.u64(id).size(size).size(size.div_ceil(512));
        let answer = answer.u64(seconds).u64(seconds).u64(seconds);
        let answer = answer.u32(nanoseconds).u32(nanoseconds).u32(nanoseconds);
        // One link, owner and group root, no device, blocks of 4 kB.
        Ok(answer.u32(bits | node.mode).u32(1).u32(0).u32(0).u32(0).u32(4096).u32(0))
    }

    fn attributes(&self, id: u64) -> Done {
        self.attributes_of(id, Answer::default().u64(0).u32(0).u32(0))
    }

    fn entry(&self, id: u64) -> Done {
        self.attributes_of(id, Answer::default().u64(id).u64(0).u64(0).u64(0).u32(0).u32(0))
    }

    fn look_up(&self, mut request: Request<'_>) -> Done {
        let name = request.name().ok_or(code::INVALID)?;
        self.entry(self.tree.find(request.node, name)?)
    }

    fn set_attributes(&mut self, mut request: Request<'_>) -> Done {
        let id = request.node;
        let mut fields = || {
            let valid = request.u32()?;
            request.bytes(12)?;
            let size = request.usize()?;
            request.bytes(44)?;
            Some((valid, size, request.u32()?))
        };
        let (valid, size, mode) = fields().ok_or(code::INVALID)?;
        if valid & 8 != 0 {
            self.strike(Work::Write, id)?;
            self.tree.change(id, Change::Length(size))?;
            self.touch(id);
        }
        if valid & 1 != 0 {
            self.tree.node_mut(id)?.mode = mode & !KIND_BITS;
        }
        self.attributes(id)
    }

    fn touch(&mut self, id: u64) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Ok(node) = self.tree.node_mut(id) {
            node.modified = (since.as_secs(), since.subsec_nanos());
        }
    }

    fn add(&mut self, folder: u64, name: &str, kind: Kind, mode: u32) -> Result<u64, i32> {
        self.strike(Work::Name, folder)?;
        let id = self.tree.make(folder, name, kind, mode & !KIND_BITS)?;
        self.touch(id);
        Ok(id)
    }

    fn make(&mut self, mut request: Request<'_>) -> Done {
        let mode = request.u32().ok_or(code::INVALID)?;
        request.bytes(12).ok_or(code::INVALID)?;
        let name = request.name().ok_or(code::INVALID)?;
        let kind = match mode & KIND_BITS {
            SOCKET_BITS => Kind::Socket,
            FILE_BITS => Kind::File(File::default()),
            _ => return Err(code::INVALID),
        };
        let id = self.add(request.node, name, kind, mode)?;
        self.entry(id)
    }

    fn make_folder(&mut self, mut request: Request<'_>) -> Done {
        let mode = request.u32().ok_or(code::INVALID)?;
        request.u32().ok_or(code::INVALID)?;
        let name = request.name().ok_or(code::INVALID)?;
        let id = self.add(request.node, name, Kind::Folder(Folder::default()), mode)?;
        self.entry(id)
    }

    fn create(&mut self, mut request: Request<'_>) -> Done {
        request.u32().ok_or(code::INVALID)?;
        let mode = request.u32().ok_or(code::INVALID)?;
        request.bytes(8).ok_or(code::INVALID)?;
        let name = request.name().ok_or(code::INVALID)?;
        let id = self.add(request.node, name, Kind::File(File::default()), mode)?;
        Ok(self.entry(id)?.u64(0).u32(DIRECT).u32(0))
    }

    fn remove(&mut self, mut request: Request<'_>) -> Done {
        self.strike(Work::Name, request.node)?;
        let name = request.name().ok_or(code::INVALID)?;
        self.tree.remove(request.node, name).map(|()| Answer::default())
    }

    fn rename(&mut self, mut request: Request<'_>, with_flags: bool) -> Done {
        self.strike(Work::Name, request.node)?;
        let from = request.node;
        let to = request.u64().ok_or(code::INVALID)?;
        // Neither exchange nor "only when it is new" is needed.
        if with_flags && request.u64().ok_or(code::INVALID)? != 0 {
            return Err(code::INVALID);
        }
        let old = request.name().ok_or(code::INVALID)?;
        let new = request.name().ok_or(code::INVALID)?;
        self.tree.rename((from, old), (to, new)).map(|()| Answer::default())
    }

    fn read(&mut self, mut request: Request<'_>) -> Done {
        self.strike(Work::Read, request.node)?;
        let mut fields = || {
            request.u64()?;
            Some((request.usize()?, request.u32()?))
        };
        let (at, size) = fields().ok_or(code::INVALID)?;
        let file = self.tree.file_mut(request.node)?;
        let end = file.data.len().min(at.saturating_add(usize::try_from(size).unwrap_or(0)));
        Ok(Answer::default().bytes(file.data.get(at..end).unwrap_or_default()))
    }

    fn write(&mut self, mut request: Request<'_>) -> Done {
        let id = request.node;
        let mut fields = || {
            request.u64()?;
            let (at, size) = (request.usize()?, usize::try_from(request.u32()?).ok()?);
            request.bytes(20)?;
            Some((at, request.bytes(size)?))
        };
        let (at, mut bytes) = fields().ok_or(code::INVALID)?;
        if let Err(error) = self.strike(Work::Write, id) {
            // The last blocks of a disk still take a part.
            let part = self.random.size(bytes.len());
            let fits =
                self.trouble.as_ref().is_some_and(Trouble::is_full) && self.random.chance(30);
            bytes = bytes.get(..part).filter(|part| fits && !part.is_empty()).ok_or(error)?;
        }
        self.tree.change(id, Change::Write { at, bytes: bytes.to_vec() })?;
        self.touch(id);
        let size = u32::try_from(bytes.len()).map_err(|_large| code::INVALID)?;
        Ok(Answer::default().u32(size).u32(0))
    }

    fn sync(&mut self, id: u64) -> Done {
        if let Err(error) = self.strike(Work::Sync, id) {
            self.tree.fail_sync(id);
            return Err(error);
        }
        self.tree.sync(id).map(|()| Answer::default())
    }

    fn sync_folder(&mut self, id: u64) -> Done {
        self.strike(Work::Sync, id)?;
        self.tree.sync_folder(id).map(|()| Answer::default())
    }

    fn list(&mut self, mut request: Request<'_>) -> Done {
        let mut fields = || {
            request.u64()?;
            Some((request.usize()?, usize::try_from(request.u32()?).ok()?))
        };
        let (from, size) = fields().ok_or(code::INVALID)?;
        self.strike(Work::Read, request.node)?;
        let own = [(".".to_owned(), request.node), ("..".to_owned(), ROOT)];
        let folder = self.tree.folder(request.node)?;
        let named = folder.names.iter().map(|(name, id)| (name.clone(), *id));
        let mut answer = Answer::default();
        for (number, (name, id)) in own.into_iter().chain(named).enumerate().skip(from) {
            let length = name.len().next_multiple_of(8);
            if answer.len() + 24 + length > size {
                break;
            }
            let bits = match self.tree.node(id).map(|node| &node.kind) {
                Ok(Kind::File(_)) => FILE_BITS,
                Ok(Kind::Socket) => SOCKET_BITS,
                Ok(Kind::Folder(_)) | Err(_) => FOLDER_BITS,
            };
            answer = answer.u64(id).size(number + 1).u32(u32::try_from(name.len()).unwrap_or(0));
            answer = answer.u32(bits >> 12).bytes(name.as_bytes()).zeros(length - name.len());
        }
        Ok(answer)
    }
}

/// FUSE_INIT: large writes.
fn begin(mut request: Request<'_>) -> Done {
    const BIG_WRITES: u32 = 1 << 5;
    const MAX_PAGES: u32 = 1 << 22;
    let mut fields = || {
        let (major, _minor) = (request.u32()?, request.u32()?);
        Some((major, request.u32()?, request.u32()?))
    };
    let (_major, readahead, offered) = fields().ok_or(code::INVALID)?;
    let flags = offered & (BIG_WRITES | MAX_PAGES);
    let answer = Answer::default().u32(7).u32(31).u32(readahead).u32(flags);
    Ok(answer.u16(16).u16(12).u32(WRITE_MAX).u32(1).u16(256).u16(0).u32(0).zeros(28))
}

/// STATFS: always room; a full disk is told by what fails.
fn room() -> Answer {
    let blocks = 1 << 22;
    let answer = Answer::default().u64(blocks).u64(blocks / 2).u64(blocks / 2);
    answer.u64(1 << 20).u64(1 << 19).u32(4096).u32(255).u32(4096).u32(0).zeros(24)
}
