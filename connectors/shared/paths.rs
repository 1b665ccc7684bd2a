//! Paths by which the same file is the same.

use std::path::{Component, Path, PathBuf};

/// The path from the root without `.` and `..`, and then with links resolved as far as it exists.
#[must_use]
pub fn places(path: &Path) -> [PathBuf; 2] {
    let whole = std::path::absolute(path).unwrap_or_else(|_empty| path.to_owned());
    let whole = plain(&whole);
    let resolved = resolve(&whole);
    [whole, resolved]
}

/// The path without `.` and `..`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other @ (Component::RootDir | Component::Prefix(_) | Component::Normal(_)) => {
                plain.push(other);
            }
        }
    }
    plain
}

/// The path with links resolved, as far as it exists.
pub(crate) fn resolve(path: &Path) -> PathBuf {
    for known in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (known.canonicalize(), path.strip_prefix(known)) {
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_path_buf()
}
