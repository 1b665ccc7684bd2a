//! Ports that are free.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of 127.0.0.1 that nobody has and that this process hands out only once, below those that the kernel gives.
///
/// # Errors
/// When there is none.
pub fn free() -> Result<u16, String> {
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    let process =
        u16::try_from(std::process::id().wrapping_mul(4001) % u32::from(COUNT)).unwrap_or(0);
    (0..COUNT)
        .map(|_attempt| HANDED_OUT.fetch_add(1, Ordering::Relaxed))
        .map(|count| FIRST + (process + count % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no port between 20000 and 32000 is free".to_owned())
}
