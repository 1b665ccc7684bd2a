//! What the examples share: a hub to work on. With an argument it is the Kafka cluster at `HOST:PORT`, else an embedded
//! hub in a folder that is removed at the end.

use anabranch::{Connection, HubHandle, connect};

/// What `main` of an example returns.
pub(crate) type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A hub, and the folder that it may have.
pub(crate) struct Playground {
    /// The hub.
    pub(crate) hub: HubHandle,
    _folder: tempfile::TempDir,
}

impl Playground {
    /// Opens it.
    pub(crate) async fn open() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let folder = tempfile::tempdir()?;
        let connection = match std::env::args().nth(1) {
            Some(brokers) => Connection::kafka(&brokers),
            None => Connection::Embedded(folder.path().join("data")),
        };
        Ok(Self { hub: connect(connection).await?, _folder: folder })
    }
}

/// A name that no other run uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
