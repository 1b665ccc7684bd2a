//! Idempotent producers without transactions: gaps, duplicates, epochs.

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId};

use super::player::Player;
use super::topic::{self, batch, describe_producers, fetch, produce};

fn init() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None)
}

pub(super) fn play(player: &mut Player) {
    let name = topic::make(player);
    let begun = player.ask("begin", |_| init());
    let (id, epoch) = (begun.producer_id.0, begun.producer_epoch);
    assert_eq!(begun.error_code, 0, "begin");
    player.ask("begin once more", |_| init());
    player.ask("begin as oneself", move |version| {
        let request = init();
        if version < 3 {
            return request;
        }
        request.with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
    });
    let mut send = |what: &str, partition: i32, (epoch, sequence): (i16, i32), count: i32| {
        let records = batch((id, epoch, sequence), count, false);
        player.ask(what, produce((&name, partition), None, &records));
    };
    for number in 0..7 {
        send(&format!("batch {number}"), 0, (epoch, 2 * number), 2);
    }
    for number in (0..7).rev() {
        send(&format!("batch {number} again"), 0, (epoch, 2 * number), 2);
    }
    send("part of the last", 0, (epoch, 12), 1);
    send("more than the last", 0, (epoch, 12), 3);
    send("over the end of the last", 0, (epoch, 13), 2);
    send("two as one", 0, (epoch, 10), 4);
    send("a gap", 0, (epoch, 15), 1);
    send("a large gap", 0, (epoch, i32::MAX), 1);
    send("the next", 0, (epoch, 14), 1);
    send("no epoch", 0, (-1, 0), 1);
    send("not from the beginning elsewhere", 1, (epoch, 40), 2);
    send("a new epoch not from the beginning", 0, (epoch + 1, 15), 1);
    send("a new epoch", 0, (epoch + 1, 0), 1);
    send("the epoch before", 0, (epoch, 15), 1);
    send("a duplicate of the epoch before", 0, (epoch, 14), 1);
    send("the highest sequences", 1, (epoch + 1, 0), 1);
    send("the next epoch but one", 1, (epoch + 3, 0), 3);
    player.ask("describe producers", describe_producers(&name));
    player.ask("all records", fetch((&name, 0), 0, 0));
    player.ask("all records there", fetch((&name, 1), 0, 1));
    topic::unmake(player, &name);
}
