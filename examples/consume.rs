//! Reads as a member of a group; what was polled is committed by itself.

mod shared;

use std::io::Write;

use shared::{Outcome, Playground, SOON, fill, reader, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    fill(&place.hub, &topic, 5).await?;
    let mut consumer = reader(&place.hub, &[&topic]).await?;
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
