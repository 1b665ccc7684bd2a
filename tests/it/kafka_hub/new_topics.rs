//! A file sink whose topics come into being while it runs, and that is killed before all of them have an offset: each
//! line is in its files once.

use tempfile::TempDir;

use super::*;
use crate::support::{
    Agent, assert_each_once, file_lines, holds_within, lines as numbered, wait_until,
};

/// For members that were killed: the brokers wait for them, and new topics are looked for every ten seconds.
const LONG: Duration = Duration::from_secs(60);

struct Scene {
    /// Ends before its folder, in which its log is.
    agent: Agent,
    folder: TempDir,
    hub: Arc<Kafka>,
    /// What topics and the sink begin with.
    prefix: String,
    /// Topics, and how many lines each has.
    sent: BTreeMap<String, usize>,
}

impl Scene {
    /// `path` of the files in a folder of their own, and further settings of the sink.
    fn new(server: String, path: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let prefix = format!("n{}", uuid::Uuid::new_v4().simple());
        let blocks = format!(
            "hub:\n  kafka:\n    bootstrap_servers: [\"{server}\"]\n    \
             options: {{ session.timeout.ms: \"6000\", heartbeat.interval.ms: \"500\", fetch.wait.max.ms: \"800\" }}\n\
             sinks:\n  {prefix}-out:\n    topics: [\"^{prefix}-t.*\"]\n{more}    \
             to: {{ file: {{ path: \"{}/out/{path}\", codec: raw }} }}\n",
            folder.path().display()
        );
        let agent = Agent::start(folder.path(), &blocks);
        let hub = Kafka::connect(settings(server)).unwrap();
        Self { folder, agent, hub, prefix, sent: BTreeMap::new() }
    }

    /// Sends so many more lines to the topic, which is made if it is not there, a batch to each partition in turn; each
    /// batch is of a host of its own.
    async fn send(&mut self, topic: &str, batches: usize) {
        let name = format!("{}-{topic}", self.prefix);
        let partitions = partitions(&self.hub, &name).await.unwrap();
        let sent = self.sent.entry(topic.to_owned()).or_default();
        let appender = self.hub.appender();
        let mut receipts = Vec::new();
        for number in 0..batches {
            let headers = Headers::new().with("host", format!("h{sent}").as_bytes());
            let mut batch = Batch::new(Buffer::default(), headers, LONG_AGO, 0);
            for line in numbered(topic, *sent..*sent + 20).lines() {
                batch.push_copy(line.as_bytes());
            }
            *sent += 20;
            let partition = i32::try_from(number).unwrap() % i32::try_from(partitions).unwrap();
            receipts.push(queue(&appender, &name, partition, batch).await);
        }
        for receipt in receipts {
            receipt.await.unwrap().unwrap();
        }
    }

    fn total(&self) -> usize {
        self.sent.values().sum()
    }

    /// All lines of all files; beside them the sink may have its state in files of its own.
    fn written(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("out")).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        let outputs = paths.filter(|path| path.extension().is_some_and(|is| is == "txt"));
        outputs.flat_map(|path| file_lines(&path)).collect()
    }

    fn assigned(&self) -> usize {
        self.agent.log().matches("partitions were assigned").count()
    }

    /// How many partitions of the topic have an offset.
    async fn committed(&self, topic: &str) -> usize {
        let group = self.hub.group(&format!("{}-out", self.prefix)).await.unwrap();
        let topic = format!("{}-{topic}", self.prefix);
        let offsets = group.map(|group| group.offsets).unwrap_or_default();
        offsets.iter().filter(|offset| offset.topic == topic).count()
    }

    /// Starts the agent that was killed, and expects every line once; and again once more has come.
    async fn ends_well(mut self) {
        self.agent.start_again();
        self.has_each_once();
        let topics: Vec<String> = self.sent.keys().cloned().collect();
        for topic in topics {
            self.send(&topic, 4).await;
        }
        self.has_each_once();
        self.agent.stop();
        self.agent.start_again();
        self.send("t-last", 4).await;
        self.has_each_once();
        self.agent.stop();
    }

    #[track_caller]
    fn has_each_once(&self) {
        // What is missing, if anything, is said below.
        holds_within(LONG, || self.written().len() >= self.total());
        let written = self.written();
        for (topic, sent) in &self.sent {
            assert_each_once(&written, topic, *sent);
        }
        assert_eq!(written.len(), self.total());
    }
}

/// Nothing is committed but what the sink must have committed before it meets a new file.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_new_topics_have_an_offset_nothing_is_lost_and_nothing_comes_twice() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    for (path, has_offset) in
        [("all.txt", [true, false]), ("{topic}-{header.host}.txt", [true, true])]
    {
        let mut scene = Scene::new(server.clone(), path, "    commit_interval: 1h\n");
        scene.send("t-first", 8).await;
        wait_until(LONG, "the lines of the first topic", || scene.written().len() == scene.total());
        scene.send("t-second", 8).await;
        scene.send("t-third", 8).await;
        wait_until(LONG, "the lines of all", || scene.written().len() == scene.total());
        scene.agent.kill();
        let known = [scene.committed("t-first").await, scene.committed("t-third").await];
        assert_eq!(known.map(|count| count > 0), has_offset, "{path}: {known:?}");
        scene.send("t-second", 4).await;
        scene.ends_well().await;
    }
}

/// The deliveries of the sink see new topics at different times, and each is asked for its partitions again.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_new_topics_go_from_one_delivery_to_another_each_line_is_there_once() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let path = "{topic}-{partition}-{header.host}.txt";
    let mut scene = Scene::new(server, path, "    concurrency: 2\n");
    for round in 0..6 {
        if round > 0 {
            scene.agent.start_again();
        }
        let (before, until) = (scene.assigned(), Instant::now() + LONG);
        let new = [format!("t-{round}a"), format!("t-{round}b")];
        let arrives = |written: &[String]| {
            written.iter().any(|line| new.iter().any(|topic| line.starts_with(topic)))
        };
        while scene.assigned() < before + 1 + round % 3 || !arrives(&scene.written()) {
            assert!(Instant::now() < until, "round {round}: {} assignments", scene.assigned());
            for topic in &new {
                scene.send(topic, 4).await;
            }
        }
        scene.agent.kill();
    }
    scene.ends_well().await;
}

/// What the sink asks of the brokers does not stand behind its own fetches, one partition after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_sink_of_many_partitions_of_which_one_has_records_writes_them_as_they_come() {
    let Some(server) = server("ANABRANCH_KAFKA") else { return };
    let mut scene = Scene::new(server, "all.txt", "");
    let topic = format!("{}-t-many", scene.prefix);
    scene.hub.create_topic(&topic, 24).await.unwrap();
    scene.send("t-many", 1).await;
    wait_until(LONG, "the first lines", || scene.written().len() == scene.total());
    let until = Instant::now() + LONG;
    for _batch in 0..12 {
        scene.send("t-many", 1).await;
        let left = until.saturating_duration_since(Instant::now());
        wait_until(left, "what was sent", || scene.written().len() == scene.total());
    }
    scene.agent.stop();
}
