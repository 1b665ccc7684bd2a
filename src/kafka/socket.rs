//! A blocking TCP connection, plain or with TLS, that never waits beyond a deadline or its owner's patience.
//!
//! One system call waits at most [`SLICE`]; then it is looked whether waiting still makes sense. With TLS the
//! records of the protocol are driven by hand for the same reason.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use tokio::time::Instant;

use super::error::{Error, is_pause};
use super::options::Context;

/// Longest wait within one system call.
const SLICE: Duration = Duration::from_millis(100);

/// How much is encrypted at a time, bytes.
const TLS_CHUNK: usize = 64 << 10;

/// A connection to one broker.
#[derive(Debug)]
pub(super) struct Socket {
    context: Context,
    address: String,
    tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Socket {
    /// Connects to `address`, with TLS when the options say so.
    pub(super) fn connect(context: &Context, address: &str, until: Instant) -> Result<Self, Error> {
        let broken = |cause: io::Error| Error::broken(address, &cause);
        let tcp = connect_any(address, until).map_err(broken)?;
        tune(&tcp, context).map_err(broken)?;
        let tls = match &context.options.tls {
            Some(tls) => {
                let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
                let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = rustls::pki_types::ServerName::try_from(name)
                    .map_err(|cause| Error::broken(address, &cause))?;
                let mut tls = ClientConnection::new(Arc::clone(&tls.config), name)
                    .map_err(|cause| Error::broken(address, &cause))?;
                tls.set_buffer_limit(None);
                Some(Box::new(tls))
            }
            None => None,
        };
        let context = context.clone();
        let mut socket = Self { context, address: address.to_owned(), tcp, tls };
        socket.shake_hands(until)?;
        Ok(socket)
    }

    fn shake_hands(&mut self, until: Instant) -> Result<(), Error> {
        self.flush(until)?;
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.fill(until)?;
            self.flush(until)?;
        }
        Ok(())
    }

    /// Writes all of `pieces`, one after another.
    pub(super) fn write(&mut self, pieces: &[&[u8]], until: Instant) -> Result<(), Error> {
        if self.tls.is_none() {
            return self.write_plain(pieces, until);
        }
        for chunk in pieces.iter().flat_map(|piece| piece.chunks(TLS_CHUNK)) {
            if let Some(tls) = &mut self.tls {
                let written = tls.writer().write_all(chunk);
                written.map_err(|cause| Error::broken(&self.address, &cause))?;
            }
            self.flush(until)?;
        }
        Ok(())
    }

    fn write_plain(&mut self, pieces: &[&[u8]], until: Instant) -> Result<(), Error> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.tcp.write_vectored(rest) {
                Ok(0) => return Err(self.closed()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(cause) => self.pause(&cause, until)?,
            }
        }
        Ok(())
    }

    /// Reads as much as `place` holds.
    pub(super) fn read(&mut self, mut place: &mut [u8], until: Instant) -> Result<(), Error> {
        while !place.is_empty() {
            let read = match &mut self.tls {
                Some(tls) => tls.reader().read(place),
                None => self.tcp.read(place),
            };
            match read {
                Ok(0) => return Err(self.closed()),
                Ok(count) => place = place.get_mut(count..).unwrap_or_default(),
                Err(cause) if self.tls.is_none() => self.pause(&cause, until)?,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => {
                    self.fill(until)?;
                    self.flush(until)?;
                }
                Err(cause) => return Err(Error::broken(&self.address, &cause)),
            }
        }
        Ok(())
    }

    /// Takes encrypted bytes from the socket.
    fn fill(&mut self, until: Instant) -> Result<(), Error> {
        loop {
            let Some(tls) = &mut self.tls else { return Ok(()) };
            match tls.read_tls(&mut self.tcp) {
                Ok(0) => return Err(self.closed()),
                Ok(_) => {
                    let done = tls.process_new_packets();
                    return match done {
                        Ok(_state) => Ok(()),
                        Err(cause) => {
                            // The broker should hear why; that it may not is no further matter.
                            self.flush(until).ok();
                            Err(Error::broken(&self.address, &format!("TLS: {cause}")))
                        }
                    };
                }
                Err(cause) => self.pause(&cause, until)?,
            }
        }
    }

    /// Gives encrypted bytes to the socket.
    fn flush(&mut self, until: Instant) -> Result<(), Error> {
        while let Some(tls) = &mut self.tls
            && tls.wants_write()
        {
            match tls.write_tls(&mut self.tcp) {
                Ok(0) => return Err(self.closed()),
                Ok(_) => {}
                Err(cause) => self.pause(&cause, until)?,
            }
        }
        Ok(())
    }

    /// After a call that did not get on: whether to try once more.
    fn pause(&self, cause: &io::Error, until: Instant) -> Result<(), Error> {
        if !is_pause(cause) {
            return Err(Error::broken(&self.address, cause));
        }
        if self.context.patience.is_over() {
            return Err(Error::Stopped);
        }
        if Instant::now() >= until {
            return Err(Error::broken(&self.address, &"does not answer"));
        }
        Ok(())
    }

    fn closed(&self) -> Error {
        Error::broken(&self.address, &"closed the connection")
    }
}

/// Tries every address that the name has.
fn connect_any(address: &str, until: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for known in address.to_socket_addrs()? {
        let left = until.saturating_duration_since(Instant::now()).max(SLICE);
        match TcpStream::connect_timeout(&known, left) {
            Ok(tcp) => return Ok(tcp),
            Err(cause) => last = cause,
        }
    }
    Err(last)
}

fn tune(tcp: &TcpStream, context: &Context) -> io::Result<()> {
    let options = &context.options;
    tcp.set_read_timeout(Some(SLICE))?;
    tcp.set_write_timeout(Some(SLICE))?;
    tcp.set_nodelay(!options.nagle)?;
    rustix::net::sockopt::set_socket_keepalive(tcp, options.keepalive)?;
    if options.send_buffer > 0 {
        rustix::net::sockopt::set_socket_send_buffer_size(tcp, options.send_buffer)?;
    }
    if options.receive_buffer > 0 {
        rustix::net::sockopt::set_socket_recv_buffer_size(tcp, options.receive_buffer)?;
    }
    Ok(())
}
