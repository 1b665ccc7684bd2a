//! Reads one partition of its own choice, from an offset of its own choice.

mod shared;

use std::io::Write;
use std::time::Duration;

use anabranch::hub::StartAt;
use anabranch::{Admin, Consumer, ConsumerSettings, Message, Producer, ProducerSettings};
use shared::{Outcome, Playground, unique};

/// Far longer than anything takes.
const SOON: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    Admin::new(&place.hub).create_topic(&topic, 3).await?;
    let producer = Producer::new(&place.hub, ProducerSettings::default())?;
    for number in 0..9 {
        let message = Message::new(&topic).partition(number % 3).value(format!("record {number}"));
        producer.send(message).await?;
    }
    let settings = ConsumerSettings::new(&unique("group")).assign(&topic, 1);
    let settings = settings.start(StartAt::Offset(1)).auto_commit(None);
    let mut consumer = Consumer::new(&place.hub, settings).await?;
    for _ in 0..2 {
        let record = consumer.next(SOON).await?.ok_or("no record came")?;
        let (partition, offset) = (record.partition, record.offset);
        writeln!(std::io::stdout(), "partition {partition}, offset {offset}: {}", record.text())?;
    }
    consumer.close().await?;
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
