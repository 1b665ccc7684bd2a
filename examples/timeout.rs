//! A poll that waits in vain comes back empty.

#[path = "shared/records.rs"]
mod records;
mod shared;

use std::io::Write;
use std::time::Duration;

use anabranch::{Admin, Consumer, ConsumerSettings};
use records::{SOON, fill};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    Admin::new(&place.hub).create_topic(&topic, 1).await?;
    let mut consumer =
        Consumer::new(&place.hub, ConsumerSettings::new(&unique("group")).subscribe(&[&topic])?)
            .await?;
    let records = consumer.poll(Duration::from_millis(200)).await?;
    writeln!(std::io::stdout(), "{} records in 200 ms", records.len())?;
    fill(&place.hub, &topic, 1).await?;
    let record = consumer.next(SOON).await?.ok_or("no record came")?;
    writeln!(std::io::stdout(), "then {}", record.text())?;
    consumer.close().await?;
    place.hub.close().await;
    Ok(())
}
