//! How much memory this process may have, by its control group.

use std::path::Path;

use tracing::warn;

/// The part of the limit that sources' bytes may take; the rest is for sinks, encoders and the program itself.
const SHARE: usize = 4;

/// `buffer_memory`, or a quarter of the control group's limit when that is less.
pub(super) fn within_limit(buffer_memory: usize) -> usize {
    let Some(limit) = limit() else { return buffer_memory };
    let most = (limit / SHARE).max(1 << 20);
    if most < buffer_memory {
        warn!(
            limit,
            buffer_memory, most, "buffer_memory is lowered to a quarter of the memory limit"
        );
    }
    buffer_memory.min(most)
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
    groups.lines().filter_map(of_line).min()
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
