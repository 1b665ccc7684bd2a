//! Topics by their ids, which each server gives in its own way. Source: KIP-516.

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{ApiKey, MetadataRequest, RequestKind, ResponseKind, TopicName};
use uuid::Uuid;

use super::ask;

/// The last version of Fetch, and of Produce, that names topics by their names.
pub(super) const LAST_BY_NAME: i16 = 12;

/// The request with ids where it has names and its version wants ids.
pub(super) fn by_id(address: &str, version: i16, request: &RequestKind) -> RequestKind {
    let mut request = request.clone();
    if let RequestKind::Fetch(fetch) = &mut request
        && version > LAST_BY_NAME
    {
        // What has its id already keeps it; what is not there gets one that nobody has.
        for topic in fetch.topics.iter_mut().filter(|topic| topic.topic_id.is_nil()) {
            topic.topic_id = id(address, &topic.topic).unwrap_or(Uuid::from_u128(77));
            topic.topic = TopicName::default();
        }
    }
    if let RequestKind::Produce(produce) = &mut request
        && version > LAST_BY_NAME
    {
        for topic in &mut produce.topic_data {
            topic.topic_id = id(address, &topic.name).unwrap_or(Uuid::from_u128(77));
            topic.name = TopicName::default();
        }
    }
    request
}

/// The id of the topic with that name, if there is one.
pub(super) fn id(address: &str, name: &TopicName) -> Option<Uuid> {
    let wanted = MetadataRequestTopic::default().with_name(Some(name.clone()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![wanted]))
        .with_allow_auto_topic_creation(false);
    let answer = ask(address, ApiKey::Metadata, 12, &RequestKind::Metadata(request));
    let Some(ResponseKind::Metadata(answer)) = answer else { panic!("no metadata") };
    answer.topics.first().filter(|topic| topic.error_code == 0).map(|topic| topic.topic_id)
}
