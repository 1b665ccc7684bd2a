//! Reads every topic whose name matches, also those that are made later.

#[path = "shared/records.rs"]
mod records;
mod shared;

use std::io::Write;

use anabranch::{Admin, Consumer, ConsumerSettings};
use records::{SOON, fill};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let prefix = unique("web");
    let admin = Admin::new(&place.hub);
    fill(&place.hub, &format!("{prefix}-eu"), 2).await?;
    fill(&place.hub, &unique("other"), 2).await?;
    let mut consumer = Consumer::new(
        &place.hub,
        ConsumerSettings::new(&unique("group")).subscribe(&[&format!("^{prefix}-")])?,
    )
    .await?;
    let mut seen = 0;
    while seen < 2 {
        seen += consumer.poll(SOON).await?.len();
    }
    writeln!(std::io::stdout(), "{seen} of the first topic")?;
    // A new topic may let the group share its partitions out anew: what was not committed would come again.
    consumer.commit().await?;
    fill(&place.hub, &format!("{prefix}-us"), 3).await?;
    while seen < 5 {
        for record in consumer.poll(SOON).await? {
            seen += 1;
            assert!(record.topic().starts_with(&prefix), "{} does not match", record.topic());
        }
    }
    writeln!(std::io::stdout(), "{seen} with a topic that was made later")?;
    consumer.close().await?;
    admin.delete_topic(&format!("{prefix}-us")).await?;
    place.hub.close().await;
    Ok(())
}
