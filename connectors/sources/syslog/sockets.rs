//! Opens the sockets of the source, and says what to do when one cannot be had.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use socket2::{Domain, Socket, Type};
use tracing::warn;

use super::config::{Listen, SourceConfig, resolve};
use crate::SourceError;
use crate::shared::stream::{activation, inet, local};

/// An open socket, and where it listens.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) listen: Listen,
    pub(super) socket: Socket,
}

/// Opens the sockets for one address; a port 0 is replaced by the one that the system chose.
pub(super) fn open(listen: &Listen, config: &SourceConfig) -> Result<Vec<Opened>, SourceError> {
    let mode = config.mode().unwrap_or(0o666);
    let opened = match listen {
        Listen::Passed(name) => passed(name, Listen::Tcp, config),
        Listen::PassedTls(name) => passed(name, Listen::Tls, config),
        Listen::Udp(place) => resolve(place).and_then(|address| udp(address, config)),
        Listen::Tcp(place) => tcp(place, Listen::Tcp),
        Listen::Tls(place) => tcp(place, Listen::Tls),
        Listen::Unix(path) => local::bind(path, Type::STREAM, mode).map(|socket| {
            let listen = listen.clone();
            vec![Opened { listen, socket }]
        }),
        Listen::Unixgram(path) => local::bind(path, Type::DGRAM, mode).map(|socket| {
            let listen = listen.clone();
            vec![Opened { listen, socket }]
        }),
    };
    opened.map_err(|error| SourceError::Failed {
        what: format!("cannot listen on {listen}"),
        hint: hint(error.kind()),
        cause: error.to_string(),
    })
}

/// The sockets that systemd has opened, each as what it is; those of TCP are `tcp`.
fn passed(name: &str, tcp: fn(String) -> Listen, config: &SourceConfig) -> io::Result<Vec<Opened>> {
    let identified = |socket: Socket| {
        let (kind, address) = (socket.r#type()?, socket.local_addr()?);
        let path = || address.as_pathname().map(Path::to_owned).unwrap_or_default();
        let is_plain = !tcp(String::new()).is_tls();
        let listen = match address.as_socket() {
            Some(inet) if kind == Type::STREAM => tcp(inet.to_string()),
            Some(inet) if kind == Type::DGRAM && is_plain => {
                enlarge(&socket, config.receive_buffer.bytes());
                Listen::Udp(inet.to_string())
            }
            None if kind == Type::STREAM && is_plain => Listen::Unix(path()),
            None if kind == Type::DGRAM && is_plain => Listen::Unixgram(path()),
            _ => return Err(io::Error::other("it is no socket that this address can have")),
        };
        if kind == Type::STREAM && !socket.is_listener()? {
            return Err(io::Error::other("it does not listen; write ListenStream="));
        }
        Ok(Opened { listen, socket })
    };
    activation::take(name)?.into_iter().map(identified).collect()
}

fn hint(kind: io::ErrorKind) -> &'static str {
    if kind == io::ErrorKind::PermissionDenied {
        "a port below 1024 needs CAP_NET_BIND_SERVICE, a socket file a folder that can be written; choose another or \
         grant it"
    } else if kind == io::ErrorKind::AddrInUse {
        "another program has it; stop that one or choose another"
    } else if kind == io::ErrorKind::AddrNotAvailable {
        "this machine does not have that address; try 0.0.0.0"
    } else {
        "check the address in `listen`"
    }
}

fn udp(address: SocketAddr, config: &SourceConfig) -> io::Result<Vec<Opened>> {
    // Sockets that share a port would also share it with those of another agent, unseen.
    drop(datagrams(address, false)?);
    let mut address = address;
    let mut opened = Vec::new();
    for _ in 0..config.udp_sockets {
        let socket = datagrams(address, config.udp_sockets > 1)?;
        enlarge(&socket, config.receive_buffer.bytes());
        address = local(&socket)?;
        opened.push(Opened { listen: Listen::Udp(address.to_string()), socket });
    }
    Ok(opened)
}

fn tcp(place: &str, listen: fn(String) -> Listen) -> io::Result<Vec<Opened>> {
    let socket = inet::listen(place)?;
    let listen = listen(socket.local_addr()?.to_string());
    Ok(vec![Opened { listen, socket: socket.into() }])
}

fn datagrams(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?.as_socket();
    address.ok_or_else(|| io::Error::other("the socket has no internet address"))
}

/// Asks for a receive buffer: past the system's limit where that is allowed, else up to it.
fn enlarge(socket: &Socket, wanted: usize) {
    let forced = rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, wanted);
    if forced.is_ok() {
        return;
    }
    let set = socket.set_recv_buffer_size(wanted);
    let got_bytes = socket.recv_buffer_size().unwrap_or(0);
    if set.is_err() || got_bytes < wanted {
        warn!(
            wanted_bytes = wanted,
            got_bytes, "receive buffer is smaller than asked for; raise net.core.rmem_max"
        );
    }
}
