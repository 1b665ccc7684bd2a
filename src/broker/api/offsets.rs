//! `OffsetCommit`, `OffsetFetch`, `OffsetDelete`: where groups are.

use std::collections::BTreeMap;
use std::sync::Arc;

use anabranch_record::TopicPartition;
use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Call;
use super::by_id::{BY_ID_FROM, id_of};
use super::metadata::code_of;
use crate::auth::acl::{Operation, Resource};
use crate::hub::embedded::Committed;
use crate::hub::embedded::groups::coordinator::{Claim, GroupError};
use crate::hub::{HubError, Offset};

/// Longest metadata of a commit (Kafka's `offset.metadata.max.bytes`).
pub(super) const METADATA_MAX: usize = 4096;

pub(super) async fn commit(call: Arc<Call>, request: OffsetCommitRequest) -> OffsetCommitResponse {
    let group = request.group_id.to_string();
    let instance_id = request.group_instance_id.map(|id| id.to_string());
    let claim = Claim {
        group: &group,
        generation: request.generation_id_or_member_epoch,
        member_id: &request.member_id,
        instance_id: instance_id.as_deref(),
    };
    let denied = !call.may(Operation::Read, Resource::group(&group));
    let denied = denied.then(|| Code::GroupAuthorizationFailed.code());
    let refused = if denied.is_none() { refusal(&call, claim, &request.topics) } else { None };
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let (name, is_unknown) = name_of(&call, &topic.name);
        let may_read = is_unknown || call.may(Operation::Read, Resource::topic(&name));
        let state = call.hub().topic_state(&name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for one in topic.partitions {
            let metadata = one.committed_metadata.map(|text| text.to_string()).unwrap_or_default();
            let known =
                state.as_ref().is_some_and(|state| state.partition(one.partition_index).is_some());
            let code = match denied {
                Some(code) => code,
                None if is_unknown => Code::UnknownTopicId.code(),
                None if !may_read => Code::TopicAuthorizationFailed.code(),
                None if !known => Code::UnknownTopicOrPartition.code(),
                None if refused.is_some() => refused.unwrap_or_default(),
                None if metadata.len() > METADATA_MAX => Code::OffsetMetadataTooLarge.code(),
                None => {
                    let offset = Offset {
                        topic: name.clone(),
                        partition: one.partition_index,
                        offset: one.committed_offset,
                        epoch: one.committed_leader_epoch,
                    };
                    offsets.push((offset, metadata));
                    0
                }
            };
            partitions.push(
                OffsetCommitResponsePartition::default()
                    .with_partition_index(one.partition_index)
                    .with_error_code(code),
            );
        }
        let answer = OffsetCommitResponseTopic::default();
        topics.push(answer.with_name(topic.name).with_partitions(partitions));
    }
    if !offsets.is_empty() && store(&call, &group, offsets).await.is_err() {
        for partition in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.error_code = Code::CoordinatorNotAvailable.code();
        }
    }
    OffsetCommitResponse::default().with_topics(topics)
}

/// The name of a topic that a request names, by its id in the last versions; and whether there is none of that id.
fn name_of(call: &Call, named: &str) -> (String, bool) {
    if call.version < BY_ID_FROM {
        return (named.to_owned(), false);
    }
    let state = id_of(named).and_then(|id| call.hub().topic_by_id(id));
    state.map_or((String::new(), true), |state| (state.topic.name.clone(), false))
}

/// Why somebody may not commit, as Kafka's number for it.
fn refusal(call: &Call, claim: Claim<'_>, topics: &[OffsetCommitRequestTopic]) -> Option<i16> {
    // From version 9 on the generation is a member's epoch where there are epochs.
    let knows_epochs = call.version >= 9;
    let places = topics.iter().flat_map(|topic| {
        let (name, _) = name_of(call, &topic.name);
        topic.partitions.iter().map(move |one| TopicPartition::new(&*name, one.partition_index))
    });
    let places: Vec<TopicPartition> = places.collect();
    let members = call.hub().members();
    let allowed = members.ask(|all, now| all.check_commit(now, claim, (&places, knows_epochs)));
    let error = allowed.err()?;
    let is_there = is_known(call, claim.group) || call.hub().has_offsets(claim.group);
    if error == GroupError::IllegalGeneration && knows_epochs && !is_there {
        // So it is told since version 9 (KIP-848).
        return Some(GroupError::GroupIdNotFound.code());
    }
    Some(group_code(call, claim.group, error))
}

