//! Takes a body in, decompressed and within its limits.

use std::io::{self, Read};
use std::time::Duration;

use anabranch_record::{Buffer, Pool};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, EXPECT, HeaderMap};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::debug;

use super::answer::Refusal;
use crate::contract::memory::{Arriving, NoRoom};
use crate::shared::stream::Place;

/// So much of a refused body is read, and for so long.
pub(super) const REST: (usize, Duration) = (64 << 10, Duration::from_millis(100));
/// How long a body waits for memory while it is decompressed.
const ROOM_WAIT: Duration = Duration::from_secs(2);
/// A body of so many bytes gets a buffer that was used before.
const LARGE: usize = 512 << 10;
/// So much of a body at once is of one who sends fast, bytes.
const FAST: usize = Arriving::FIRST / 2;
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

/// What is said where there is no memory.
fn no_room(reason: NoRoom) -> Refusal {
    Refusal::busy(format!("{reason}; nothing of it was taken, send all of it again in a second"))
}

/// Makes room for a body of so many bytes; while there is none, it waits a while for others to be stored.
async fn make_room(held: &mut Arriving, bytes: usize, place: &Place) -> Result<(), Refusal> {
    if held.has(bytes) {
        return Ok(());
    }
    if held.is_hopeless(bytes) {
        return Err(no_room(NoRoom));
    }
    // It is not silent because it is not read.
    let _work = place.work();
    let made = held.make_room(bytes).await.map_err(no_room);
    place.heard(0);
    made
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
    (held, place): (&mut Arriving, &Place),
) -> Result<Buffer, Refusal> {
    let announced = announced(body);
    if announced > max {
        return Err(too_large(max));
    }
    // One that was used before may be large: not for those who still wait for room, or bring little.
    let mut data = Buffer::default();
    while let Some(frame) = next(body, &mut data, held).await {
        let broken =
            |error| Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"));
        let Ok(part) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        let bytes = data.len() + part.len();
        if bytes > max {
            return Err(too_large(max));
        }
        make_room(held, bytes, place).await?;
        if data.capacity() < bytes {
            let room = held.room().max(bytes);
            if room >= LARGE && data.capacity() < LARGE {
                let begun = std::mem::replace(&mut data, pool.take());
                data.extend_from_slice(&begun);
            }
            let more = room - data.len();
            data.reserve_exact(more);
        }
        data.extend_from_slice(&part);
        drop(part);
        if !body.is_end_stream() {
            // No more of it is read before there is room for it. Who sends fast fills what the connection reads at once,
            // and that grows: he gets his room before that does.
            let next = if bytes >= FAST { bytes.max(Arriving::FIRST) } else { bytes };
            make_room(held, next + 1, place).await?;
        }
    }
    Ok(data)
}

/// How long a body says that it is; 0 where it does not say.
pub(super) fn announced(body: &Incoming) -> usize {
    body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
}

/// The next piece of a body. When it is long in coming, others get the room that was kept for the rest.
async fn next(
    body: &mut Incoming,
    data: &mut Buffer,
    held: &mut Arriving,
) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    if !held.has_paused() {
        if let Ok(frame) = timeout(Arriving::PAUSE, body.frame()).await {
            return frame;
        }
        held.pause(data.len());
        let bytes = data.len();
        data.shrink_to(bytes);
    }
    body.frame().await
}

/// Whether a body that is refused has come to its end. What little is left of it is read, so that the connection can go on.
/// A client that waits for leave to send is not given it.
pub(super) async fn is_whole(body: &mut Incoming, headers: &HeaderMap) -> bool {
    if !headers.contains_key(EXPECT) {
        let rest = async {
            let mut left = REST.0;
            while let Some(Ok(frame)) = body.frame().await {
                left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                if left == 0 {
                    return;
                }
            }
        };
        let in_time = timeout(REST.1, rest).await.is_ok();
        debug!(in_time, "the rest of a refused body");
    }
    body.is_end_stream()
}

/// Decompresses a body.
pub(super) fn decompress(
    data: Buffer,
    encoding: Encoding,
    max: usize,
    pool: &Pool,
    held: &mut Arriving,
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
    Ok(plain.fitted())
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
    held: &mut Arriving,
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
        let more = held.rest();
        if !more.try_grow(read) {
            let wait = Handle::current().block_on(timeout(ROOM_WAIT, more.grow(read)));
            wait.map_err(|_elapsed| no_room(NoRoom))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zlib_is_told_from_a_bare_deflate_stream() {
        for (data, expected) in
            [(&[0x78, 0x9c][..], true), (&[0x78, 0x01], true), (&[0x4b, 0x4c], false), (&[], false)]
        {
            assert_eq!(is_zlib(data), expected, "{data:x?}");
        }
    }
}
