//! The coordinators of groups with those who wait for them: members on the socket and members in this process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anabranch_connectors::contract::clock::now_ms;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use super::consumer_groups::{Beat, Heartbeat};
use super::coordinator::{
    Answer, Claim, GroupError, JoinAnswer, JoinRequest, Limits, SyncAnswer, SyncRequest, Ticket,
};
use super::coordinators::Coordinators;
use super::states::{Outbox, StateKey};
use crate::hub::HubError;
use crate::hub::embedded::topics::table::TopicState;
use crate::hub::embedded::write::command::{Command, Done};
use crate::hub::embedded::write::queue::Queue;

/// Where members of this process run, as tools show it.
pub(crate) const IN_PROCESS: &str = "/in-process";

/// How often the clock is looked at while a member of this process waits.
const TICK: Duration = Duration::from_millis(20);

/// All groups and who waits.
pub(crate) struct Members {
    inner: Mutex<Inner>,
    /// A deadline has changed.
    changed: Notify,
    /// Members of this process, by id, with their group and generation.
    here: Mutex<HashMap<String, Here>>,
    outbox: Outbox,
    writer: Arc<Queue<Command>>,
}

struct Inner {
    coordinators: Coordinators,
    waiting: HashMap<Ticket, oneshot::Sender<Answer>>,
    next: Ticket,
}

/// Forgets a request whose answer nobody waits for any more.
struct Parked<'a> {
    members: &'a Members,
    ticket: Option<Ticket>,
}

/// A member of this process: its group, and in which generation it is.
#[derive(Debug, Clone)]
struct Here {
    group: String,
    generation: i32,
}

