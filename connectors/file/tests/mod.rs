//! The file source on real files.
