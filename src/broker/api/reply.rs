//! What goes back: an answer, its frame, and when it is made.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable};

use super::{Call, by_id};
use crate::broker::outlet::Piece;

/// What goes back.
pub(in crate::broker) enum Reply {
    /// A whole frame.
    Frame(Bytes),
    /// A whole frame in pieces.
    Pieces(Vec<Piece>),
    /// Nothing: the client has asked for no answer.
    Nothing,
    /// A whole frame, and then the connection ends.
    Last(Bytes),
    /// The connection ends.
    Close,
}

/// An answer that is under way.
pub(in crate::broker) type Pending = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Decodes now and answers when its turn has come.
pub(super) fn later<Q, A, F, H>(call: Arc<Call>, mut body: Bytes, handler: H) -> Option<Pending>
where
    Q: Decodable + Send + 'static,
    A: Encodable,
    F: Future<Output = A> + Send + 'static,
    H: FnOnce(Arc<Call>, Q) -> F + Send + 'static,
{
    let request = Q::decode(&mut body, call.coded).ok()?;
    Some(Box::pin(async move {
        let answer = handler(Arc::clone(&call), request).await;
        encode(&call, &answer)
    }))
}

/// The same, where the last version names topics by their ids.
pub(super) fn later_by_id<Q, A, F, H>(
    call: Arc<Call>,
    body: Bytes,
    layouts: by_id::Layouts,
    handler: H,
) -> Option<Pending>
where
    Q: Decodable + Send + 'static,
    A: Encodable,
    F: Future<Output = A> + Send + 'static,
    H: FnOnce(Arc<Call>, Q) -> F + Send + 'static,
{
    if call.version < by_id::BY_ID_FROM {
        return later(call, body, handler);
    }
    let mut body = by_id::named(layouts, &body)?;
    let request = Q::decode(&mut body, call.coded).ok()?;
    Some(Box::pin(async move {
        let answer = handler(Arc::clone(&call), request).await;
        let mut body = BytesMut::new();
        let encoded = answer.encode(&mut body, call.coded).ok();
        let body = encoded.and_then(|()| by_id::identified(layouts, &body));
        body.and_then(|body| whole(call.correlation, &body)).map_or(Reply::Close, Reply::Frame)
    }))
}

/// The frame of an answer of a flexible version.
pub(super) fn whole(correlation: i32, body: &[u8]) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(9 + body.len());
    frame.put_i32(i32::try_from(5 + body.len()).ok()?);
    frame.put_i32(correlation);
    frame.put_u8(0);
    frame.put_slice(body);
    Some(frame.freeze())
}

/// The frame of an answer.
pub(super) fn encode<A: Encodable>(call: &Call, answer: &A) -> Reply {
    // `ApiVersions` is answered with the plain header in every version.
    let tagged = call.flexible && call.key != ApiKey::ApiVersions;
    match frame(call.correlation, tagged, call.coded, answer) {
        Some(frame) => Reply::Frame(frame),
        None => {
            tracing::error!(api = ?call.key, version = call.version, "an answer cannot be encoded");
            Reply::Close
        }
    }
}

pub(super) fn frame<A: Encodable>(
    correlation: i32,
    tagged: bool,
    version: i16,
    answer: &A,
) -> Option<Bytes> {
    let body = answer.compute_size(version).ok()?;
    let head = 4 + usize::from(tagged);
    let mut frame = BytesMut::with_capacity(4 + head + body);
    frame.put_i32(i32::try_from(head + body).ok()?);
    frame.put_i32(correlation);
    if tagged {
        frame.put_u8(0);
    }
    answer.encode(&mut frame, version).ok()?;
    Some(frame.freeze())
}
