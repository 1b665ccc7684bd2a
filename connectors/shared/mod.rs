//! What several connectors need, each thing once.

pub mod document;
pub mod framing;
pub mod http;
pub mod paths;
pub mod shown;
pub mod stream;
pub mod template;
