//! Bytes → messages, shared by the sources that read streams.

pub mod byte_order_mark;
pub mod lines;
pub mod octet_counting;
pub mod restart;
pub mod rfc6587;
