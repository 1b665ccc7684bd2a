//! Chooses the partition by the MD5 of the key, as some older systems do.

mod shared;

use std::io::Write;

use anabranch::{Admin, Message, Producer, ProducerSettings};
use md5::{Digest, Md5};
use shared::{Outcome, Playground, unique};

/// The digest as one large number, modulo the number of partitions.
fn by_md5(message: &Message, partitions: u32) -> i32 {
    let digest = Md5::digest(message.key.as_deref().unwrap_or_default());
    let number = u128::from_be_bytes(digest.into()) % u128::from(partitions);
    i32::try_from(number).unwrap_or(0)
}

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("orders");
    Admin::new(&place.hub).create_topic(&topic, 7).await?;
    let producer = Producer::with_partitioner(&place.hub, ProducerSettings::default(), by_md5)?;
    for key in ["abc", "def"] {
        let stored = producer.send(Message::new(&topic).key(key).value("x")).await?;
        writeln!(std::io::stdout(), "{key}: partition {}", stored.partition)?;
    }
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
