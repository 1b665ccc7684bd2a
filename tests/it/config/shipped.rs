//! The files in `config/`.
