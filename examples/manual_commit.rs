//! Commits after every tenth record: what was handled and not committed comes again after a crash.

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
    let (topic, group) = (unique("events"), unique("group"));
    fill(&place.hub, &topic, 25).await?;
    let settings = || {
        let settings = ConsumerSettings::new(&group).auto_commit(None).max_poll_records(1);
        settings.subscribe(&[&topic])
    };
    let mut consumer = Consumer::new(&place.hub, settings()?).await?;
    for handled in 1..=25 {
        consumer.next(SOON).await?.ok_or("no record came")?;
        if handled % 10 == 0 {
            consumer.commit().await?;
            writeln!(std::io::stdout(), "committed after {handled}")?;
        }
    }
    // As if it had crashed here: the last five are not committed.
    drop(consumer);
    let mut again = Consumer::new(&place.hub, settings()?).await?;
    let record = again.next(SOON).await?.ok_or("no record came")?;
    writeln!(std::io::stdout(), "comes again: {}", record.text())?;
    again.close().await?;
    place.hub.close().await;
    Ok(())
}
