//! `ConsumerGroupHeartbeat`: consumer groups of the new kind (KIP-848) are not served, and it is said.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use kafka_protocol::protocol::StrBytes;

use super::Call;

const ADVICE: &str =
    "groups of the new protocol (KIP-848) are not served here; set group.protocol=classic";

/// Refuses: a client that gets no answer at all, or finds the API missing, waits in silence.
pub(super) async fn heartbeat(
    _call: Arc<Call>,
    _request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse::default()
        .with_error_code(Code::UnsupportedVersion.code())
        .with_error_message(Some(StrBytes::from_static_str(ADVICE)))
}