/// Commits; what waits for the end of a transaction is older, and cannot win any more.
async fn store(call: &Call, group: &str, offsets: Vec<(Offset, String)>) -> Result<(), HubError> {
    let name = |(offset, _): &(Offset, String)| TopicPartition {
        topic: offset.topic.clone(),
        partition: offset.partition,
    };
    let names: Vec<TopicPartition> = offsets.iter().map(name).collect();
    call.hub().commit_offsets(group, offsets).await?;
    call.hub().forget_pending(group, Some(&names)).await
}

/// Kafka's number for the refusal of a commit. A group that has only offsets has no members; the coordinator does not
/// know it.
pub(super) fn group_code(call: &Call, group: &str, error: GroupError) -> i16 {
    let is_memberless = error == GroupError::IllegalGeneration
        && !is_known(call, group)
        && call.hub().has_offsets(group);
    if is_memberless { GroupError::UnknownMember.code() } else { error.code() }
}

/// Whether the coordinator knows a group: it has or had members.
fn is_known(call: &Call, group: &str) -> bool {
    call.hub().members().ask(|coordinators, _| coordinators.knows(group))
}

type CommittedOffsets = BTreeMap<TopicPartition, Committed>;

/// What a group has committed for one partition.
struct Found {
    offset: i64,
    epoch: i32,
    metadata: StrBytes,
    code: i16,
}

impl Found {
    const fn nothing(code: i16) -> Self {
        Self { offset: -1, epoch: -1, metadata: StrBytes::new(), code }
    }
}

/// What an answer calls a topic; `None` for one that is gone where ids are told.
fn told(call: &Call, topic: TopicName) -> Option<TopicName> {
    if call.version < BY_ID_FROM {
        return Some(topic);
    }
    let id = call.hub().topic_state(&topic)?.wire_id;
    Some(TopicName(StrBytes::from_string(super::by_id::name_of(id))))
}

fn find(
    call: &Call,
    group: &str,
    committed: &CommittedOffsets,
    name: &TopicPartition,
    stable: bool,
) -> Found {
    let nothing = Found::nothing;
    if !call.may(Operation::Describe, Resource::topic(&name.topic)) {
        return nothing(Code::TopicAuthorizationFailed.code());
    }
    if stable && call.hub().is_pending(group, name) {
        return nothing(Code::UnstableOffsetCommit.code());
    }
    match committed.get(name) {
        None => nothing(0),
        Some(found) => Found {
            offset: found.offset,
            epoch: found.epoch,
            metadata: StrBytes::from_string(found.metadata.clone()),
            code: 0,
        },
    }
}

/// The partitions that are asked for, by topic; all that were committed when none are named.
fn asked(
    call: &Call,
    named: Option<Vec<(TopicName, Vec<i32>)>>,
    committed: &CommittedOffsets,
) -> Vec<(TopicName, Vec<i32>)> {
    if let Some(named) = named {
        return named;
    }
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for name in committed.keys() {
        topics.entry(&name.topic).or_default().push(name.partition);
    }
    let name = |topic: &str| TopicName(StrBytes::from_string(topic.to_owned()));
    topics.retain(|topic, _| call.may(Operation::Describe, Resource::topic(topic)));
    topics.into_iter().map(|(topic, partitions)| (name(topic), partitions)).collect()
}

pub(super) async fn fetch(call: Arc<Call>, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if call.version < 8 {
        return fetch_one(&call, request);
    }
    let stable = request.require_stable;
    let groups = request.groups.into_iter().map(|wanted| {
        let group = wanted.group_id.to_string();
        if !call.may(Operation::Describe, Resource::group(&group)) {
            return OffsetFetchResponseGroup::default()
                .with_group_id(wanted.group_id)
                .with_error_code(Code::GroupAuthorizationFailed.code());
        }
        let member_id = wanted.member_id.as_deref();
        let members = call.hub().members();
        let checked = members.ask(|all, _| all.check_fetch(&group, member_id, wanted.member_epoch));
        if let Err(error) = checked {
            return OffsetFetchResponseGroup::default()
                .with_group_id(wanted.group_id)
                .with_error_code(error.code());
        }
        let committed = call.hub().committed(&group).unwrap_or_default();
        let named = wanted.topics.map(|topics| {
            topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
        });
        let is_asked = named.is_some();
        let asked = asked(&call, named, &committed).into_iter();
        let asked = asked.filter_map(|(topic, numbers)| {
            Some((if is_asked { topic } else { told(&call, topic)? }, numbers))
        });
        let topics = asked.map(|(topic, numbers)| {
            let (name, is_unknown) = name_of(&call, &topic);
            let partitions = numbers.into_iter().map(|partition| {
                let found = if is_unknown {
                    Found::nothing(Code::UnknownTopicId.code())
                } else {
                    let name = TopicPartition { topic: name.clone(), partition };
                    find(&call, &group, &committed, &name, stable)
                };
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(partition)
                    .with_committed_offset(found.offset)
                    .with_committed_leader_epoch(found.epoch)
                    .with_metadata(Some(found.metadata))
                    .with_error_code(found.code)
            });
            let partitions = partitions.collect();
            OffsetFetchResponseTopics::default().with_name(topic).with_partitions(partitions)
        });
        let topics = topics.collect();
        OffsetFetchResponseGroup::default().with_group_id(wanted.group_id).with_topics(topics)
    });
    OffsetFetchResponse::default().with_groups(groups.collect())
}

