//! What a listener asks of those who connect, before anything is read that they have to say: an address in a list, the
//! header of a proxy, TLS.
//!
//! The list is for who has really connected, and is looked at before there is a place. All else is done by the task of
//! the connection, in its place and within [`LONGEST`], so that it holds up neither others nor the loop that takes them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;

use super::allow::{self, Network};
use super::connection::{Peer, Stream};
use super::meter::Ended;
use super::places::Place;
use super::proxy_header;
use super::tls::{Tls, TlsConfig};
use crate::contract::build::BuildError;
use crate::contract::settings::Doubt;

/// The header of a proxy and the handshake of TLS take no longer than this together, or the connection ends.
const LONGEST: Duration = Duration::from_secs(10);

/// What is asked.
#[derive(Debug, Default)]
pub struct Terms {
    allow: RwLock<Vec<Network>>,
    proxy_protocol: bool,
    tls: Option<Arc<Tls>>,
}

/// A connection that has done what was asked.
#[derive(Debug)]
pub struct Arrived {
    /// What it says from here on.
    pub stream: Stream,
    /// For whom it is: as a proxy says, else who has connected.
    pub peer: Peer,
    /// The address that a proxy has told.
    pub told: Option<SocketAddr>,
}

/// What is doubtful where everybody may say that he is a proxy.
#[must_use]
pub fn doubt(proxy_protocol: bool, allow: &[Network]) -> Option<Doubt> {
    (proxy_protocol && allow.is_empty()).then(|| Doubt {
        setting: "proxy_protocol",
        problem: "is set, and `allow` is empty: whoever connects can claim any address".to_owned(),
        hint: "name the proxies in `allow`, such as allow: [\"10.0.0.5\"]".to_owned(),
    })
}

/// Why a connection is not served.
struct Refused(Ended, io::Error);

impl Terms {
    /// Asks for TLS, or for nothing.
    #[must_use]
    pub fn new(tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..Self::default() }
    }

    /// Asks for TLS as the block `tls` of `block` says, or for nothing; [`renew`](super::tls::renew) reads its files anew.
    ///
    /// # Errors
    /// As [`Tls::load`].
    pub fn kept(config: Option<&TlsConfig>, block: &str) -> Result<Self, BuildError> {
        Ok(Self::new(config.map(|config| Tls::kept(config, block)).transpose()?))
    }

    /// Asks for the header of a proxy first, of all who come by TCP.
    #[must_use]
    pub fn of_proxies(self, proxy_protocol: bool) -> Self {
        Self { proxy_protocol, ..self }
    }

    /// Lets in whose address is in the list; everybody where it is empty.
    #[must_use]
    pub fn only(self, allow: &[Network]) -> Self {
        self.set_allowed(allow);
        self
    }

    /// The same for those who connect from now on.
    pub fn set_allowed(&self, allow: &[Network]) {
        *self.allow.write() = allow.to_vec();
    }

    /// Whether one may connect; by a unix socket the rights of its file say so.
    #[must_use]
    pub fn allows(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(address) => {
                let list = self.allow.read();
                allow::allows(&list, address)
            }
            Peer::Local => true,
        }
    }

    /// Asks one who has connected. `None`: he has not done what was asked, which is counted and said, or his place is
    /// wanted.
    ///
    /// Not cancel safe: the connection ends when the future is dropped.
    pub async fn settle(&self, stream: Stream, peer: Peer, place: &Place) -> Option<Arrived> {
        let stream = match stream {
            Stream::Tcp(stream) if self.proxy_protocol || self.tls.is_some() => stream,
            Stream::Tcp(_) | Stream::Unix(_) | Stream::Tls(_) => {
                return Some(Arrived { stream, peer, told: None });
            }
        };
        // The states of a handshake are large, and gone once it is done.
        let asked = Box::pin(timeout(LONGEST, self.ask(stream, peer, place)));
        tokio::select! {
            asked = asked => match asked {
                Ok(Ok(arrived)) => return Some(arrived),
                // Who only looks whether somebody listens, as balancers do, is no trouble.
                Ok(Err(Refused(why, cause))) if cause.kind() == io::ErrorKind::UnexpectedEof => {
                    debug!(%peer, %cause, "a connection ends before it has begun");
                    place.ends(why, peer);
                }
                Ok(Err(Refused(why, cause))) => place.refuses(why, peer, &cause),
                Err(_elapsed) => place.ends(Ended::Slow, peer),
            },
            () = place.is_wanted() => {}
        }
        None
    }

    async fn ask(&self, stream: TcpStream, peer: Peer, place: &Place) -> Result<Arrived, Refused> {
        let mut stream = stream;
        let mut told = None;
        if self.proxy_protocol {
            let header = read_header(&mut stream).await;
            told = header.map_err(|cause| Refused(Ended::Header, cause))?;
            place.heard(1);
        }
        let peer = told.map_or(peer, |told| Peer::Ip(told.ip().to_canonical()));
        let stream = match &self.tls {
            None => Stream::Tcp(stream),
            Some(tls) => {
                let shaken = tls.accept(stream).await;
                let shaken = shaken.map_err(|cause| Refused(Ended::Handshake, cause))?;
                place.heard(1);
                Stream::Tls(Box::new(shaken))
            }
        };
        Ok(Arrived { stream, peer, told })
    }
}

/// Takes the header of a proxy from the stream, and nothing that is behind it.
async fn read_header(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut bytes = [0; proxy_header::LONGEST];
    let mut have = 0;
    loop {
        let seen = stream.peek(bytes.get_mut(have..).unwrap_or_default()).await?;
        if seen == 0 {
            let text = "the connection ended before the header of the PROXY protocol did";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        let header = proxy_header::parse(bytes.get(..have + seen).unwrap_or_default());
        let header = header.map_err(io::Error::other)?;
        let taken = header.map_or(have + seen, |header| header.length);
        stream.read_exact(bytes.get_mut(have..taken).unwrap_or_default()).await?;
        have = taken;
        if let Some(header) = header {
            return Ok(header.source);
        }
    }
}
