//! Sends without waiting; a callback is told what became of each record.

mod shared;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anabranch::{Message, Producer, ProducerSettings};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    let producer = Producer::new(&place.hub, ProducerSettings::default())?;
    let (stored, failed) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    for number in 0..1000 {
        let (stored, failed) = (Arc::clone(&stored), Arc::clone(&failed));
        let message = Message::new(&topic).value(format!("record {number}"));
        let callback = move |outcome: Result<_, _>| {
            let counter = if outcome.is_ok() { &stored } else { &failed };
            counter.fetch_add(1, Ordering::Relaxed);
        };
        producer.send_with(message, callback).await?;
    }
    producer.flush().await;
    let (stored, failed) = (stored.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    writeln!(std::io::stdout(), "{stored} stored, {failed} failed")?;
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
