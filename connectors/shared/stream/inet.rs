//! TCP sockets that are listened on.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use socket2::{Domain, Socket, Type};

use super::activation;

/// Connections that may wait to be accepted, as far as the system allows it (net.core.somaxconn): where there are more, the
/// system lets them try again after a second.
pub const BACKLOG: i32 = 4096;

/// Listens on `host:port`, at the first of its addresses that can be had, or takes the socket `systemd:NAME`. The socket
/// does not block.
///
/// # Errors
/// What the system says of the last one.
pub fn listen(at: &str) -> io::Result<TcpListener> {
    match activation::name(at) {
        Some(name) => activation::tcp(name),
        None => first_of(at.to_socket_addrs()?),
    }
}

/// As [`listen`], where looking the name up must not hold a thread up.
///
/// # Errors
/// What the system says of the last one.
pub async fn bind(at: &str) -> io::Result<tokio::net::TcpListener> {
    let listener = match activation::name(at) {
        Some(name) => activation::tcp(name)?,
        None => first_of(tokio::net::lookup_host(at).await?)?,
    };
    tokio::net::TcpListener::from_std(listener)
}

fn first_of(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match listen_at(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn listen_at(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // `[::]` is every address of the machine, whatever the system's default is.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_few_may_wait_to_be_accepted() {
        let listener = listen("localhost:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connect = || std::net::TcpStream::connect(address).unwrap();
        // With 128 places the rest would be tried again after a second, and after two more.
        let waiting: Vec<_> = (0..300).map(|_| connect()).collect();
        assert_eq!(waiting.len(), 300);
        listener.accept().unwrap();
    }

    #[test]
    fn a_port_that_is_taken_and_a_name_without_an_address_are_told() {
        let taken = listen("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(listen(&address.to_string()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(listen("no.such.name.invalid:1").is_err());
    }
}
