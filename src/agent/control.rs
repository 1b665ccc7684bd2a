//! What the API asks of the running agent: sinks paused and taken up again, groups of sinks moved.
//!
//! Which sinks are paused is a file of the data folder, a name a line: it is the operator's wish, outlives restarts, and
//! nothing else must agree with it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};

use crate::hub::{HubError, Offset};
use crate::log::private;

/// The file.
const PAUSED: &str = "paused-sinks";

/// Orders that may wait.
const QUEUE: usize = 16;

/// What is asked.
#[derive(Debug)]
pub(super) enum Order {
    Pause(String),
    Resume(String),
    Move { group: String, offsets: Vec<Offset> },
}

pub(super) type Answer = oneshot::Sender<Result<(), HubError>>;

/// The way to the running agent.
#[derive(Debug, Clone)]
pub struct Control(mpsc::Sender<(Order, Answer)>);

/// The agent's end of it.
#[derive(Debug)]
pub(super) struct Orders(mpsc::Receiver<(Order, Answer)>);

/// Both ends.
pub(super) fn channel() -> (Control, Orders) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Control(sender), Orders(receiver))
}

impl Control {
    /// Stops a sink until it is resumed, over restarts.
    ///
    /// # Errors
    /// [`HubError::Fatal`] when there is no such sink, or that it is paused could not be stored.
    pub async fn pause(&self, sink: &str) -> Result<(), HubError> {
        self.ask(Order::Pause(sink.to_owned())).await
    }

    /// Lets a sink go on where it was.
    ///
    /// # Errors
    /// As [`Control::pause`].
    pub async fn resume(&self, sink: &str) -> Result<(), HubError> {
        self.ask(Order::Resume(sink.to_owned())).await
    }

    /// Moves the group of a sink of this agent, which is stopped for that moment.
    ///
    /// # Errors
    /// [`HubError`] when the offsets are not stored: other members have the group.
    pub async fn set_offsets(&self, group: &str, offsets: &[Offset]) -> Result<(), HubError> {
        self.ask(Order::Move { group: group.to_owned(), offsets: offsets.to_vec() }).await
    }

    async fn ask(&self, order: Order) -> Result<(), HubError> {
        let (answer, answered) = oneshot::channel();
        let stopping = || HubError::NotNow("the agent is stopping".to_owned());
        self.0.send((order, answer)).await.map_err(|_closed| stopping())?;
        answered.await.unwrap_or_else(|_closed| Err(stopping()))
    }
}

impl Orders {
    /// The next order. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Asked> {
        self.0.recv().await.map(Asked)
    }
}

/// One order, and whoever waits for it.
#[derive(Debug)]
pub(super) struct Asked(pub(super) (Order, Answer));

/// The sinks that were paused when the agent last ran.
pub(super) fn paused(data_dir: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(data_dir.join(PAUSED)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Keeps which sinks are paused.
pub(super) fn keep_paused(data_dir: &Path, paused: &BTreeSet<String>) -> Result<(), HubError> {
    let path = data_dir.join(PAUSED);
    let stored = store(&path, paused);
    stored.map_err(|error| HubError::Fatal(format!("{}: {error}", path.display())))
}

fn store(path: &Path, paused: &BTreeSet<String>) -> std::io::Result<()> {
    let mut next = PathBuf::from(path);
    next.set_extension("next");
    if let Some(folder) = path.parent() {
        private::create_folders(folder)?;
    }
    let mut file = private::create(&next)?;
    for sink in paused {
        writeln!(file, "{sink}")?;
    }
    file.sync_all()?;
    std::fs::rename(&next, path)
}
