//! Sends structures as JSON and as `MessagePack`, and reads them back.

mod shared;

use std::io::Write;
use std::time::Duration;

use anabranch::client::{Json, MessagePack};
use anabranch::{Consumer, ConsumerSettings, Message, Producer, ProducerSettings};
use serde::{Deserialize, Serialize};
use shared::{Outcome, Playground, unique};

/// Far longer than anything takes.
const SOON: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    user: String,
    amount: u32,
}

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("orders");
    let producer = Producer::new(&place.hub, ProducerSettings::default())?;
    let order = Order { user: "ada".to_owned(), amount: 3 };
    let json = Message::new(&topic).header("format", "json").value_as(&Json, &order)?;
    producer.send(json).await?;
    let packed = Message::new(&topic).header("format", "msgpack").value_as(&MessagePack, &order)?;
    producer.send(packed).await?;

    let mut consumer =
        Consumer::new(&place.hub, ConsumerSettings::new(&unique("group")).subscribe(&[&topic])?)
            .await?;
    for _ in 0..2 {
        let record = consumer.next(SOON).await?.ok_or("no record came")?;
        let is_json = record.header("format") == Some(b"json");
        let order: Order = if is_json { record.json()? } else { record.message_pack()? };
        let bytes = record.value.map_or(0, |value| value.len());
        writeln!(std::io::stdout(), "{order:?} in {bytes} bytes")?;
    }
    consumer.close().await?;
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
