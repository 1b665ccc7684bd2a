//! What the environment gives: servers and programs that are there, and ports that are free.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use super::waiting::{SOON, wait_until};

/// The address or the path in `variable`, or `None` when there is no such server or program here.
///
/// With `REQUIRE_SERVERS=1`, as in CI, a missing one fails the test instead of skipping it.
pub(crate) fn server(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    let required = std::env::var_os("REQUIRE_SERVERS").is_some();
    assert!(address.is_some() || !required, "{variable} is not set, and REQUIRE_SERVERS is");
    if address.is_none() {
        eprintln!("SKIPPED: {variable} is not set; `tests/run` starts all servers and sets it");
    }
    address
}

/// A port of 127.0.0.1 that nobody has, TCP or UDP, and that this process hands out only once.
///
/// It lies below the range from which the kernel takes ports for connections and for port 0, so
/// that nobody gets it by chance before the test has used it. Processes begin far from each other, so that several
/// runs of tests may go on side by side.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    const APART: u32 = 997;
    static HANDED_OUT: AtomicU16 = AtomicU16::new(0);
    let process = std::process::id().wrapping_mul(APART) % u32::from(COUNT);
    let process = u16::try_from(process).unwrap();
    (0..COUNT)
        .map(|_attempt| HANDED_OUT.fetch_add(1, Ordering::Relaxed))
        .map(|count| FIRST + (process + count % COUNT) % COUNT)
        .find(|&port| {
            TcpListener::bind(("127.0.0.1", port)).is_ok()
                && UdpSocket::bind(("127.0.0.1", port)).is_ok()
        })
        .expect("a free port between 20000 and 32000")
}

/// Waits until somebody listens on the TCP `port`.
#[track_caller]
pub(crate) fn wait_listening(port: u16) {
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_until(SOON, &format!("a listener on port {port}"), listens);
}
