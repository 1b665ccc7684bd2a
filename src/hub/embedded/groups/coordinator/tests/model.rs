//! Clients that do anything in any order, restarts of the hub included, against what must hold for a group.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// How many clients there are. The last three are static, the last two under the same instance id.
const CLIENTS: usize = 6;

#[derive(Debug, Clone)]
enum Step {
    /// A client joins, whatever it waits for, with those protocols, as of an old or a new version.
    Join(usize, usize, bool),
    Sync(usize),
    Heartbeat(usize),
    Commit(usize),
    Leave(usize),
    /// The connection of a client breaks.
    Disconnect(usize),
    /// A client forgets who it is.
    Restart(usize),
    Pass(i64),
    Delete,
    /// The hub starts again with what it stored.
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let step = prop_oneof![
        8 => (client.clone(), 0..6_usize, any::<bool>())
            .prop_map(|(client, wish, new)| Step::Join(client, wish.saturating_sub(3), new)),
        8 => client.clone().prop_map(Step::Sync),
        3 => client.clone().prop_map(Step::Heartbeat),
        1 => client.clone().prop_map(Step::Commit),
        1 => client.clone().prop_map(Step::Leave),
        1 => client.clone().prop_map(Step::Disconnect),
        1 => client.prop_map(Step::Restart),
        4 => prop_oneof![Just(1), Just(50), Just(900), Just(4_000), Just(11_000), Just(70_000)]
            .prop_map(Step::Pass),
        1 => Just(Step::Delete),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..120)
}

#[derive(Debug, Default)]
struct Client {
    instance_id: Option<String>,
    member_id: String,
    generation: i32,
    /// What it waits for; older tickets are of connections that it has given up.
    ticket: Option<Ticket>,
    /// Whom it is to assign, after a join that made it the leader.
    members: Vec<(String, Option<String>)>,
    joined: bool,
    synced: bool,
    fenced: bool,
}

struct World {
    coordinator: Coordinator,
    now_ms: i64,
    tickets: Ticket,
    /// The tickets that are not answered, and who waits.
    waiting: HashMap<Ticket, usize>,
    clients: Vec<Client>,
    leaders: HashMap<i32, String>,
    generation: i32,
    stored: Option<GroupState>,
}

fn coordinator() -> Coordinator {
    let limits = Limits { initial_rebalance_delay_ms: 100, group_size_max: 8, ..limits() };
    let mut last = 0;
    let suffix = move || {
        last += 1;
        format!("{last:03}")
    };
    Coordinator::new(limits, suffix)
}

/// What a member is assigned: static ones keep it under another id.
fn share(generation: i32, member_id: &str, instance_id: Option<&str>) -> String {
    format!("{generation} for {}", instance_id.unwrap_or(member_id))
}

impl World {
    fn new() -> Self {
        let instances = [None, None, None, Some("i"), Some("j"), Some("j")];
        let client = |instance_id: Option<&str>| Client {
            instance_id: instance_id.map(str::to_owned),
            ..Client::default()
        };
        Self {
            coordinator: coordinator(),
            now_ms: 1_000,
            tickets: 0,
            waiting: HashMap::new(),
            clients: instances.into_iter().map(client).collect(),
            leaders: HashMap::new(),
            generation: 0,
            stored: None,
        }
    }

    fn ticket(&mut self, client: usize) -> Ticket {
        self.tickets += 1;
        self.waiting.insert(self.tickets, client);
        self.clients[client].ticket = Some(self.tickets);
        self.tickets
    }

    fn join(&mut self, client: usize, wish: usize, new: bool) {
        let ticket = self.ticket(client);
        let protocols: &[(&str, &str)] = match wish {
            0 => &[("range", "a"), ("roundrobin", "a")],
            1 => &[("range", "b")],
            _ => &[("roundrobin", "c")],
        };
        let Client { member_id, instance_id, .. } = &self.clients[client];
        let request = JoinRequest {
            instance_id: instance_id.clone(),
            client_id: format!("k{client}"),
            protocols: protocols
                .iter()
                .map(|(name, metadata)| ((*name).to_owned(), metadata.as_bytes().to_vec()))
                .collect(),
            rebalance_timeout_ms: 20_000,
            requires_known_member: new,
            supports_skipping_assignment: new,
            ..request(member_id)
        };
        self.clients[client].joined = false;
        self.coordinator.join(self.now_ms, request, ticket);
    }

