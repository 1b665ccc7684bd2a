//! Transactional producers that come back, are fenced off, or have offsets waiting.

use std::sync::Arc;

use anabranch_record::TopicPartition;

use std::path::Path;

use crate::hub::embedded::*;
use crate::hub::{Hub as _, Offset};

fn open(folder: &Path) -> Arc<Embedded> {
    Embedded::open(Settings::new(folder), Arc::default()).unwrap()
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), partition: number }
}

fn offset(number: i32) -> (Offset, String) {
    let topic = "t".to_owned();
    (Offset { topic, partition: number, offset: 7, epoch: -1 }, String::new())
}

const FENCED: EndFault = EndFault::Refused(TransactionFault::Fenced);

#[tokio::test]
async fn a_producer_that_lost_its_new_epoch_may_ask_again_until_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    let first = hub.begin_producer("id", 1000, None).await.unwrap();
    let second = hub.begin_producer("id", 1000, Some(first)).await.unwrap();
    assert_eq!(second, (first.0, first.1 + 1));
    assert_eq!(hub.begin_producer("id", 1000, Some(first)).await, Ok(second));
    hub.add_to_transaction("id", second, vec![TopicPartition::new("t", 0)], None).await.unwrap();
    assert_eq!(hub.begin_producer("id", 1000, Some(first)).await, Err(FENCED));
    hub.end_transaction("id", second, false).await.unwrap();
    assert_eq!(hub.begin_producer("id", 1000, Some(first)).await, Err(FENCED));
    let third = hub.begin_producer("id", 1000, None).await.unwrap();
    assert_eq!(hub.begin_producer("id", 1000, Some(second)).await, Err(FENCED), "third is another");
    assert_eq!(third.1, second.1 + 1);
}

#[tokio::test]
async fn why_a_producer_may_not_append_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    let (id, epoch) = hub.begin_producer("id", 1000, None).await.unwrap();
    let check = |producer, number| hub.transactions().check_produce(producer, &partition(number));
    assert_eq!(check((id, epoch), 0), Err(TransactionFault::InvalidState));
    hub.add_to_transaction("id", (id, epoch), vec![TopicPartition::new("t", 0)], None)
        .await
        .unwrap();
    assert_eq!(check((id, epoch), 0), Ok(()));
    assert_eq!(check((id, epoch), 1), Err(TransactionFault::InvalidState));
    assert_eq!(check((id, epoch + 1), 0), Err(TransactionFault::Fenced));
    assert_eq!(check((id + 1, epoch), 0), Err(TransactionFault::UnknownProducer));
}

#[tokio::test]
async fn offsets_that_wait_make_a_group_and_go_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    let producer = hub.begin_producer("id", 1000, None).await.unwrap();
    hub.add_to_transaction("id", producer, Vec::new(), Some("g")).await.unwrap();
    let offsets = vec![offset(0), offset(1)];
    hub.hold_offsets("id", producer, "g", offsets).await.unwrap();
    assert!(hub.has_offsets("g") && hub.committed_groups() == ["g"]);
    // One that is committed meanwhile is newer.
    hub.forget_pending("g", Some(&[partition(0)])).await.unwrap();
    assert!(!hub.is_pending("g", &partition(0)) && hub.is_pending("g", &partition(1)));
    hub.forget_offsets("g", None).await.unwrap();
    assert!(!hub.has_offsets("g") && hub.committed_groups().is_empty());
    hub.close().await;
    drop(hub);
    let hub = open(folder.path());
    assert!(!hub.is_pending("g", &partition(1)), "it does not come back");
}

#[tokio::test]
async fn partitions_of_a_transaction_are_stored_as_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let hub = open(folder.path());
    let producer = hub.begin_producer("id", 1000, None).await.unwrap();
    hub.add_to_transaction("id", producer, vec![TopicPartition::new("t", 0)], None).await.unwrap();
    let known = hub.transactions().get("id").unwrap().clone();
    let stored = serde_json::to_string(&known).unwrap();
    assert!(stored.contains(r#""partitions":[["t",0]]"#), "{stored}");
    let read: Transaction = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, known);
}
