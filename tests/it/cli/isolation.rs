//! What clients took back or deleted is not shown, wherever the records are read from.

use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::anabranch;
use crate::support::{Agent, SOON};

/// Two records of a transaction.
fn send(producer: &BaseProducer, name: &str) {
    producer.begin_transaction().unwrap();
    for number in 0..2 {
        let value = format!("{name} {number}");
        let record = BaseRecord::<(), _>::to("t").payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(SOON).unwrap();
}

fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    config
}

/// Deletes the record of `topic` that is at offset 0.
fn delete_first(address: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = client(address).create().unwrap();
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(topic, 0, rdkafka::Offset::Offset(1)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(admin.delete_records(&upto, &AdminOptions::new())).unwrap();
}

#[test]
fn only_what_was_committed_and_is_not_deleted_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut agent, address) = Agent::listening(folder.path(), 1);
    let mut config = client(&address);
    config.set("transactional.id", "writer");
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(SOON).unwrap();
    send(&producer, "kept");
    producer.commit_transaction(SOON).unwrap();
    send(&producer, "taken back");
    producer.abort_transaction(SOON).unwrap();
    send(&producer, "kept too");
    producer.commit_transaction(SOON).unwrap();
    send(&producer, "open");
    delete_first(&address, "t");

    let config = agent.config();
    let config = config.to_str().unwrap();
    let ways = [["--config", config], ["--data-dir", "data"], ["--bootstrap", &address]];
    for way in ways {
        let read = |more: &[&str]| {
            let words = [&["consume", "t"], &way[..], more].concat();
            anabranch(folder.path(), &words, "").well()
        };
        assert_eq!(read(&[]), "kept 1\nkept too 0\nkept too 1\n", "{way:?}");
        assert_eq!(read(&["--from", "0", "-n", "1"]), "kept 1\n", "{way:?}");
    }
    agent.stop();
    // What a group has read ends behind the mark, where the open transaction begins.
    let group = |words: &str| {
        let mut words: Vec<&str> = words.split(' ').collect();
        words.extend(["--data-dir", "data"]);
        anabranch(folder.path(), &words, "").well()
    };
    assert_eq!(group("consume t --group g -n 2"), "kept 1\nkept too 0\n");
    assert_eq!(group("consume t --group g"), "kept too 1\n");
    let described = group("groups describe g");
    assert!(described.ends_with("\nt              0          9   11    2\n"), "{described}");
}
