//! How much memory this process may have: as it is configured, or by its control group and its machine.

use std::path::Path;

use anabranch_connectors::contract::memory::Part;
use anabranch_connectors::{ByteSize, Memory};
use tracing::{info, warn};

use crate::config::Config;

/// Of a control group's limit, so much is taken: the kernel counts page cache and sockets there, too.
const OF_LIMIT: (usize, usize) = (2, 3);
/// The part of the machine that is taken where there is no limit.
const OF_MACHINE: usize = 4;
/// Most that is taken where nothing is said, bytes.
const MOST: usize = 1 << 30;

/// The budget of the process.
pub(super) fn plan(config: &Config) -> Memory {
    let limit = limit();
    let whole = config.memory.map_or_else(|| whole(limit, machine()), ByteSize::bytes);
    if let Some(limit) = limit.filter(|limit| *limit < whole) {
        warn!(
            memory = whole,
            limit, "memory is more than fits into the memory limit of this container"
        );
    }
    let buffer = config.producer.buffer_memory.map(ByteSize::bytes);
    let memory = Memory::planned(whole, buffer);
    let most = memory.max(Part::Sources);
    if let Some(buffer) = buffer.filter(|buffer| *buffer > most) {
        warn!(
            buffer_memory = buffer,
            most, "buffer_memory is lowered to what memory leaves for sources"
        );
    }
    info!(memory = whole, buffer_memory = most, "memory is shared out");
    memory
}

/// What is taken where nothing is said.
fn whole(limit: Option<usize>, machine: Option<usize>) -> usize {
    let of_limit = limit.map(whole_of);
    let whole = of_limit.or_else(|| machine.map(|machine| machine / OF_MACHINE));
    whole.unwrap_or(MOST).clamp(Memory::LEAST, MOST)
}

const fn whole_of(limit: usize) -> usize {
    limit / OF_LIMIT.1 * OF_LIMIT.0
}

/// The memory of the machine, bytes.
fn machine() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}
/// The lowest limit of the control groups that this process is in, bytes (cgroup v2, then v1).
fn limit() -> Option<usize> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let of_line = |line: &str| {
        let mut fields = line.splitn(3, ':');
        let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let path = path.trim_start_matches('/');
        match controllers {
            "" => lowest(Path::new("/sys/fs/cgroup"), path, "memory.max"),
            "memory" => lowest(Path::new("/sys/fs/cgroup/memory"), path, "memory.limit_in_bytes"),
            _ => None,
        }
    };
    let lowest = groups.lines().filter_map(of_line).min()?;
    // The first version says "none" by a number that no machine has.
    machine().is_none_or(|machine| lowest < machine).then_some(lowest)
}

/// The lowest number in `file` in the group and all above it.
fn lowest(root: &Path, group: &str, file: &str) -> Option<usize> {
    let group = root.join(group);
    let above = group.ancestors().take_while(|folder| folder.starts_with(root));
    let read = |folder: &Path| std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok();
    above.filter_map(read).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_it_is_a_part_of_the_limit_or_of_the_machine_and_never_much() {
        const MIB: usize = 1 << 20;
        assert_eq!(whole(Some(384 * MIB), Some(1 << 40)), 256 * MIB);
        assert_eq!(whole(None, Some(2048 * MIB)), 512 * MIB);
        assert_eq!(whole(None, Some(1 << 40)), MOST);
        assert_eq!(whole(Some(1 << 40), None), MOST);
        assert_eq!(whole(Some(MIB), None), Memory::LEAST);
        assert!(machine().is_some_and(|machine| machine > 64 * MIB));
    }

    #[test]
    fn the_lowest_limit_on_the_way_to_the_root_counts() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let write =
            |folder: &Path, text: &str| std::fs::write(folder.join("memory.max"), text).unwrap();
        assert_eq!(lowest(root.path(), "a/b", "memory.max"), None);
        write(&inner, "max\n");
        write(&root.path().join("a"), "500\n");
        assert_eq!(lowest(root.path(), "a/b", "memory.max"), Some(500));
        write(root.path(), "900\n");
        write(&inner, "400\n");
        assert_eq!(lowest(root.path(), "a/b", "memory.max"), Some(400));
    }
}
