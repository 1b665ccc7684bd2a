//! What the writer is asked to do, and what it answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use anabranch_record::Buffer;
use bytes::Bytes;
use thiserror::Error;
use tokio::sync::oneshot;

use crate::hub::embedded::sources::totals::Run;
use crate::hub::embedded::transactions::fault::TransactionFault;
use crate::hub::{HubError, Lasting, Part};
use crate::log::{Partition, ProducerFault};
use crate::wire::BatchHeader;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Append(Append),
    /// Offsets of a group.
    Commit {
        group: String,
        offsets: Vec<Place>,
        /// On the disk before it is settled, whatever `flush` says.
        lasting: Lasting,
        done: Done,
    },
    /// How groups and their members are now: what has gathered.
    GroupStates,
    /// Records of an internal topic.
    Pairs {
        topic: &'static str,
        pairs: Pairs,
        done: Done,
    },
    Produce(Produce),
    Marker(Marker),
    Positions(Vec<Part>),
    Snapshot,
    Roll(Arc<Partition>),
    DeleteTopic(String, Deleted),
    Close(SyncSender<()>),
}

/// Keys and values of an internal topic.
pub(crate) type Pairs = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Where the outcome of a commit goes.
pub(crate) type Done = oneshot::Sender<Result<(), HubError>>;

/// Where the folders of a deleted topic go, which are to be removed.
pub(crate) type Deleted = oneshot::Sender<Result<Vec<PathBuf>, HubError>>;

/// What a group commits for one partition: the very one, not whichever has its name by then.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) partition: Arc<Partition>,
    pub(crate) offset: i64,
    pub(crate) epoch: i32,
    pub(crate) metadata: String,
}

/// One encoded batch.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) partition: Arc<Partition>,
    pub(super) bytes: Buffer,
    pub(super) parts: Vec<Part>,
    /// What there is of each source.
    pub(super) runs: Vec<Run>,
}

/// Where the outcome goes.
pub(crate) type Reply = oneshot::Sender<Result<Produced, ProduceFault>>;

/// One batch, verified.
#[derive(Debug)]
pub(crate) struct Produce {
    pub(crate) partition: Arc<Partition>,
    pub(crate) header: BatchHeader,
    pub(crate) bytes: Bytes,
    pub(crate) reply: Reply,
}

/// The end of a transaction in one partition.
#[derive(Debug)]
pub(crate) struct Marker {
    pub(crate) partition: Arc<Partition>,
    pub(crate) producer: (i64, i16),
    pub(crate) committed: bool,
    pub(crate) reply: Reply,
}

/// Where a batch went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Produced {
    pub(crate) base_offset: i64,
    /// First offset that the partition keeps.
    pub(crate) log_start: i64,
}

/// Why a batch was not appended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ProduceFault {
    /// Its producer's sequence or epoch is wrong.
    #[error(transparent)]
    Producer(#[from] ProducerFault),
    /// It belongs to a transaction that is not open, or not for this partition.
    #[error("producer {0} has no open transaction for this partition")]
    NoTransaction(i64, TransactionFault),
    /// Its topic was deleted.
    #[error("the topic was deleted")]
    Deleted,
    /// It may work later.
    #[error("{0}")]
    NotNow(String),
}