    fn sync(&mut self, client: usize) {
        let ticket = self.ticket(client);
        let Client { member_id, instance_id, generation, members, .. } = &self.clients[client];
        let assignments = members.iter().map(|(member_id, instance_id)| {
            let share = share(*generation, member_id, instance_id.as_deref());
            (member_id.clone(), share.into_bytes())
        });
        let request = SyncRequest {
            group: "g".to_owned(),
            member_id: member_id.clone(),
            instance_id: instance_id.clone(),
            generation: *generation,
            protocol_type: Some("consumer".to_owned()),
            protocol: None,
            assignments: assignments.collect(),
        };
        self.coordinator.sync(self.now_ms, request, ticket);
    }

    fn step(&mut self, step: &Step) {
        let now_ms = self.now_ms;
        match *step {
            Step::Join(client, wish, new) => self.join(client, wish, new),
            Step::Sync(client) => self.sync(client),
            Step::Heartbeat(client) => {
                let Client { member_id, instance_id, generation, .. } = &self.clients[client];
                let claim = claim(*generation, member_id);
                let claim = Claim { instance_id: instance_id.as_deref(), ..claim };
                self.coordinator.heartbeat(now_ms, claim).ok();
            }
            Step::Commit(client) => {
                let Client { member_id, generation, .. } = &self.clients[client];
                self.coordinator.check_commit(now_ms, claim(*generation, member_id)).ok();
            }
            Step::Leave(client) => {
                let Client { member_id, instance_id, .. } = &self.clients[client];
                let member = (member_id.clone(), instance_id.clone());
                self.coordinator.leave(now_ms, "g", &[member]).unwrap();
            }
            Step::Disconnect(client) => {
                if let Some(ticket) = self.clients[client].ticket.take() {
                    self.coordinator.forget(now_ms, ticket);
                    self.waiting.remove(&ticket);
                }
            }
            Step::Restart(client) => self.restart(client),
            Step::Pass(ms) => self.pass(ms),
            Step::Delete => {
                if self.coordinator.delete("g").is_ok() {
                    self.leaders.clear();
                    self.generation = 0;
                    self.stored = None;
                }
            }
            Step::Reopen => self.reopen(),
        }
        self.settle();
    }

    fn restart(&mut self, client: usize) {
        let instance_id = self.clients[client].instance_id.take();
        self.clients[client] = Client { instance_id, ..Client::default() };
    }

    fn pass(&mut self, ms: i64) {
        let end_ms = self.now_ms + ms;
        let mut ticks = 0;
        while let Some(deadline_ms) = self.coordinator.next_deadline().filter(|at| *at <= end_ms) {
            self.now_ms = self.now_ms.max(deadline_ms);
            self.coordinator.tick(self.now_ms);
            self.settle();
            ticks += 1;
            assert!(ticks < 10_000, "the deadline {deadline_ms} stays");
        }
        self.now_ms = end_ms;
    }

    fn reopen(&mut self) {
        let mut again = coordinator();
        // Ids are as of random numbers: none comes twice.
        let mut last = self.tickets * 1_000;
        again.suffix = Box::new(move || {
            last += 1;
            last.to_string()
        });
        self.coordinator = again;
        self.waiting.clear();
        for client in &mut self.clients {
            client.ticket = None;
        }
        // A generation whose assignment was never stored is lost; its number comes again.
        self.generation = self.stored.as_ref().map_or(0, |stored| stored.generation);
        self.leaders.retain(|generation, _| *generation <= self.generation);
        if let Some(stored) = self.stored.clone() {
            self.coordinator.restore(self.now_ms, stored);
        }
    }

    /// Takes what the coordinator says, and checks it.
    fn settle(&mut self) {
        check(&self.coordinator);
        if self.coordinator.take_changed().contains("g") {
            self.stored = self.coordinator.state("g").or(self.stored.take());
        }
        if let Some(description) = self.coordinator.describe("g") {
            assert!(description.generation >= self.generation, "a generation comes again");
            self.generation = description.generation;
        }
        for (ticket, answer) in self.coordinator.take_answers() {
            let client = self.waiting.remove(&ticket).expect("answered though nobody waits");
            let current = self.clients[client].ticket == Some(ticket);
            match answer {
                Answer::Joined(answer) => self.joined(client, answer, current),
                Answer::Synced(answer) if current => self.synced(client, &answer),
                Answer::Synced(_) => {}
            }
        }
    }

