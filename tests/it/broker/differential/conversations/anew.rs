//! A topic is deleted and made anew: who still has the old one's id is told so, and does not read the new one.

use kafka_protocol::messages::{ApiKey, FetchRequest, TopicName};
use uuid::Uuid;

use super::player::Player;
use super::topic::{self, batch, fetch, produce};

pub(super) fn play(player: &mut Player) {
    player.at_least(&[(ApiKey::Fetch, 13)]);
    let name = topic::make(player);
    let old = player.topic_id(&name).expect("the topic is there");
    let records = batch((-1, -1, -1), 3, false);
    player.ask("write", produce((&name, 0), None, &records));
    player.ask("read", fetch_from(old, &name, 2));
    topic::unmake(player, &name);
    player.wait_until_gone(&name);
    player.ask("read when it is gone", fetch_from(old, &name, 2));
    topic::make(player);
    let new = player.topic_id(&name).expect("the topic is there again");
    assert_ne!(old, new);
    player.ask("read the old one", fetch_from(old, &name, 2));
    player.ask("read the new one, which is empty", fetch_from(new, &name, 0));
    player.ask("write to the new one", produce((&name, 0), None, &records));
    player.ask("read the new one", fetch_from(new, &name, 0));
    player.ask("read behind its end", fetch_from(new, &name, 4));
    topic::unmake(player, &name);
}

fn fetch_from(id: Uuid, name: &str, offset: i64) -> impl Fn(i16) -> FetchRequest {
    let request = fetch((name, 0), offset, 0);
    move |version| {
        let mut request = request(version);
        for topic in &mut request.topics {
            (topic.topic_id, topic.topic) = (id, TopicName::default());
        }
        request
    }
}
