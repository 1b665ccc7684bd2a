//! What the examples share: a hub to work on. With an argument it is the Kafka cluster at `HOST:PORT`, else an embedded
//! hub in a folder that is removed at the end.

use std::time::Duration;

use anabranch::{
    ClientError, Connection, Consumer, ConsumerSettings, HubHandle, Message, Producer,
    ProducerSettings, connect,
};

/// What `main` of an example returns.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Far longer than anything takes.
#[expect(dead_code, reason = "not every example waits")]
pub const SOON: Duration = Duration::from_secs(30);

/// A hub, and the folder that it may have.
pub struct Playground {
    /// The hub.
    pub hub: HubHandle,
    _folder: tempfile::TempDir,
}

impl Playground {
    /// Opens it.
    pub async fn open() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let connection = match std::env::args().nth(1) {
            Some(brokers) => Connection::kafka(&brokers),
            None => Connection::Embedded(folder.path().join("data")),
        };
        Ok(Self { hub: connect(connection).await?, _folder: folder })
    }
}

/// A name that no other run uses.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// Makes a topic and stores `count` records in it: `record 0`, `record 1`, …
#[expect(dead_code, reason = "not every example needs records that are there already")]
pub async fn fill(hub: &HubHandle, topic: &str, count: usize) -> Result<(), ClientError> {
    let producer = Producer::new(hub, ProducerSettings::default())?;
    for number in 0..count {
        let message = Message::new(topic).key(format!("key {number}"));
        producer.send_with(message.value(format!("record {number}")), |_outcome| {}).await?;
    }
    producer.close().await;
    Ok(())
}

/// Joins a group that reads `topics`.
#[expect(dead_code, reason = "not every example reads")]
pub async fn reader(hub: &HubHandle, topics: &[&str]) -> Result<Consumer, ClientError> {
    Consumer::new(hub, ConsumerSettings::new(&unique("group")).subscribe(topics)?).await
}
