//! `DescribeShareGroupOffsets`: there are no share groups (KIP-932), and it is said for each that is asked for.

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseGroup as Group;
use kafka_protocol::messages::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::refused::NO_SHARES;

pub(super) async fn describe(
    _call: Arc<Call>,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let groups = request.groups.into_iter().map(|group| {
        Group::default()
            .with_group_id(group.group_id)
            .with_error_code(Code::UnsupportedVersion.code())
            .with_error_message(Some(StrBytes::from_static_str(NO_SHARES)))
    });
    DescribeShareGroupOffsetsResponse::default().with_groups(groups.collect())
}
