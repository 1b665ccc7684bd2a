//! The end of a connection whose far side has got its answer and may still send.
//!
//! Where bytes come for a socket that was closed, the system tells the sender that the connection broke, and with that the
//! sender's system throws away an answer that was not read yet. So what still comes is taken, and forgotten where it lies:
//! none of it is copied.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::time::timeout;
use tracing::debug;

use super::{Place, Stream};

/// How long the far side may go on sending; it is gone before that if its place is wanted.
const LONGEST: Duration = Duration::from_secs(10);
/// How long it may say nothing and not close.
const SILENCE: Duration = Duration::from_secs(2);
/// Bytes that are forgotten at a time. Of TCP nothing is ever written there, so that it takes no memory.
static NOWHERE: Mutex<[u8; 256 << 10]> = Mutex::new([0; 256 << 10]);

/// Says that nothing more comes from here, and takes what still comes until the far side has closed.
pub(super) async fn linger(mut stream: Stream, place: &Place) {
    place.leaves();
    let forgotten = async {
        stream.shutdown().await?;
        let mut stream = stream.bare();
        let mut bytes = 0;
        while let Ok(readable) = timeout(SILENCE, stream.readable()).await {
            readable?;
            match forget(&stream) {
                Ok(0) => break,
                Ok(more) => bytes += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    };
    tokio::select! {
        forgotten = timeout(LONGEST, forgotten) => debug!(?forgotten, "what came behind an answer"),
        () = place.is_wanted() => {}
    }
}

fn forget(stream: &Stream) -> io::Result<usize> {
    let mut nowhere = NOWHERE.lock();
    match stream {
        // With this flag, TCP only counts (tcp(7)).
        Stream::Tcp(stream) => stream.try_io(Interest::READABLE, || {
            let (_, bytes) = recv(stream, nowhere.as_mut_slice(), RecvFlags::TRUNC)?;
            Ok(bytes)
        }),
        Stream::Unix(stream) => stream.try_read(nowhere.as_mut_slice()),
        // Nothing is taken out of TLS to be forgotten: it is bare by then.
        Stream::Tls(_) => Ok(0),
    }
}
