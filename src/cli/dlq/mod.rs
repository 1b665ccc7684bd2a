//! The command `dlq`: dead letters, and their replay.

mod command;
mod letters;
mod replay;

pub(super) use command::{DlqArgs, dlq};
