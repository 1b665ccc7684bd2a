//! Paths that cannot be read.

use rustix::io::Errno;
use tokio::time::Instant;

/// Why a path could not be read, and when it was last tried.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) cause: Errno,
    pub(super) at: Instant,
}

/// What a person can do about a path that cannot be read.
pub(super) const fn hint(cause: Errno) -> &'static str {
    match cause {
        Errno::ACCESS | Errno::PERM => "let the agent's user read it, e.g. by its group",
        Errno::MFILE | Errno::NFILE => "raise the limit of open files (LimitNOFILE)",
        _ => "it is tried again",
    }
}
