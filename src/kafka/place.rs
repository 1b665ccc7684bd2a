//! Where a record batch goes.

use std::sync::Arc;

/// A topic and a partition of it.
pub type Place = (Arc<str>, i32);
