//! `DeleteTopics`: by name, or by id from version 6 on (KIP-516).

use std::sync::Arc;

use kafka_protocol::error::ResponseError as Code;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::Call;
use super::metadata::code_of;
use super::topics::denied;
use crate::auth::acl::{Operation, Resource};
use crate::hub::Hub;
use crate::hub::embedded::TopicState;

/// A refusal, with words for a person.
type Refused = (Code, String);

pub(super) async fn delete(call: Arc<Call>, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let by_name = request.topic_names.into_iter().map(|name| (Some(name), Uuid::nil()));
    let one = |one: DeleteTopicState| (one.name, one.topic_id);
    let wanted: Vec<_> = by_name.chain(request.topics.into_iter().map(one)).collect();
    let mut responses: Vec<DeletableTopicResult> = Vec::with_capacity(wanted.len());
    for (name, id) in &wanted {
        let is_twice = name.is_some() && wanted.iter().filter(|one| one.0 == *name).count() > 1;
        if is_twice && responses.iter().any(|one| one.name == *name) {
            continue;
        }
        let found = match (name, id.is_nil()) {
            (Some(_), false) => invalid("You may not specify both topic name and topic id."),
            (None, true) => invalid("Neither topic name nor id were specified."),
            (Some(_), true) if is_twice => invalid("Duplicate topic name."),
            (Some(name), true) => by_its_name(&call, name),
            (None, false) => by_its_id(&call, *id),
        };
        let state = found.as_ref().ok().cloned();
        let done = match found {
            Ok(state) => delete_one(&call, &state).await,
            Err(refused) => Err(refused),
        };
        let (code, why) = match done {
            Ok(()) => (0, None),
            Err((code, why)) => (code.code(), Some(StrBytes::from_string(why))),
        };
        let shown =
            state.as_ref().map(|state| TopicName(StrBytes::from_string(state.topic.name.clone())));
        responses.push(
            DeletableTopicResult::default()
                .with_name(name.clone().or(shown))
                .with_topic_id(state.map_or(*id, |state| state.wire_id))
                .with_error_code(code)
                .with_error_message(why),
        );
    }
    DeleteTopicsResponse::default().with_responses(responses)
}

fn invalid<T>(why: &str) -> Result<T, Refused> {
    Err((Code::InvalidRequest, why.to_owned()))
}

/// A topic that the client may delete; nothing is told of those that it may not.
fn by_its_name(call: &Call, name: &str) -> Result<Arc<TopicState>, Refused> {
    if !call.may(Operation::Delete, Resource::topic(name)) {
        return Err(denied());
    }
    call.hub().topic_state(name).ok_or_else(|| {
        let why = "This server does not host this topic-partition.";
        (Code::UnknownTopicOrPartition, why.to_owned())
    })
}

fn by_its_id(call: &Call, id: Uuid) -> Result<Arc<TopicState>, Refused> {
    let is_visible =
        |state: &Arc<TopicState>| call.may(Operation::Describe, Resource::topic(&state.topic.name));
    call.hub().topic_by_id(id).filter(is_visible).ok_or_else(|| {
        (Code::UnknownTopicId, "This server does not host this topic ID.".to_owned())
    })
}

async fn delete_one(call: &Call, state: &TopicState) -> Result<(), Refused> {
    let name = &state.topic.name;
    if !call.may(Operation::Delete, Resource::topic(name)) {
        return Err(denied());
    }
    if state.is_internal() {
        return Err((Code::InvalidTopicException, format!("{name} is the hub's own")));
    }
    let deleted = call.hub().delete_topic(name).await;
    deleted.map_err(|error| (code_of(&error), error.to_string()))
}
