//! What is between two programs: a TCP proxy that cuts, slows, swallows and half-opens.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::ports;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It goes on.
    Pass,
    /// New connections are closed at once, and open ones are cut.
    Refuse,
    /// It goes on in small pieces.
    Slow,
    /// Nothing comes out, and nobody is told.
    Hole,
    /// Connections are taken and lead nowhere; of those that are open only the client's half is closed.
    HalfOpen,
}

#[derive(Debug)]
struct State {
    mode: Mutex<Mode>,
    /// What one side still takes for open.
    held: Mutex<Vec<TcpStream>>,
    cuts: AtomicU64,
    ended: AtomicBool,
}

impl State {
    fn mode(&self) -> Mode {
        *self.mode.lock()
    }

    fn hold(&self, stream: TcpStream) {
        self.held.lock().push(stream);
    }

    fn let_go(&self) {
        self.held.lock().clear();
    }
}

/// A proxy at an address of its own; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

/// Longest wait before the mode is looked at again.
const TICK: Duration = Duration::from_millis(25);

impl Proxy {
    /// Begins to pass connections on to `upstream`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(upstream: SocketAddr) -> Result<Self, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()?));
        let failed = |error: std::io::Error| format!("{address}: {error}");
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let state = State {
            mode: Mutex::new(Mode::Pass),
            held: Mutex::default(),
            cuts: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || accept(&listener, upstream, &shared));
        Ok(Self { address, state })
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        *self.state.mode.lock() = mode;
        match mode {
            Mode::Refuse | Mode::HalfOpen => self.cut(),
            Mode::Pass | Mode::Slow | Mode::Hole => self.state.let_go(),
        }
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        self.state.cuts.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, upstream: SocketAddr, state: &Arc<State>) {
    while !state.ended.load(Ordering::Relaxed) {
        let Ok((client, _from)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        match state.mode() {
            Mode::Refuse => continue,
            Mode::HalfOpen => {
                state.hold(client);
                continue;
            }
            Mode::Pass | Mode::Slow | Mode::Hole => {}
        }
        // What cannot be reached is refused.
        let Ok(server) = TcpStream::connect_timeout(&upstream, Duration::from_secs(2)) else {
            continue;
        };
        let cuts = state.cuts.load(Ordering::Relaxed);
        for (from, to, up) in [(&client, &server, true), (&server, &client, false)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
            let pump = Pump { from, to, up, state: Arc::clone(state), cuts };
            std::thread::spawn(move || {
                // However it ends: both sides are told by what they find closed.
                pump.run().ok();
            });
        }
    }
}

/// One direction of one connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    /// From the client to the server.
    up: bool,
    state: Arc<State>,
    cuts: u64,
}

impl Pump {
    /// Passes on what comes from one side, until it ends or is cut.
    fn run(mut self) -> std::io::Result<()> {
        self.from.set_nonblocking(false)?;
        self.from.set_read_timeout(Some(TICK))?;
        self.to.set_write_timeout(Some(Duration::from_secs(20)))?;
        let mut buffer = vec![0; 16 << 10];
        loop {
            let cut = self.state.cuts.load(Ordering::Relaxed) != self.cuts;
            if cut || self.state.ended.load(Ordering::Relaxed) {
                self.end();
                return Ok(());
            }
            let mode = self.state.mode();
            if mode == Mode::Hole {
                std::thread::sleep(TICK);
                continue;
            }
            let most = if mode == Mode::Slow { 700 } else { buffer.len() };
            let Some(room) = buffer.get_mut(..most) else { return Ok(()) };
            match self.from.read(room) {
                Ok(0) => return self.to.shutdown(Shutdown::Write),
                Ok(count) => self.to.write_all(room.get(..count).unwrap_or_default())?,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => {
                    // The other side has the reason in its own half.
                    self.to.shutdown(Shutdown::Both).ok();
                    return Err(error);
                }
            }
            if mode == Mode::Slow {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn end(self) {
        let (client, server) = if self.up { (self.from, self.to) } else { (self.to, self.from) };
        // What is closed already is.
        client.shutdown(Shutdown::Both).ok();
        if self.state.mode() == Mode::HalfOpen {
            self.state.hold(server);
        } else {
            server.shutdown(Shutdown::Both).ok();
        }
    }
}
