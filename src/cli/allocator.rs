//! Tells the C library how to keep memory, which it takes from the environment alone, and only when a process begins.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// What it is told where the environment says nothing: few arenas, since what one thread has freed serves no other one,
/// and large blocks, which go back to the system when they are freed; by default it keeps more and more of them.
const SETTINGS: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "1048576"),
    ("MALLOC_TRIM_THRESHOLD_", "1048576"),
];
/// Where somebody else may have said it.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// Says that it was tried: from a program with capabilities of its own the C library takes the settings away.
const TRIED: &str = "ANABRANCH_ALLOCATOR";

/// Begins this process anew with the settings, under the same number, unless the environment has them or others. Where
/// that cannot be done it goes on as it is, and needs more memory than it could.
pub(super) fn settle() {
    let is_said = |name: &str| std::env::var_os(name).is_some();
    if !cfg!(target_env = "gnu")
        || is_said(TRIED)
        || is_said(TUNABLES)
        || SETTINGS.iter().any(|(name, _)| is_said(name))
    {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It returns where the program is no longer there.
    let _error = command.args(arguments).envs(SETTINGS).env(TRIED, "settled").exec();
}
