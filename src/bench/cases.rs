//! The cases, each a few lines: what runs, what goes in, when it is done.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use tokio::time::Instant;

use super::args::{BenchArgs, Case};
use super::child::{Agent, free_port, pause};
use super::figures::Figures;
use super::receiver::Receiver;
use super::{append, latency, load, progress};

const STORED: &str = "anabranch_source_stored_records_total";
const DELIVERED: &str = "anabranch_sink_delivered_records_total";

/// The files of a benchmark; removed with it.
pub(super) struct Rig {
    args: BenchArgs,
    folder: PathBuf,
    progress: ProgressBar,
}

impl Drop for Rig {
    fn drop(&mut self) {
        // What is left over is in a folder that says what it is.
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// What an agent had used when its work was done.
struct Cost {
    records: u64,
    value_bytes: u64,
    wall: Duration,
    cpu: f64,
    peak_mib: f64,
}

impl Cost {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    fn figures(&self) -> Figures {
        let (bytes, records) = (self.value_bytes as f64, self.records as f64);
        let (cpu, wall) = (self.cpu.max(0.01), self.wall.as_secs_f64());
        vec![
            ("cpu_s_per_gb", cpu / (bytes / 1e9), "CPU-s/GB"),
            ("mb_per_cpu_s", bytes / 1e6 / cpu, "MB/CPU-s"),
            ("records_per_cpu_s", records / cpu, "records/CPU-s"),
            ("mb_per_s", bytes / 1e6 / wall, "MB/s"),
            ("peak_mib", self.peak_mib, "MiB"),
        ]
    }
}

impl Rig {
    pub(super) fn new(args: &BenchArgs) -> Result<Self, String> {
        let name = format!("anabranch-bench-{}", std::process::id());
        let folder = std::path::absolute(args.dir.join(name)).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}; choose another --dir", folder.display()))?;
        Ok(Self { args: args.clone(), folder, progress: progress::hidden_unless_terminal() })
    }

    pub(super) fn measure(&self, case: Case, name: &str) -> Result<Figures, String> {
        self.progress.reset();
        self.progress.set_message(name.to_owned());
        let folder = self.folder.join("case");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let figures = match case {
            Case::Store => self.files(&folder, "", STORED)?.figures(),
            Case::File => {
                let path = folder.join("out.log");
                let to = format!("{{ file: {{ path: \"{}\", codec: raw }} }}", path.display());
                let cost = self.files(&folder, &sink(&to), DELIVERED)?;
                let wrote = std::fs::metadata(&path).map_err(|error| error.to_string())?.len();
                // Each line once, no more and no less, or the figures are of other work.
                same("bytes written", wrote, cost.value_bytes + cost.records)?;
                cost.figures()
            }
            Case::Http => self.http(&folder)?.figures(),
            Case::Syslog => self.syslog(&folder)?.figures(),
            Case::Bulk => self.bulk(&folder)?.figures(),
            Case::Kafka => {
                let servers = self.args.bootstrap.clone();
                let servers = servers.ok_or("the case kafka needs --bootstrap HOST:PORT")?;
                let hub = format!("hub: {{ kafka: {{ bootstrap_servers: [\"{servers}\"] }} }}\n");
                self.files(&folder, &hub, STORED)?.figures()
            }
            Case::Append => append::measure(&folder, self.args.bytes.0, &self.progress)?,
            Case::Latency => latency::measure(&folder)?,
            Case::Idle => idle(&folder)?,
            Case::Memory => {
                super::memory::measure(&folder, self.args.scale.max(1), self.args.bytes.0)?
            }
        };
        std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        self.progress.finish_and_clear();
        Ok(figures)
    }

    /// The lines of a file, made once.
    fn input(&self) -> Result<(PathBuf, u64), String> {
        let given = self.args.input.clone().unwrap_or_else(|| self.folder.join("input.log"));
        let path = std::path::absolute(given).map_err(|error| error.to_string())?;
        let each = self.args.line_bytes;
        let count = self.args.bytes.0 / each as u64;
        let Ok(there) = std::fs::metadata(&path) else {
            self.progress.set_message("making the lines");
            load::file(&path, count, each).inspect_err(|_error| {
                // Half of the lines would be taken for all of them.
                std::fs::remove_file(&path).ok();
            })?;
            return Ok((path, count));
        };
        if there.len() != count * each as u64 {
            return Err(format!(
                "{} has {} bytes, not {count} lines of {each}; choose another --input, or remove it",
                path.display(),
                there.len()
            ));
        }
        Ok((path, count))
    }

    fn finish(
        &self,
        mut agent: Agent,
        size: (u64, usize),
        metric: &str,
        begin: Instant,
    ) -> Result<Cost, String> {
        self.progress.set_length(size.0);
        agent.wait(metric, |agent| {
            let done = agent.metric(metric);
            self.progress.set_position(done);
            done >= size.0
        })?;
        cost(agent, size, begin)
    }

    fn files(&self, folder: &Path, blocks: &str, metric: &str) -> Result<Cost, String> {
        let (input, count) = self.input()?;
        let path = input.display();
        let topic = format!("bench-{}", std::process::id());
        let source = format!(
            "sources: {{ in: {{ topic: {topic}, from: {{ file: {{ include: [\"{path}\"] }} }} }} }}\n"
        );
        let begin = Instant::now();
        let blocks = blocks.replace("[lines]", &format!("[{topic}]"));
        let agent = Agent::start(folder, &format!("{source}{blocks}"))?;
        self.finish(agent, (count, self.args.line_bytes - 1), metric, begin)
    }

    fn http(&self, folder: &Path) -> Result<Cost, String> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let source = format!(
            "sources: {{ in: {{ topic: lines, from: {{ http: {{ listen: \"{address}\" }} }} }} }}\n"
        );
        let agent = Agent::start(folder, &source)?;
        let each = (1 << 20) / self.args.line_bytes as u64;
        let count = self.args.bytes.0 / self.args.line_bytes as u64 / HTTP_CONNECTIONS;
        let begin = Instant::now();
        side_by_side(HTTP_CONNECTIONS, || load::post(&address, count, self.args.line_bytes))?;
        let count = load::rounded(count, each) * HTTP_CONNECTIONS;
        self.finish(agent, (count, self.args.line_bytes - 1), STORED, begin)
    }

