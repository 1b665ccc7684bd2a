//! Records with the same key go to the same partition, in order.

mod shared;

use std::collections::BTreeMap;
use std::io::Write;

use anabranch::{Admin, Message, Producer, ProducerSettings};
use shared::{Outcome, Playground, unique};

#[tokio::main]
async fn main() -> Outcome {
    let place = Playground::open().await?;
    let topic = unique("orders");
    Admin::new(&place.hub).create_topic(&topic, 4).await?;
    let producer = Producer::new(&place.hub, ProducerSettings::default())?;
    let mut partitions: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for round in 0..3 {
        for user in ["ada", "bob", "eve"] {
            let message = Message::new(&topic).key(user).value(format!("order {round}"));
            partitions.entry(user).or_default().push(producer.send(message).await?.partition);
        }
    }
    for (user, mut used) in partitions {
        used.dedup();
        writeln!(std::io::stdout(), "{user}: {} partition", used.len())?;
    }
    producer.close().await;
    place.hub.close().await;
    Ok(())
}
