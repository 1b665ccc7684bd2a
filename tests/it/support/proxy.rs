//! A network between a client and a server that fails as the test says.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// Forwards connections to one server, each way on a thread of its own.
pub(crate) struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    /// Connections that were made.
    made: AtomicUsize,
    /// What the first so many send is swallowed, both ways.
    swallowed: AtomicUsize,
    /// Before each piece that is forwarded, ms.
    delay_ms: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Listens at `port` for the server at `server`.
    pub(crate) fn start(port: u16, server: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::new(Faults::default());
        let shared = Arc::clone(&faults);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&server) else { continue };
                let number = shared.made.fetch_add(1, Ordering::SeqCst);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || forward(from, to, number, &shared));
                }
                shared.open.lock().extend([near, far]);
            }
        });
        Self { address, faults }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends every connection that there is.
    pub(crate) fn cut(&self) {
        for one in self.faults.open.lock().drain(..) {
            // It may have ended by itself.
            one.shutdown(Shutdown::Both).ok();
        }
    }

    /// Holds every piece up for so long.
    pub(crate) fn slow(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap();
        self.faults.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Swallows from now on what comes over the connections that there are; they stay open. New ones are served.
    pub(crate) fn swallow(&self) {
        let made = self.faults.made.load(Ordering::SeqCst);
        self.faults.swallowed.store(made, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, number: usize, faults: &Faults) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(size) = from.read(&mut piece)
        && size > 0
    {
        let delay = Duration::from_millis(faults.delay_ms.load(Ordering::SeqCst));
        if !delay.is_zero() {
            std::thread::park_timeout(delay);
        }
        let is_swallowed = number < faults.swallowed.load(Ordering::SeqCst);
        if !is_swallowed && to.write_all(&piece[..size]).is_err() {
            break;
        }
    }
    // The other way may have ended it already.
    to.shutdown(Shutdown::Both).ok();
}