fn fetch_one(call: &Call, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let group = request.group_id.to_string();
    let committed = call.hub().committed(&group).unwrap_or_default();
    let named = request.topics.filter(|topics| call.version >= 2 || !topics.is_empty());
    let named = named.map(|topics| {
        topics.into_iter().map(|topic| (topic.name, topic.partition_indexes)).collect()
    });
    let refused = (!call.may(Operation::Describe, Resource::group(&group)))
        .then(|| Code::GroupAuthorizationFailed.code());
    if let Some(code) = refused.filter(|_| call.version >= 2) {
        return OffsetFetchResponse::default().with_error_code(code);
    }
    let topics = asked(call, named, &committed).into_iter().map(|(topic, numbers)| {
        let partitions = numbers.into_iter().map(|partition| {
            let name = TopicPartition { topic: topic.to_string(), partition };
            let found = match refused {
                Some(code) => Found { offset: -1, epoch: -1, metadata: StrBytes::new(), code },
                None => find(call, &group, &committed, &name, request.require_stable),
            };
            OffsetFetchResponsePartition::default()
                .with_partition_index(partition)
                .with_committed_offset(found.offset)
                .with_committed_leader_epoch(found.epoch)
                .with_metadata(Some(found.metadata))
                .with_error_code(found.code)
        });
        let partitions = partitions.collect();
        OffsetFetchResponseTopic::default().with_name(topic).with_partitions(partitions)
    });
    OffsetFetchResponse::default().with_topics(topics.collect())
}

pub(super) async fn delete(call: Arc<Call>, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let group = request.group_id.to_string();
    if !call.may(Operation::Delete, Resource::group(&group)) {
        let code = Code::GroupAuthorizationFailed.code();
        return OffsetDeleteResponse::default().with_error_code(code);
    }
    let may_delete = |topic: &str| {
        let members = call.hub().members();
        let allowed = members.ask(|coordinator, _| coordinator.may_delete_offsets(&group, topic));
        // A group that has only offsets is not known to the coordinator.
        let is_known = call.hub().has_offsets(&group);
        allowed.err().filter(|error| !is_known || *error != GroupError::GroupIdNotFound)
    };
    let fatal = [GroupError::GroupIdNotFound, GroupError::NonEmptyGroup];
    if let Some(error) = may_delete("").filter(|error| fatal.contains(error)) {
        return OffsetDeleteResponse::default().with_error_code(error.code());
    }
    let (mut gone, mut topics) = (Vec::new(), Vec::with_capacity(request.topics.len()));
    for topic in request.topics {
        let refused = may_delete(&topic.name);
        let is_there = call.hub().topic_state(&topic.name).is_some();
        let may_read = call.may(Operation::Read, Resource::topic(&topic.name));
        let partitions = topic.partitions.into_iter().map(|one| {
            let partition = one.partition_index;
            let name = TopicPartition { topic: topic.name.to_string(), partition };
            let code = if !may_read {
                Code::TopicAuthorizationFailed.code()
            } else if !is_there {
                Code::UnknownTopicOrPartition.code()
            } else if let Some(error) = refused {
                error.code()
            } else {
                gone.push(name);
                0
            };
            let answer = OffsetDeleteResponsePartition::default();
            answer.with_partition_index(partition).with_error_code(code)
        });
        let partitions = partitions.collect();
        topics.push(
            OffsetDeleteResponseTopic::default().with_name(topic.name).with_partitions(partitions),
        );
    }
    let code = match call.hub().forget_offsets(&group, Some(gone)).await {
        Ok(()) => 0,
        Err(error) => code_of(&error).code(),
    };
    OffsetDeleteResponse::default().with_error_code(code).with_topics(topics)
}
