//! Reads several topics as one.

#[path = "shared/records.rs"]
mod records;
mod shared;

use std::collections::BTreeMap;
use std::io::Write;

use anabranch::{Consumer, ConsumerSettings};
use records::{SOON, fill};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let (first, second) = (unique("first"), unique("second"));
    fill(&place.hub, &first, 3).await?;
    fill(&place.hub, &second, 2).await?;
    let mut consumer = Consumer::new(
        &place.hub,
        ConsumerSettings::new(&unique("group")).subscribe(&[&first, &second])?,
    )
    .await?;
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    while counts.values().sum::<u32>() < 5 {
        for record in consumer.poll(SOON).await? {
            *counts.entry(record.topic().to_owned()).or_default() += 1;
        }
    }
    for (topic, count) in counts {
        let name = topic.split('-').next().unwrap_or_default();
        writeln!(std::io::stdout(), "{name}: {count}")?;
    }
    consumer.close().await?;
    place.hub.close().await;
    Ok(())
}
