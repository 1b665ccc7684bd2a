//! Sends records one after another, and waits for each to be stored.

mod shared;

use std::io::Write;

use anabranch::{Message, Producer, ProducerSettings};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("events");
    let producer = Producer::new(&place.hub, ProducerSettings::default())?;
    for text in ["one", "two", "three"] {
        let stored = producer.send(Message::new(&topic).value(text)).await?;
        let offset =
            stored.offset.map_or_else(|| "not told".to_owned(), |offset| offset.to_string());
        writeln!(std::io::stdout(), "{text}: partition {}, offset {offset}", stored.partition)?;
    }
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
