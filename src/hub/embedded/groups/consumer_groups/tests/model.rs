//! Clients that do anything in any order, topics that come and go, restarts of the hub included, against what must hold:
//! no partition is assigned to two members at once, every partition is owned in the end, epochs only rise.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// How many clients there are. The last two are static, under the same instance id.
const CLIENTS: usize = 5;
const TOPICS: [&str; 3] = ["t", "u", "v"];

#[derive(Debug, Clone)]
enum Step {
    /// A heartbeat with what has changed; it gives up at once what it must, or keeps it for now.
    Beat(usize, bool),
    /// A heartbeat whose answer is lost.
    Lost(usize),
    Join(usize),
    Leave(usize),
    /// A static member leaves for a while.
    Pause(usize),
    /// A client is gone without a word, and comes as a new member.
    Restart(usize),
    Subscribe(usize, Vec<usize>, bool),
    Topic(usize, i32),
    Pass(i64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = 0..CLIENTS;
    let topics = prop::collection::vec(0..TOPICS.len(), 0..3);
    let step = prop_oneof![
        12 => (client.clone(), prop::bool::weighted(0.8)).prop_map(|(one, now)| Step::Beat(one, now)),
        2 => client.clone().prop_map(Step::Lost),
        4 => client.clone().prop_map(Step::Join),
        1 => client.clone().prop_map(Step::Leave),
        1 => client.clone().prop_map(Step::Pause),
        1 => client.clone().prop_map(Step::Restart),
        2 => (client, topics, any::<bool>())
            .prop_map(|(one, topics, regex)| Step::Subscribe(one, topics, regex)),
        2 => (0..TOPICS.len(), 0..6_i32).prop_map(|(topic, count)| Step::Topic(topic, count)),
        3 => prop_oneof![Just(1), Just(4_000), Just(11_000), Just(70_000)].prop_map(Step::Pass),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..150)
}

struct World {
    rig: Rig,
    clients: Vec<Client>,
    /// Partitions of the topics, 0 for none, and how often each was made.
    topics: [(i32, u32); 3],
    /// What each client is to have, as it was told; it may have more for a while.
    told: Vec<Partitions>,
    /// Whose last answer was lost: it says everything again.
    lost: [bool; CLIENTS],
    ids: u32,
    epochs: HashMap<String, i32>,
    group_epoch: i32,
}

impl World {
    fn new() -> Self {
        let instances = [None, None, None, Some("i"), Some("i")];
        let clients = instances.into_iter().enumerate().map(|(at, instance_id)| Client {
            instance_id: instance_id.map(str::to_owned),
            // Who says nothing of it keeps the one of the static member that it replaces, as in Kafka.
            regex: Some(String::new()),
            ..Client::new(&format!("m{at}"), &["t"])
        });
        let mut world = Self {
            rig: Rig::new(&[]),
            clients: clients.collect(),
            topics: [(0, 0); 3],
            told: vec![Partitions::default(); CLIENTS],
            lost: [false; CLIENTS],
            ids: 0,
            epochs: HashMap::new(),
            group_epoch: 0,
        };
        world.set_topic(0, 4);
        world
    }

    fn set_topic(&mut self, at: usize, count: i32) {
        let (before, made) = &mut self.topics[at];
        if count > 0 && count < *before {
            return;
        }
        *made += u32::from(*before == 0);
        *before = count;
        let topic = self.topic(at);
        self.rig.groups.set_topic(TOPICS[at], topic);
    }

    fn topic(&self, at: usize) -> Option<(Uuid, i32)> {
        let (count, made) = self.topics[at];
        (count > 0).then(|| (id(&format!("{}{made}", TOPICS[at])), count))
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Beat(client, gives_up) => self.beat(*client, *gives_up),
            Step::Lost(client) => {
                self.lost[*client] = true;
                self.rig.send(&self.clients[*client].owning()).ok();
            }
            Step::Join(client) => self.join(*client),
            Step::Leave(client) => self.leave(*client, -1),
            Step::Pause(client) if *client >= 3 => self.leave(*client, -2),
            Step::Pause(_) => {}
            Step::Restart(client) => self.restart(*client),
            Step::Subscribe(client, topics, regex) => {
                let names = topics.iter().map(|at| TOPICS[*at].to_owned()).collect();
                self.clients[*client].topics = names;
                self.clients[*client].regex = Some(if *regex { "[tu]" } else { "" }.to_owned());
                if self.clients[*client].epoch > 0 {
                    self.ask(*client, true, true);
                }
            }
            Step::Topic(at, count) => self.set_topic(*at, *count),
            Step::Pass(ms) => self.rig.pass(*ms),
            Step::Reopen => self.reopen(),
        }
        self.check();
    }

    fn beat(&mut self, client: usize, gives_up: bool) {
        if self.clients[client].epoch > 0 {
            self.ask(client, gives_up, false);
        }
    }

