//! Reads as a member of a group; what was polled is committed by itself.

#[path = "shared/records.rs"]
mod records;
mod shared;

use std::io::Write;

use anabranch::{Consumer, ConsumerSettings};
use records::{SOON, fill};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    fill(&place.hub, &topic, 5).await?;
    let mut consumer =
        Consumer::new(&place.hub, ConsumerSettings::new(&unique("group")).subscribe(&[&topic])?)
            .await?;
    let mut count = 0;
    while count < 5 {
        for record in consumer.poll(SOON).await? {
            writeln!(std::io::stdout(), "{}: {}", record.offset, record.text())?;
            count += 1;
        }
    }
    consumer.close().await?;
    place.hub.close().await;
    Ok(())
}
