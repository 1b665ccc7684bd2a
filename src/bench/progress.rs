//! What a person at a terminal sees while a case runs; nothing anywhere else.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error.
pub(super) fn hidden_unless_terminal() -> ProgressBar {
    let shown = std::io::stderr().is_terminal();
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("{msg:22} {bar:40} {human_pos}/{human_len} {eta}");
    match style {
        Ok(style) => bar.with_style(style),
        Err(_none) => bar,
    }
}
