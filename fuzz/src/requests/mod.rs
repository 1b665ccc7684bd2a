//! A valid request of each API and version, as the encoders of `kafka-protocol` write it, with values that matter.

mod admin;
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
    // The encoder writes Produce from version 3 on, and does not know the last versions of some.
    let coded = version.min(last_coded(key));
    request(key, coded, random)?.encode(&mut frame, coded).ok()?;
    Some(frame.to_vec())
}

/// The last version that the encoder writes; it says 10 of offsets, and writes 9.
pub(crate) fn last_coded(key: ApiKey) -> i16 {
    let is_offsets = matches!(key, ApiKey::OffsetCommit | ApiKey::OffsetFetch);
    if is_offsets { 9 } else { key.valid_versions().max }
}

fn request(key: ApiKey, version: i16, r: &mut Random) -> Option<RequestKind> {
    data::data(key, version, r)
        .or_else(|| groups::groups(key, version, r))
        .or_else(|| topics::topics(key, version, r))
        .or_else(|| cluster::cluster(key, version, r))
        .or_else(|| transactions::transactions(key, version, r))
        .or_else(|| admin::admin(key, version, r))
        .or_else(|| admin::refused(key))
}
