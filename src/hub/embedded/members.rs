//! The coordinator of groups with those who wait for it: members on the socket and members in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anabranch_connectors::clock::now_ms;
use tokio::sync::{Notify, oneshot};

use super::coordinator::{
    Answer, Claim, Coordinator, JoinAnswer, JoinRequest, Limits, SyncAnswer, SyncRequest, Ticket,
};
use super::queue::Queue;
use super::writer::Command;

/// Where members of this process run, as tools show it.
pub(super) const IN_PROCESS: &str = "/in-process";

/// How often the clock is looked at while a member of this process waits.
const TICK: Duration = Duration::from_millis(20);

/// All groups and who waits.
pub(crate) struct Members {
    inner: Mutex<Inner>,
    /// A deadline has changed.
    changed: Notify,
    /// Members of this process, by id, with their group and generation.
    here: Mutex<HashMap<String, (String, i32)>>,
    writer: Arc<Queue<Command>>,
}

struct Inner {
    coordinator: Coordinator,
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
    next: Ticket,
}

/// Forgets a request whose answer nobody waits for any more.
struct Parked<'a> {
    members: &'a Members,
    ticket: Option<Ticket>,
}

impl Members {
    /// No members yet; who they are is stored through `writer`.
    pub(super) fn new(limits: Limits, writer: Arc<Queue<Command>>) -> Self {
        let suffix = || uuid::Uuid::new_v4().to_string();
        let coordinator = Coordinator::new(limits, suffix);
        let inner = Inner { coordinator, waiting: HashMap::new(), next: 0 };
        Self { inner: Mutex::new(inner), changed: Notify::new(), here: Mutex::default(), writer }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the coordinator something, with the time; answers that this brings about go out.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut Coordinator, i64) -> T) -> T {
        let mut inner = self.inner();
        let before = inner.coordinator.next_deadline();
        let outcome = question(&mut inner.coordinator, now_ms());
        self.store_changes(&mut inner.coordinator);
        inner.send_answers();
        if inner.coordinator.next_deadline() != before {
            self.changed.notify_one();
        }
        outcome
    }

    /// Stores who is in the groups that have changed, so that a restart of the hub is no rebalance. Groups with members
    /// of this process begin anew with it. Where the writer is busy it is left out: the members join again then.
    fn store_changes(&self, coordinator: &mut Coordinator) {
        for group in coordinator.take_changed() {
            let Some(state) = coordinator.state(&group) else { continue };
            let is_here = state.members.iter().any(|member| member.client_host == IN_PROCESS);
            let kept = !is_here && !state.members.is_empty();
            let state = if kept { serde_json::to_vec(&state).ok() } else { None };
            self.writer.try_send(Command::GroupState { group, state }).ok();
        }
    }

    /// Brings back the members that were stored.
    pub(super) fn restore(&self, states: &[Vec<u8>]) {
        let mut inner = self.inner();
        for state in states {
            match serde_json::from_slice(state) {
                Ok(state) => inner.coordinator.restore(now_ms(), state),
                Err(error) => {
                    tracing::warn!(%error, "members of a group cannot be read; they join again");
                }
            }
        }
        inner.coordinator.take_changed();
    }

    /// Joins a group; waits until all its members have.
    pub(crate) async fn join(&self, request: JoinRequest) -> Option<JoinAnswer> {
        let answer = self.wait(|coordinator, now, ticket| coordinator.join(now, request, ticket));
        match answer.await? {
            Answer::Joined(answer) => Some(answer),
            Answer::Synced(_) => None,
        }
    }

    /// Waits for the leader's assignment.
    pub(crate) async fn sync(&self, request: SyncRequest) -> Option<SyncAnswer> {
        let answer = self.wait(|coordinator, now, ticket| coordinator.sync(now, request, ticket));
        match answer.await? {
            Answer::Synced(answer) => Some(answer),
            Answer::Joined(_) => None,
        }
    }

    async fn wait(&self, question: impl FnOnce(&mut Coordinator, i64, Ticket)) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        let ticket = {
            let mut inner = self.inner();
            inner.next += 1;
            let ticket = inner.next;
            inner.waiting.insert(ticket, reply);
            ticket
        };
        let mut parked = Parked { members: self, ticket: Some(ticket) };
        self.ask(|coordinator, now| question(coordinator, now, ticket));
        let answer = answer.await.ok();
        parked.ticket = None;
        answer
    }

    /// As [`Members::join`], for a member of this process: the clock is looked at meanwhile, since nobody else may.
    pub(super) async fn join_here(&self, request: JoinRequest) -> Option<JoinAnswer> {
        tokio::select! {
            answer = self.join(request) => answer,
            () = self.tick_on() => None,
        }
    }

    /// As [`Members::sync`], for a member of this process.
    pub(super) async fn sync_here(&self, request: SyncRequest) -> Option<SyncAnswer> {
        tokio::select! {
            answer = self.sync(request) => answer,
            () = self.tick_on() => None,
        }
    }

    async fn tick_on(&self) {
        loop {
            tokio::time::sleep(TICK).await;
            self.ask(Coordinator::tick);
        }
    }

    fn here(&self) -> MutexGuard<'_, HashMap<String, (String, i32)>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the session of a member of this process alive from now on.
    pub(super) fn keep(&self, member_id: &str, (group, generation): (&str, i32)) {
        self.here().insert(member_id.to_owned(), (group.to_owned(), generation));
    }

    /// The member is gone.
    pub(super) fn release(&self, member_id: &str) {
        self.here().remove(member_id);
    }

    /// Heartbeats for all members of this process; called every few seconds.
    pub(super) fn beat(&self) {
        let here = self.here().clone();
        for (member_id, (group, generation)) in here {
            let claim =
                Claim { group: &group, generation, member_id: &member_id, instance_id: None };
            // A member that must join again finds out by itself.
            self.ask(|coordinator, now| coordinator.heartbeat(now, claim)).ok();
        }
    }

    /// Does what the clock demands, for ever.
    pub(crate) async fn keep_time(&self) {
        loop {
            let deadline = self.inner().coordinator.next_deadline();
            let wait = deadline.map_or(Duration::from_secs(3600), |deadline| {
                Duration::from_millis(u64::try_from(deadline - now_ms()).unwrap_or(0))
            });
            // The next deadline may have come nearer meanwhile.
            let woken = tokio::time::timeout(wait, self.changed.notified()).await;
            if woken.is_err() {
                self.ask(Coordinator::tick);
            }
        }
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Members").finish_non_exhaustive()
    }
}

impl Inner {
    fn send_answers(&mut self) {
        for (ticket, answer) in self.coordinator.take_answers() {
            if let Some(reply) = self.waiting.remove(&ticket) {
                // Who asked may be gone.
                reply.send(answer).ok();
            }
        }
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        self.members.inner().waiting.remove(&ticket);
        self.members.ask(|coordinator, now| coordinator.forget(now, ticket));
    }
}
