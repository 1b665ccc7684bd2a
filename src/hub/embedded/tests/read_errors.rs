//! A disk that fails while a consumer reads.

use std::time::Duration;

use anabranch_connectors::Emitter;

use super::{batch, open, spec};
use crate::hub::embedded::*;
use crate::hub::{Fetched, Hub as _, Part, StartAt};
use crate::log::disk::simulated::{Disk, Refusal};

async fn append(hub: &Embedded, topic: String, line: &str) {
    let (emitter, mut outlet) = Emitter::channel(1);
    let receipt = emitter.send(batch(&[line], None)).await.unwrap();
    let part = Part::from(outlet.recv().await.unwrap());
    let appender = hub.appender();
    let append = move || {
        assert_eq!(appender.partitions(&topic).unwrap(), 1);
        appender.append(&topic, 0, vec![part]);
    };
    tokio::task::spawn_blocking(append).await.unwrap();
    receipt.stored().await.unwrap();
}

fn numbers(fetched: &Fetched) -> Vec<String> {
    let mut numbers = Vec::new();
    for one in &fetched.batches {
        for stored in one.batch.iter().skip(one.skip) {
            let line = String::from_utf8(stored.record.value.unwrap().to_vec()).unwrap();
            numbers.push(line.split_once(' ').unwrap().0.to_owned());
        }
    }
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_the_disk_fails_is_handed_on() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::beneath(folder.path());
    let hub = open(folder.path());
    let wanted: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    for (at, number) in wanted.iter().enumerate() {
        append(&hub, format!("t{}", at % 4), &format!("{number} of a line")).await;
    }
    let (mut reads, mut failures) = (0, 0);
    loop {
        let refused = disk.refused();
        let spec = spec(&format!("g{reads}"), StartAt::Earliest);
        let mut consumer = hub.consumer(spec).await.unwrap();
        disk.refuse(Some(Refusal { from: disk.steps() + reads, count: 1, full: false }));
        let mut seen = Vec::new();
        while seen.len() < wanted.len() {
            match consumer.fetch(64 << 20, Duration::from_millis(20)).await {
                Ok(fetched) if fetched.batches.is_empty() && fetched.resumed.is_none() => break,
                Ok(fetched) => seen.extend(numbers(&fetched)),
                Err(_error) => failures += 1,
            }
        }
        disk.refuse(None);
        seen.sort_unstable_by_key(|number| number.parse::<u64>().unwrap());
        assert_eq!(seen, wanted, "read {reads} failed");
        if disk.refused() == refused {
            break;
        }
        reads += 1;
    }
    assert!(failures > 1, "{reads} reads");
    hub.close().await;
    disk.end();
}