    fn syslog(&self, folder: &Path) -> Result<Cost, String> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let source = format!(
            "sources: {{ in: {{ topic: lines, from: {{ syslog: {{ listen: [\"tcp://{address}\"] }} }} }} }}\n"
        );
        let agent = Agent::start(folder, &source)?;
        let count = self.args.bytes.0 / 190 / SYSLOG_CONNECTIONS;
        let begin = Instant::now();
        side_by_side(SYSLOG_CONNECTIONS, || load::syslog(&address, count))?;
        let count = load::rounded(count, load::SYSLOG_BLOCK) * SYSLOG_CONNECTIONS;
        self.finish(agent, (count, 189), STORED, begin)
    }

    /// Stores first; only the second run, which delivers, is counted.
    fn bulk(&self, folder: &Path) -> Result<Cost, String> {
        let (input, count) = self.input()?;
        let source = format!(
            "sources: {{ in: {{ topic: lines, from: {{ file: {{ include: [\"{}\"] }} }} }} }}\n",
            input.display()
        );
        let mut agent = Agent::start(folder, &source)?;
        agent.wait("storing", |agent| agent.metric(STORED) >= count)?;
        agent.stop()?;
        let receiver = Receiver::start()?;
        let to = format!("{{ elasticsearch: {{ endpoints: [\"{}\"] }} }}", receiver.url);
        let begin = Instant::now();
        let mut agent = Agent::start(folder, &format!("topics: {{ lines: {{}} }}\n{}", sink(&to)))?;
        self.progress.set_length(count);
        agent.wait("delivery", |agent| {
            self.progress.set_position(receiver.documents());
            agent.metric(DELIVERED) >= count
        })?;
        same("documents received", receiver.documents(), count)?;
        let value = self.args.line_bytes - 1;
        cost(agent, (count, value), begin)
    }
}

/// Connections that the load comes over.
const HTTP_CONNECTIONS: u64 = 4;
const SYSLOG_CONNECTIONS: u64 = 2;

fn sink(to: &str) -> String {
    format!("sinks: {{ out: {{ topics: [lines], to: {to} }} }}\n")
}

fn same(what: &str, got: u64, expected: u64) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got}, not {expected}")) }
}

fn side_by_side(
    connections: u64,
    work: impl Fn() -> Result<(), String> + Sync,
) -> Result<(), String> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..connections).map(|_| scope.spawn(&work)).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<(), String>>| {
            thread.join().unwrap_or_else(|_panic| Err("a sender panicked".to_owned()))
        };
        running.into_iter().try_for_each(join)
    })
}

fn cost(agent: Agent, (records, value): (u64, usize), begin: Instant) -> Result<Cost, String> {
    let cost = Cost {
        records,
        value_bytes: records * value as u64,
        wall: begin.elapsed(),
        cpu: agent.cpu_seconds(),
        peak_mib: agent.memory_mib("VmHWM"),
    };
    agent.stop()?;
    Ok(cost)
}

fn idle(folder: &Path) -> Result<Figures, String> {
    let (http, syslog) = (free_port()?, free_port()?);
    let blocks = format!(
        "sources:\n  logs: {{ topic: logs, from: {{ file: {{ include: [\"/var/log/**/*.log\"], read_from: end }} }} }}\n  \
         network: {{ topic: syslog, from: {{ syslog: {{ listen: [\"tcp://127.0.0.1:{syslog}\"] }} }} }}\n  \
         events: {{ topic: events, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }}\n\
         sinks: {{ out: {{ topics: [logs, syslog, events], to: {{ file: {{ path: \"{}/out/{{topic}}.ndjson\" }} }} }} }}\n",
        folder.display()
    );
    let agent = Agent::start(folder, &blocks)?;
    pause(Duration::from_secs(5));
    let before = agent.cpu_seconds();
    pause(Duration::from_secs(5));
    let cpu = (agent.cpu_seconds() - before) / 5.0;
    let figures = vec![("rss_mib", agent.memory_mib("VmRSS"), "MiB"), ("cpu_share", cpu, "cores")];
    agent.stop()?;
    Ok(figures)
}
