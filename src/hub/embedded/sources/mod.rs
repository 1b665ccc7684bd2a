//! What the hub keeps of sources: how far they are, and what of theirs is stored.

mod ledger;
pub(super) mod mark;
pub(super) mod positions;
pub(super) mod totals;
