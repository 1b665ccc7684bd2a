//! `ApiVersions`: what is served, and what is refused in words.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::Call;
use super::refused::REFUSED;
use super::reply::frame;
use super::table::APIS;

pub(super) async fn api_versions(
    _call: Arc<Call>,
    _request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    response()
}

fn response() -> ApiVersionsResponse {
    let served = APIS.iter().map(|api| (api.key as i16, api.advertised));
    let is_served = |key: i16| APIS.iter().any(|api| api.key as i16 == key);
    let refused = REFUSED.iter().filter(|api| !is_served(api.key));
    let refused = refused.map(|api| (api.key, api.versions));
    let mut all: Vec<_> = served.chain(refused).collect();
    all.sort_unstable();
    let keys = all.into_iter().map(|(key, (first, last))| {
        let api = ApiVersion::default().with_api_key(key);
        api.with_min_version(first).with_max_version(last)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect()).with_finalized_features_epoch(-1)
}

/// The answer to a version that is not known: in version 0, whatever was asked for (KIP-511).
pub(super) fn unsupported(correlation: i32) -> Option<Bytes> {
    let answer = response().with_error_code(ResponseError::UnsupportedVersion.code());
    frame(correlation, false, 0, &answer)
}