    /// Says all, or what it owns.
    fn ask(&mut self, client: usize, gives_up: bool, full: bool) {
        let one = &self.clients[client];
        let beat = if full || self.lost[client] { one.full() } else { one.owning() };
        self.lost[client] = false;
        match self.rig.send(&beat) {
            Ok(beat) => {
                self.clients[client].epoch = beat.epoch;
                if let Some(assignment) = beat.assignment {
                    self.told[client] = assignment;
                }
                if gives_up || self.clients[client].owned.is_subset(&self.told[client]) {
                    self.clients[client].owned = self.told[client].clone();
                }
            }
            // It abandons everything, and may join again.
            Err(_) => self.abandon(client),
        }
    }

    fn abandon(&mut self, client: usize) {
        self.clients[client].epoch = 0;
        self.clients[client].owned = Partitions::default();
        self.told[client] = Partitions::default();
    }

    fn join(&mut self, client: usize) {
        self.abandon(client);
        self.ask(client, true, true);
    }

    fn leave(&mut self, client: usize, epoch: i32) {
        let leaves = Heartbeat { epoch, ..self.clients[client].short() };
        self.rig.send(&leaves).ok();
        self.abandon(client);
    }

    fn restart(&mut self, client: usize) {
        self.ids += 1;
        self.clients[client].member_id = format!("n{}", self.ids);
        self.abandon(client);
    }

    fn reopen(&mut self) {
        let again = self.rig.reopened(&[]);
        self.rig = again;
        for (at, name) in TOPICS.into_iter().enumerate() {
            let topic = self.topic(at);
            self.rig.groups.set_topic(name, topic);
        }
    }

    /// What must hold at any time.
    fn check(&mut self) {
        let Some(view) = self.rig.groups.describe("g") else { return };
        assert!(view.epoch >= self.group_epoch, "the group's epoch falls");
        assert!(view.assignment_epoch <= view.epoch);
        self.group_epoch = view.epoch;
        let mut owners: HashMap<(Uuid, i32), &str> = HashMap::new();
        for member in &view.members {
            for topic in &member.assigned {
                for number in &topic.partitions {
                    let other = owners.insert((topic.id, *number), &member.member_id);
                    assert_eq!(other, None, "{number} is assigned twice");
                    let owner = self.rig.groups.groups["g"].owner(topic.id, *number);
                    assert_eq!(owner, Some(member.member_id.as_str()));
                }
            }
            let last = self.epochs.entry(member.member_id.clone()).or_default();
            let came_back = member.epoch < 0 || *last < 0;
            assert!(came_back || member.epoch >= *last, "a member's epoch falls");
            *last = member.epoch;
        }
        self.epochs.retain(|known, _| view.members.iter().any(|one| one.member_id == *known));
        // Clients that the group still believes in do not have each other's either, whatever they keep for now.
        for (at, client) in self.clients.iter().enumerate() {
            let is_member = |one: &Client| {
                one.epoch > 0
                    && view.members.iter().any(|member| {
                        member.member_id == one.member_id
                            && (member.epoch == one.epoch || one.epoch < member.epoch)
                    })
            };
            for other in self.clients.iter().skip(at + 1) {
                let both = is_member(client) && is_member(other);
                assert!(!both || !client.owned.intersects(&other.owned), "{client:?} {other:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_happens_no_partition_is_owned_twice_and_epochs_only_rise(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // When nobody comes any more, everybody is removed.
        world.rig.pass(3_600_000);
        world.check();
        prop_assert_eq!(world.rig.groups.next_deadline(), None);
        let view = world.rig.groups.describe("g");
        prop_assert!(view.is_none_or(|view| view.members.is_empty()));
    }

    #[test]
    fn whatever_has_happened_everything_is_owned_in_the_end(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        // The last client shares its instance id with another and stays away.
        let living = CLIENTS - 1;
        world.leave(living, -1);
        for _ in 0..40 {
            for client in 0..living {
                if world.clients[client].epoch == 0 {
                    world.join(client);
                } else {
                    world.beat(client, true);
                }
                world.check();
            }
            world.rig.pass(5_000);
        }
        let view = world.rig.view();
        prop_assert_eq!(view.phase, group::GroupPhase::Stable);
        prop_assert_eq!(view.members.len(), living);
        for (at, name) in TOPICS.into_iter().enumerate() {
            let Some((topic, count)) = world.topic(at) else { continue };
            let reads = |client: &Client| {
                let regex = client.regex.as_deref() == Some("[tu]") && name != "v";
                regex || client.topics.iter().any(|topic| topic == name)
            };
            let is_read = world.clients.iter().take(living).any(reads);
            for number in 0..count {
                let owners = world.clients.iter().filter(|one| one.owned.contains(topic, number));
                prop_assert_eq!(owners.count(), usize::from(is_read), "{} of {}", number, name);
            }
        }
    }
}
