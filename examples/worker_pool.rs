//! One task reads, three work: a bounded channel between them holds the reader back when the workers are busy.

#[path = "shared/records.rs"]
mod records;
mod shared;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anabranch::{ConsumedRecord, Consumer, ConsumerSettings};
use records::{SOON, fill};
use shared::{Outcome, Playground, unique};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

const RECORDS: u32 = 300;

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    fill(&place.hub, &topic, 300).await?;
    let (give, take) = mpsc::channel::<ConsumedRecord>(16);
    let (take, done) = (Arc::new(Mutex::new(take)), Arc::new(AtomicU32::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..3 {
        let (take, done) = (Arc::clone(&take), Arc::clone(&done));
        workers.spawn(async move {
            loop {
                let next = take.lock().await.recv().await;
                let Some(record) = next else { return };
                // The work.
                done.fetch_add(u32::from(record.value.is_some()), Ordering::Relaxed);
            }
        });
    }
    let mut consumer =
        Consumer::new(&place.hub, ConsumerSettings::new(&unique("group")).subscribe(&[&topic])?)
            .await?;
    let mut read = 0;
    while read < RECORDS {
        for record in consumer.poll(SOON).await? {
            read += 1;
            give.send(record).await?;
        }
    }
    drop(give);
    while workers.join_next().await.is_some() {}
    // Only now is everything done that a commit would promise.
    consumer.commit().await?;
    writeln!(std::io::stdout(), "3 workers did {}", done.load(Ordering::Relaxed))?;
    consumer.close().await?;
    place.hub.close().await;
    Ok(())
}
