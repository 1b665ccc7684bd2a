//! Takes a body in, decompressed and within its limits.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, EXPECT, HeaderMap};
use tracing::debug;

use super::answer::Refusal;
use crate::room::Room;
use crate::{Buffer, Pool};

/// Room that is made for a body before its bytes are there.
const RESERVE_MAX: usize = 64 << 10;
/// A body that is refused is read on, up to so many times its limit, so that the client sees the answer.
const DISCARD_FACTOR: usize = 4;
/// How long that may take.
const DISCARD_WAIT: Duration = Duration::from_secs(2);
/// Decompressed in steps of so many bytes, each of which is counted.
const STEP_BYTES: u64 = 1 << 20;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
}

impl Encoding {
    /// As the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(name) = headers.get(CONTENT_ENCODING) else {
            return Ok(Self::Identity);
        };
        match name.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Ok(Self::Identity),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"deflate" => Ok(Self::Deflate),
            b"zstd" => Ok(Self::Zstd),
            _ => {
                let message = "the content encoding is not served; use gzip, deflate, zstd or none";
                Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
                    .with(ACCEPT_ENCODING, "gzip, deflate, zstd"))
            }
        }
    }
}

/// Bytes of bodies that may be held at a time, over all requests: a part of the agent's memory for what is under way, so
/// that bodies which do not end leave room for other sources.
#[derive(Debug)]
pub(super) struct Bodies {
    held: AtomicUsize,
    max: usize,
}

impl Bodies {
    pub(super) const fn new(max: usize) -> Self {
        Self { held: AtomicUsize::new(0), max }
    }
}

/// What one request holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    bodies: Arc<Bodies>,
    bytes: usize,
    /// Its part of `buffer_memory`.
    pub(super) room: Room,
}

impl Held {
    pub(super) const fn nothing(bodies: Arc<Bodies>, room: Room) -> Self {
        Self { bodies, bytes: 0, room }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.bodies.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.bodies.max || !self.room.grow(bytes) {
            let message = "there is no memory for this body now (producer.buffer_memory); nothing of it was taken, \
                send all of it again in a second";
            return Err(Refusal::busy(message));
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.bodies.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn too_large(max: usize) -> Refusal {
    let message = format!("the body is larger than {max} bytes; send smaller ones");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

/// Reads a whole body, as it comes, into one buffer.
pub(super) async fn collect(
    body: &mut Incoming,
    max: usize,
    pool: &Pool,
    held: &mut Held,
) -> Result<Buffer, Refusal> {
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    if announced.is_some_and(|bytes| bytes > max) {
        return Err(too_large(max));
    }
    let mut data = pool.take();
    data.reserve(announced.unwrap_or(0).min(RESERVE_MAX));
    while let Some(frame) = body.frame().await {
        let broken =
            |error| Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"));
        let Ok(part) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if data.len() + part.len() > max {
            return Err(too_large(max));
        }
        held.grow(part.len())?;
        data.extend_from_slice(&part);
    }
    Ok(data)
}

/// Reads the rest of a body that is refused, so that the client has sent everything when the answer comes. A client that
/// waits for leave to send is not given it.
pub(super) async fn discard(body: &mut Incoming, headers: &HeaderMap, max: usize) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut left = max.saturating_mul(DISCARD_FACTOR);
    let discarded = tokio::time::timeout(DISCARD_WAIT, async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |part| part.len()));
            if left == 0 {
                return;
            }
        }
    });
    let in_time = discarded.await.is_ok();
    debug!(in_time, "refused body discarded");
}

/// Decompresses a body.
pub(super) fn decompress(
    data: Buffer,
    encoding: Encoding,
    max: usize,
    pool: &Pool,
    held: &mut Held,
) -> Result<Buffer, Refusal> {
    let input = data.as_slice();
    let plain = match encoding {
        Encoding::Identity => return Ok(data),
        Encoding::Gzip => expand(MultiGzDecoder::new(input), max, pool, held)?,
        Encoding::Deflate if is_zlib(input) => expand(ZlibDecoder::new(input), max, pool, held)?,
        Encoding::Deflate => expand(DeflateDecoder::new(input), max, pool, held)?,
        Encoding::Zstd => {
            let decoder = zstd::Decoder::with_buffer(input).map_err(|error| malformed(&error))?;
            expand(decoder, max, pool, held)?
        }
    };
    Ok(plain)
}

/// `deflate` means zlib's format, but some send the bare stream.
fn is_zlib(data: &[u8]) -> bool {
    match data.first_chunk::<2>() {
        Some(&[first, second]) => {
            first & 0x0f == 8 && u16::from_be_bytes([first, second]).is_multiple_of(31)
        }
        None => false,
    }
}

fn malformed(error: &io::Error) -> Refusal {
    let message = format!("the compressed body is malformed: {error}");
    Refusal::new(StatusCode::BAD_REQUEST, message)
}

fn expand(
    mut decoder: impl Read,
    max: usize,
    pool: &Pool,
    held: &mut Held,
) -> Result<Buffer, Refusal> {
    let mut plain = pool.take();
    loop {
        let mut step = decoder.by_ref().take(STEP_BYTES);
        let read = step.read_to_end(&mut plain).map_err(|error| malformed(&error))?;
        if plain.len() > max {
            return Err(too_large(max));
        }
        if read == 0 {
            return Ok(plain);
        }
        held.grow(read)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Emitter;

    #[test]
    fn what_is_under_way_has_a_bound_and_is_given_back() {
        let (emitter, _outlet) = Emitter::channel(1);
        let bodies = Arc::new(Bodies::new(100));
        let held = || Held::nothing(Arc::clone(&bodies), emitter.room());
        let (mut first, mut second) = (held(), held());
        first.grow(60).unwrap();
        assert_eq!(second.grow(60).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        drop(second);
        first.grow(40).unwrap();
        drop(first);
        assert_eq!(bodies.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn zlib_is_told_from_a_bare_deflate_stream() {
        for (data, expected) in
            [(&[0x78, 0x9c][..], true), (&[0x78, 0x01], true), (&[0x4b, 0x4c], false), (&[], false)]
        {
            assert_eq!(is_zlib(data), expected, "{data:x?}");
        }
    }
}
