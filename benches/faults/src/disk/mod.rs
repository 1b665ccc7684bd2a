//! A disk that misbehaves: a file system in memory, mounted by FUSE, that fails as it is told and forgets what was not
//! synced when the power is cut.

mod mount;
mod serve;
mod survive;
mod tree;
mod trouble;
mod wire;

pub use mount::Disk;
pub use trouble::Trouble;
