//! Which batches are on their way, and of which file each is.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use super::identity::Identity;
use crate::contract::receipt::{NotStored, Stored};

/// The number of a batch, and what became of it.
pub(super) type Settled = (u64, Result<Stored, NotStored>);

/// Everything that is on its way.
#[derive(Default)]
pub(super) struct Flights {
    /// Resolves to those that are settled.
    pub(super) under_way: FuturesUnordered<BoxFuture<'static, Settled>>,
    /// Bytes of all of them.
    pub(super) bytes: usize,
    pub(super) owners: HashMap<u64, (Identity, usize)>,
    pub(super) next: u64,
}

impl Flights {
    /// Has a batch belong to another file.
    pub(super) fn pass_on(&mut self, number: u64, to: Identity) {
        if let Some((owner, _)) = self.owners.get_mut(&number) {
            *owner = to;
        }
    }
}
