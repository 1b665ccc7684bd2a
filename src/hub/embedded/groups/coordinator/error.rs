//! What the group coordinator refuses, with Kafka's error codes.

use std::fmt;

/// Why a request of a group member is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupError {
    /// The generation of the request is not that of the group.
    IllegalGeneration,
    /// The member supports no protocol that all members support, or names another than the group's.
    InconsistentGroupProtocol,
    /// The group has no name.
    InvalidGroupId,
    /// The group has no such member: it must join again, without an id.
    UnknownMember,
    /// The session timeout is outside of the limits.
    InvalidSessionTimeout,
    /// The group rebalances: the member must join again.
    RebalanceInProgress,
    /// The group has members, so neither it nor its offsets can be deleted.
    NonEmptyGroup,
    /// There is no such group.
    GroupIdNotFound,
    /// The member must join once more, with the id that it is given.
    MemberIdRequired,
    /// The group has as many members as it may have.
    GroupMaxSizeReached,
    /// Another member has taken over this instance id.
    FencedInstanceId,
    /// A member of the group is subscribed to the topic, so its offsets cannot be deleted.
    GroupSubscribedToTopic,
    /// The request makes no sense, because of this.
    InvalidRequest(&'static str),
    /// A member of the new protocol speaks in a version that does not know of epochs.
    UnsupportedVersion,
    /// The member has missed an epoch: it must give up its partitions and join again.
    FencedMemberEpoch,
    /// Another member has this instance id and has not left.
    UnreleasedInstanceId,
    /// The server has no such assignor.
    UnsupportedAssignor,
    /// The epoch is not the member's; it is told its epoch with the next heartbeat.
    StaleMemberEpoch,
    /// The regular expression of topics is not one of RE2.
    InvalidRegularExpression,
}

impl GroupError {
    /// Kafka's number for it.
    pub(crate) const fn code(self) -> i16 {
        match self {
            Self::IllegalGeneration => 22,
            Self::InconsistentGroupProtocol => 23,
            Self::InvalidGroupId => 24,
            Self::UnknownMember => 25,
            Self::InvalidSessionTimeout => 26,
            Self::RebalanceInProgress => 27,
            Self::NonEmptyGroup => 68,
            Self::GroupIdNotFound => 69,
            Self::MemberIdRequired => 79,
            Self::GroupMaxSizeReached => 81,
            Self::FencedInstanceId => 82,
            Self::GroupSubscribedToTopic => 86,
            Self::InvalidRequest(_) => 42,
            Self::UnsupportedVersion => 35,
            Self::FencedMemberEpoch => 110,
            Self::UnreleasedInstanceId => 111,
            Self::UnsupportedAssignor => 112,
            Self::StaleMemberEpoch => 113,
            Self::InvalidRegularExpression => 128,
        }
    }
}

impl fmt::Display for GroupError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::IllegalGeneration => "the generation is not that of the group",
            Self::InconsistentGroupProtocol => {
                "the group has no protocol in common with the member"
            }
            Self::InvalidGroupId => "the group has no name",
            Self::UnknownMember => "the group has no such member",
            Self::InvalidSessionTimeout => "the session timeout is outside of the limits",
            Self::RebalanceInProgress => "the group rebalances",
            Self::NonEmptyGroup => "the group has members",
            Self::GroupIdNotFound => "there is no such group",
            Self::MemberIdRequired => "the member must join again with the id that it was given",
            Self::GroupMaxSizeReached => "the group has as many members as it may have",
            Self::FencedInstanceId => "another member has taken over the instance id",
            Self::GroupSubscribedToTopic => "a member of the group is subscribed to the topic",
            Self::InvalidRequest(problem) => problem,
            Self::UnsupportedVersion => {
                "members of the new group protocol must use OffsetCommit of version 9 or above"
            }
            Self::FencedMemberEpoch => {
                "the epoch is not the member's; it must give up its partitions and join again"
            }
            Self::UnreleasedInstanceId => "another member has the instance id and has not left",
            Self::UnsupportedAssignor => "the assignor is not one of: uniform, range",
            Self::StaleMemberEpoch => "the epoch is not the member's",
            Self::InvalidRegularExpression => "the regular expression is not one of RE2",
        })
    }
}

impl std::error::Error for GroupError {}
