//! After an end that was not in order: where the records end, and what of them is damaged.

pub(crate) mod findings;
pub(super) mod resync;
pub(super) mod scan;
mod torn;
