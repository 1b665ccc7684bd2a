//! What was read of a file in one go.

use anabranch_record::Batch;

use super::position::Mark;

/// What follows the offset.
#[derive(Debug)]
pub(super) struct Read {
    /// Lines, if there are any.
    pub(super) batch: Option<Batch>,
    /// The mark behind them.
    pub(super) mark: Mark,
    /// Some marks that lie between that and the one before.
    pub(super) between: Vec<Mark>,
    /// Bytes of the unterminated line behind the mark.
    pub(super) open_length: u64,
    /// NUL behind the mark that nothing is known to follow.
    pub(super) blank: u64,
    /// Runs of NUL that were left out.
    pub(super) left_out: u64,
    /// Whether the file ended there.
    pub(super) ended: bool,
}
