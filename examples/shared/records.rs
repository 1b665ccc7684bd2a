//! Records for the examples that read.

use std::time::Duration;

use anabranch::{ClientError, HubHandle, Message, Producer, ProducerSettings};

/// Far longer than anything takes.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Makes a topic and stores `count` records in it: `record 0`, `record 1`, …
pub(crate) async fn fill(hub: &HubHandle, topic: &str, count: usize) -> Result<(), ClientError> {
    let producer = Producer::new(hub, ProducerSettings::default())?;
    for number in 0..count {
        let message = Message::new(topic).key(format!("key {number}"));
        producer.send_with(message.value(format!("record {number}")), |_outcome| {}).await?;
    }
    producer.close().await;
    Ok(())
}