    fn joined(&mut self, client: usize, answer: JoinAnswer, current: bool) {
        if answer.error.is_none() && answer.leader == answer.member_id {
            let leader = self.leaders.entry(answer.generation).or_insert(answer.leader.clone());
            // A static leader that restarts leads under its new id, without assigning.
            let skips = answer.skip_assignment;
            assert!(skips || *leader == answer.leader, "two lead generation {}", answer.generation);
        }
        if !current {
            return;
        }
        let client = &mut self.clients[client];
        client.ticket = None;
        match answer.error {
            Some(GroupError::UnknownMember) => client.member_id.clear(),
            Some(GroupError::MemberIdRequired) => client.member_id = answer.member_id,
            Some(GroupError::FencedInstanceId) => client.fenced = true,
            Some(_) => {}
            None => {
                let mut members = answer.members;
                if answer.skip_assignment {
                    members.clear();
                }
                client.member_id = answer.member_id;
                client.generation = answer.generation;
                client.joined = true;
                client.synced = false;
                client.members =
                    members.into_iter().map(|(id, instance, _)| (id, instance)).collect();
            }
        }
    }

    fn synced(&mut self, client: usize, answer: &SyncAnswer) {
        let client = &mut self.clients[client];
        client.ticket = None;
        match answer.error {
            None => {
                let Client { generation, member_id, instance_id, .. } = &client;
                let expected = share(*generation, member_id, instance_id.as_deref());
                assert_eq!(String::from_utf8_lossy(&answer.assignment), expected);
                client.synced = true;
            }
            Some(error) => client.fail(error),
        }
    }

    /// A client does what the protocol asks of it.
    fn behave(&mut self, client: usize) {
        let Client { ticket, joined, synced, fenced, generation, .. } = self.clients[client];
        if ticket.is_some() || fenced {
            return;
        }
        if !joined {
            self.join(client, 0, client.is_multiple_of(2));
        } else if !synced {
            self.sync(client);
        } else {
            let now_ms = self.now_ms;
            let Client { member_id, instance_id, .. } = &self.clients[client];
            let claim = claim(generation, member_id);
            let claim = Claim { instance_id: instance_id.as_deref(), ..claim };
            if let Err(error) = self.coordinator.heartbeat(now_ms, claim) {
                self.clients[client].fail(error);
            }
        }
        self.settle();
    }
}

impl Client {
    fn fail(&mut self, error: GroupError) {
        self.joined = false;
        self.fenced |= error == GroupError::FencedInstanceId;
        if error == GroupError::UnknownMember {
            self.member_id.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_clients_do_a_generation_has_one_leader_and_every_request_is_answered(
        steps in steps(),
    ) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.pass(3_600_000);
        prop_assert!(world.waiting.is_empty(), "{:?} wait for ever", world.waiting);
        prop_assert_eq!(world.coordinator.next_deadline(), None);
        let state = world.coordinator.describe("g").map_or(State::Empty, |group| group.state);
        prop_assert_eq!(state, State::Empty);
    }

    #[test]
    fn whatever_has_happened_clients_that_behave_get_a_stable_group(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // The last client shares its instance id with another and stays away.
        let living = CLIENTS - 1;
        for client in 0..CLIENTS {
            world.restart(client);
        }
        for _ in 0..600 {
            for client in 0..living {
                world.behave(client);
            }
            world.pass(1_000);
        }
        let group = world.coordinator.describe("g").unwrap();
        prop_assert_eq!(group.state, State::Stable);
        let members: HashSet<String> =
            group.members.into_iter().map(|member| member.member_id).collect();
        let expected = world.clients.iter().take(living).map(|client| client.member_id.clone());
        prop_assert_eq!(members, expected.collect::<HashSet<String>>());
        prop_assert!(world.clients.iter().take(living).all(|client| client.synced));
    }
}
