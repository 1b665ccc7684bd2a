//! A valid request of each API and version, as the encoders of `kafka-protocol` write it, with values that matter.

mod cluster;
mod data;
mod groups;
mod topics;
mod transactions;

use bytes::BytesMut;
use kafka_protocol::messages::{ApiKey, RequestHeader, RequestKind};
use kafka_protocol::protocol::Encodable;

use crate::random::Random;

/// A whole request without its length in front; `None` where the encoder refuses those values in that version.
pub(crate) fn frame(key: ApiKey, version: i16, random: &mut Random) -> Option<Vec<u8>> {
    let mut frame = BytesMut::new();
    let header = RequestHeader::default()
        .with_request_api_key(key as i16)
        .with_request_api_version(version)
        .with_correlation_id(random.int())
        .with_client_id(random.maybe(Random::text));
    header.encode(&mut frame, key.request_header_version(version)).ok()?;
    // The encoder writes Produce from version 3 on.
    request(key, version, random)?.encode(&mut frame, version).ok()?;
    Some(frame.to_vec())
}

fn request(key: ApiKey, version: i16, r: &mut Random) -> Option<RequestKind> {
    data::data(key, version, r)
        .or_else(|| groups::groups(key, version, r))
        .or_else(|| topics::topics(key, version, r))
        .or_else(|| cluster::cluster(key, version, r))
        .or_else(|| transactions::transactions(key, version, r))
}
