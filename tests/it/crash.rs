//! SIGKILL at any moment, while logs grow and rotate: every line is in every sink exactly once.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::support::{
    Agent, Broker, Nginx, SOON, append_lines, assert_each_once, assert_each_once_in_order,
    file_line_count, file_lines, get, holds_within, lines, logrotate, messages, numbers,
    search_count, search_hits, server, wait_until,
};

/// Kills in each test.
const KILLS: usize = 20;

/// For the last run, in a debug build on two busy cores.
const LONG: Duration = Duration::from_secs(60);

/// Numbers that look random and are the same in each run of the test (xorshift).
struct Random(u64);

impl Random {
    /// Begins with a seed that is printed with a failure.
    fn seeded(seed: u64) -> Self {
        eprintln!("seed {seed}");
        Self(seed)
    }

    fn up_to(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A log that a program writes and logrotate rotates, each between two writes.
struct Log {
    rotate: String,
    folder: PathBuf,
    /// `create` or `copytruncate`.
    how: &'static str,
}

impl Log {
    fn path(&self) -> PathBuf {
        self.folder.join("logs").join(format!("{}.log", self.how))
    }

    /// Writes, and rotates now and then, until told to stop; gives the number of lines.
    fn grow(&self, stop: &AtomicBool) -> usize {
        std::fs::create_dir(self.folder.join(self.how)).unwrap();
        let open = || File::options().create(true).append(true).open(self.path()).unwrap();
        let (mut written, mut file) = (0, open());
        while !stop.load(Ordering::Relaxed) {
            // One in eight writes is torn within a line.
            let text = lines(self.how, written..written + 20);
            let (head, tail) = text.split_at(if written % 160 == 0 { 1234 } else { 0 });
            file.write_all(head.as_bytes()).unwrap();
            pause(10);
            file.write_all(tail.as_bytes()).unwrap();
            written += 20;
            if written % 2000 == 0 {
                self.rotate();
                file = open();
            }
        }
        written
    }

    fn rotate(&self) {
        logrotate(&self.rotate, &self.folder.join(self.how), &self.path(), self.how);
    }
}

/// Lets the other programs go on; how long it really takes is of no importance.
#[expect(clippy::disallowed_methods, reason = "a log grows in real time")]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Lets the agent live for moments up to `limit_ms` and kills it, again and again; then starts it once more.
fn kill_again_and_again(agent: &mut Agent, random: &mut Random, limit_ms: u64) {
    for _kill in 0..KILLS {
        pause(random.up_to(limit_ms));
        agent.kill();
        agent.start_again();
    }
}

#[test]
fn killed_twenty_times_with_the_embedded_hub_nothing_is_lost_and_nothing_comes_twice() {
    let Some(search) = server("ANABRANCH_SEARCH") else { return };
    killed_at_random("", &search, 1500);
}

#[test]
fn killed_twenty_times_with_kafka_nothing_is_lost_and_nothing_comes_twice() {
    let (Some(search), Some(kafka)) = (server("ANABRANCH_SEARCH"), server("ANABRANCH_KAFKA"))
    else {
        return;
    };
    let hub = format!(
        "hub:\n  kafka:\n    bootstrap_servers: [\"{kafka}\"]\n    \
         options: {{ session.timeout.ms: \"6000\", heartbeat.interval.ms: \"500\" }}\n"
    );
    killed_at_random(&hub, &search, 3000);
}

fn killed_at_random(hub: &str, search: &str, limit_ms: u64) {
    let Some(rotate) = server("ANABRANCH_LOGROTATE") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let id = format!("crash-{}", uuid::Uuid::new_v4().simple());
    let blocks = format!(
        "{hub}\
         sources:\n  \
           logs: {{ topic: {id}, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n\
         sinks:\n  \
           {id}-s: {{ topics: [{id}], to: {{ elasticsearch: {{ endpoints: [\"{search}\"], index: {id} }} }} }}\n  \
           {id}-f: {{ topics: [{id}], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }}\n",
        at = folder.display(),
    );
    let log = |how| Log { rotate: rotate.clone(), folder: folder.to_owned(), how };
    let out = folder.join("out.txt");
    let (renamed, truncated, stop) = (log("create"), log("copytruncate"), AtomicBool::new(false));
    let mut random = Random::seeded(0x5eed_0001);
    std::fs::create_dir(folder.join("logs")).unwrap();
    let mut agent = Agent::start(folder, &blocks);
    // What is rotated away before anybody has looked at the folder is not known to be a log.
    wait_until(SOON, "the source", || agent.log().contains("following files"));
    let (of_renamed, of_truncated) = std::thread::scope(|scope| {
        let renamed = scope.spawn(|| renamed.grow(&stop));
        let truncated = scope.spawn(|| truncated.grow(&stop));
        // A log that is rotated away before anything of it is stored is not known to the next life.
        wait_until(SOON, "the first lines of both", || {
            let texts = file_lines(&out);
            ["create", "copytruncate"].iter().all(|origin| !numbers(&texts, origin).is_empty())
        });
        kill_again_and_again(&mut agent, &mut random, limit_ms);
        stop.store(true, Ordering::Relaxed);
        (renamed.join().unwrap(), truncated.join().unwrap())
    });

    let total = of_renamed + of_truncated;
    // Which ones are missing, if any, is said below.
    holds_within(LONG, || file_line_count(&out) >= total);
    holds_within(SOON, || usize::try_from(search_count(search, &id)).unwrap() >= total);
    agent.wait_no_lag(&[&format!("{id}-s"), &format!("{id}-f")], LONG);
    agent.stop();

    let (texts, documents) = (file_lines(&out), messages(&search_hits(search, &id)));
    for (origin, count) in [("copytruncate", of_truncated), ("create", of_renamed)] {
        assert_each_once_in_order(&texts, origin, count);
        assert_each_once(&documents, origin, count);
    }
    assert_eq!((texts.len(), documents.len()), (total, total));
}

#[test]
fn killed_while_nginx_writes_and_its_log_rotates_every_request_is_there_once() {
    let (Some(nginx), Some(rotate)) = (server("ANABRANCH_NGINX"), server("ANABRANCH_LOGROTATE"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocks = format!(
        "sources: {{ web: {{ topic: web, from: {{ file: {{ include: [\"{at}/access.log\"] }} }} }} }}\n\
         sinks: {{ out: {{ topics: [web], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }} }}\n",
        at = folder.display(),
    );
    let access = format!("access_log {}/access.log combined;", folder.display());
    let nginx = Nginx::start(&nginx, folder, &access);
    let (stop, requested) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut random = Random::seeded(0x5eed_0002);
    let mut agent = Agent::start(folder, &blocks);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let number = requested.load(Ordering::Relaxed);
                pause(1);
                get(&format!("http://{}/web%23{number:07}", nginx.address)).unwrap();
                requested.store(number + 1, Ordering::Relaxed);
                if number % 500 == 499 {
                    rotate_nginx(&rotate, folder);
                }
            }
        });
        kill_again_and_again(&mut agent, &mut random, 1000);
        stop.store(true, Ordering::Relaxed);
    });

    // The first line is of the request with which nginx was seen to be ready.
    let (count, out) = (requested.into_inner(), folder.join("out.txt"));
    wait_until(LONG, "all requests in the file", || file_line_count(&out) > count);
    agent.wait_no_lag(&["out"], LONG);
    agent.stop();
    let texts: Vec<_> = file_lines(&out).iter().map(|text| text.replace("%23", "#")).collect();
    assert_each_once_in_order(&texts, "web", count);
    assert_eq!(texts.len(), count + 1);
}