impl Members {
    /// No members yet; who they are is stored through `writer`.
    pub(crate) fn new(limits: Limits, writer: Arc<Queue<Command>>) -> Self {
        let coordinators = Coordinators::new(limits, || uuid::Uuid::new_v4().to_string());
        let inner = Mutex::new(Inner { coordinators, waiting: HashMap::new(), next: 0 });
        let (changed, here, outbox) = (Notify::new(), Mutex::default(), Outbox::default());
        Self { inner, changed, here, outbox, writer }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Asks the coordinators something, with the time; answers that this brings about go out.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&mut Coordinators, i64) -> T) -> T {
        self.ask_for(question, None).0
    }

    /// The same; `done` hears when what has changed by it is stored, and is given back when nothing has.
    ///
    /// What changes is stored, so that a restart of the hub is no rebalance. Classic groups with members of this
    /// process begin anew with it.
    fn ask_for<T>(
        &self,
        question: impl FnOnce(&mut Coordinators, i64) -> T,
        done: Option<Done>,
    ) -> (T, Option<Done>) {
        let mut inner = self.inner();
        let before = inner.coordinators.next_deadline();
        let outcome = question(&mut inner.coordinators, now_ms());
        let changes = inner.coordinators.take_changes(|host| host != IN_PROCESS);
        let done = self.outbox.add(changes, done);
        if !self.outbox.is_empty() {
            // Where the writer is busy it is asked with the next change, or by who waits.
            self.writer.try_send(Command::GroupStates).ok();
        }
        inner.send_answers();
        if inner.coordinators.next_deadline() != before {
            self.changed.notify_one();
        }
        (outcome, done)
    }

    /// A member of the new protocol is alive, joins or leaves. What it is told holds after a restart. A regular
    /// expression matches those topics that are `visible` to it.
    ///
    /// # Errors
    /// A group error, and what has kept the group from being stored: then the member asks again.
    pub(crate) async fn consumer_heartbeat(
        &self,
        beat: Heartbeat,
        visible: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<Result<Beat, GroupError>, HubError> {
        let (done, stored) = oneshot::channel();
        let question = |all: &mut Coordinators, now| {
            all.consumer_heartbeat(now, beat, &|topic| visible(topic))
        };
        let (outcome, unchanged) = self.ask_for(question, Some(done));
        if unchanged.is_none() {
            let asked = self.writer.send_from_task(Command::GroupStates).await;
            asked.map_err(|_closed| HubError::closing())?;
            stored.await.map_err(|_dropped| HubError::closing())??;
        }
        Ok(outcome)
    }

    /// Tells of a topic as it is now, or that there is none of that name.
    pub(crate) fn set_topic(&self, name: &str, state: Option<&TopicState>) {
        let topic = state.map(|state| {
            (state.wire_id, i32::try_from(state.partitions.len()).unwrap_or(i32::MAX))
        });
        self.ask(|coordinators, _| coordinators.set_topic(name, topic));
    }

    /// What is to be stored of groups.
    pub(crate) const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Brings back the groups that were stored.
    pub(crate) fn restore(&self, states: &BTreeMap<StateKey, Vec<u8>>) {
        let restored = self
            .ask(|coordinators, now| coordinators.restore(now, states, |host| host == IN_PROCESS));
        for error in restored {
            tracing::warn!(%error, "members of a group cannot be read; they join again");
        }
    }

    /// Joins a group; waits until all its members have.
    pub(crate) async fn join(&self, request: JoinRequest) -> Option<JoinAnswer> {
        let answer = self.wait(|coordinators, now, ticket| coordinators.join(now, request, ticket));
        match answer.await? {
            Answer::Joined(answer) => Some(answer),
            Answer::Synced(_) => None,
        }
    }

    /// Waits for the leader's assignment.
    pub(crate) async fn sync(&self, request: SyncRequest) -> Option<SyncAnswer> {
        let answer = self.wait(|coordinators, now, ticket| coordinators.sync(now, request, ticket));
        match answer.await? {
            Answer::Synced(answer) => Some(answer),
            Answer::Joined(_) => None,
        }
    }

    async fn wait(&self, question: impl FnOnce(&mut Coordinators, i64, Ticket)) -> Option<Answer> {
        let (reply, answer) = oneshot::channel();
        let ticket = {
            let mut inner = self.inner();
            inner.next += 1;
            let ticket = inner.next;
            inner.waiting.insert(ticket, reply);
            ticket
        };
        let mut parked = Parked { members: self, ticket: Some(ticket) };
        self.ask(|coordinators, now| question(coordinators, now, ticket));
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
            self.ask(Coordinators::tick);
        }
    }

    fn here(&self) -> MutexGuard<'_, HashMap<String, Here>> {
        self.here.lock()
    }

    /// Keeps the session of a member of this process alive from now on.
    pub(super) fn keep(&self, member_id: &str, group: &str, generation: i32) {
        let here = Here { group: group.to_owned(), generation };
        self.here().insert(member_id.to_owned(), here);
    }

    /// The member is gone.
    pub(super) fn release(&self, member_id: &str) {
        self.here().remove(member_id);
    }

    /// Heartbeats for all members of this process; called every few seconds.
    pub(crate) fn beat(&self) {
        let here = self.here().clone();
        for (member_id, Here { group, generation }) in here {
            let claim =
                Claim { group: &group, generation, member_id: &member_id, instance_id: None };
            // A member that must join again finds out by itself.
            self.ask(|coordinators, now| coordinators.heartbeat(now, claim)).ok();
        }
    }

    /// Does what the clock demands, for ever.
    pub(crate) async fn keep_time(&self) {
        loop {
            let deadline = self.inner().coordinators.next_deadline();
            let wait = deadline.map_or(Duration::from_secs(3600), |deadline| {
                Duration::from_millis(u64::try_from(deadline - now_ms()).unwrap_or(0))
            });
            // The next deadline may have come nearer meanwhile.
            let woken = tokio::time::timeout(wait, self.changed.notified()).await;
            if woken.is_err() {
                self.ask(Coordinators::tick);
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
        for (ticket, answer) in self.coordinators.take_answers() {
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
        self.members.ask(|coordinators, now| coordinators.forget(now, ticket));
    }
}
