//! `ApiVersions`: what is served.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{APIS, Call, frame};

pub(super) async fn api_versions(
    _call: Arc<Call>,
    _request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    response()
}

fn response() -> ApiVersionsResponse {
    let keys = APIS.iter().map(|api| {
        ApiVersion::default()
            .with_api_key(api.key as i16)
            .with_min_version(api.advertised.0)
            .with_max_version(api.advertised.1)
    });
    ApiVersionsResponse::default().with_api_keys(keys.collect()).with_finalized_features_epoch(-1)
}

/// The answer to a version that is not known: in version 0, whatever was asked for (KIP-511).
pub(super) fn unsupported(correlation: i32) -> Option<Bytes> {
    let answer = response().with_error_code(ResponseError::UnsupportedVersion.code());
    frame(correlation, false, 0, &answer)
}