/// As a package's own rotation does it: rename, then tell nginx to open its log anew.
fn rotate_nginx(rotate: &str, folder: &Path) {
    let tell = format!("kill -USR1 $(cat {}/nginx.pid)", folder.display());
    let lines = format!("create\nsharedscripts\npostrotate\n{tell}\nendscript");
    logrotate(rotate, folder, &folder.join("access.log"), &lines);
}

#[test]
fn killed_before_its_first_line_is_stored_the_agent_reads_it_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let blocks = format!(
        "sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }} }}\n\
         sinks: {{ out: {{ topics: [logs], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }} }}\n",
        at = folder.display(),
    );
    std::fs::create_dir(folder.join("logs")).unwrap();
    let mut agent = Agent::start(folder, &blocks);
    append_lines(&folder.join("logs/a.log"), "a", 0..1000);
    agent.kill();
    append_lines(&folder.join("logs/a.log"), "a", 1000..2000);
    agent.start_again();
    let out = folder.join("out.txt");
    wait_until(LONG, "all lines in the file", || file_line_count(&out) >= 2000);
    agent.stop();
    assert_each_once_in_order(&file_lines(&out), "a", 2000);
}

#[test]
fn a_kafka_broker_that_dies_and_comes_back_costs_nothing_and_repeats_nothing() {
    let Some(_kafka) = server("ANABRANCH_KAFKA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let broker = Broker::start(folder);
    let blocks = format!(
        "hub: {{ kafka: {{ bootstrap_servers: [\"{broker}\"] }} }}\n\
         sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }} }}\n\
         sinks: {{ out: {{ topics: [logs], to: {{ file: {{ path: \"{at}/out.txt\", codec: raw }} }} }} }}\n",
        broker = broker.address(),
        at = folder.display(),
    );
    std::fs::create_dir(folder.join("logs")).unwrap();
    let mut agent = Agent::start(folder, &blocks);
    let (log, out) = (folder.join("logs/a.log"), folder.join("out.txt"));
    append_lines(&log, "a", 0..50_000);
    wait_until(LONG, "the first lines in the file", || file_line_count(&out) > 0);

    broker.kill();
    append_lines(&log, "a", 50_000..60_000);
    broker.start_again();
    append_lines(&log, "a", 60_000..70_000);
    wait_until(LONG, "all lines in the file", || file_line_count(&out) >= 70_000);
    agent.wait_no_lag(&["out"], LONG);
    agent.stop();
    let texts = file_lines(&out);
    assert_each_once_in_order(&texts, "a", 70_000);
    assert_eq!(texts.len(), 70_000);
}
