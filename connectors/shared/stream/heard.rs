//! A stream that tells its place when something comes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Place;

/// The stream of a connection.
#[derive(Debug)]
pub struct Heard<'a, S> {
    stream: S,
    place: &'a Place,
    /// Whether whatever comes counts as something whole.
    is_whole: bool,
}

impl<'a, S> Heard<'a, S> {
    /// What comes on `stream` is heard at `place`; who knows what a request is says when one is whole.
    pub const fn new(stream: S, place: &'a Place) -> Self {
        Self { stream, place, is_whole: false }
    }

    /// The stream.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// What comes on `stream` is heard at `place` as something whole, where requests have limits of their own.
    pub const fn whole(stream: S, place: &'a Place) -> Self {
        Self { stream, place, is_whole: true }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        let come = into.filled().len() - before;
        if come > 0 {
            this.place.heard(come);
            if this.is_whole {
                this.place.said();
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<'_, S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
