//! The agent under test: this program as a child process, watched from outside.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::stop;

/// Longest time for a case before it is given up.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running agent.
pub(super) struct Agent {
    child: Child,
    admin: String,
}

impl Agent {
    /// Starts `anabranch run` in `folder` with these blocks and waits until it is healthy.
    pub(super) fn start(folder: &Path, blocks: &str) -> Result<Self, String> {
        let mut agent = Self::spawn(folder, blocks)?;
        agent.wait("the agent's start", |agent| agent.get("/health").is_some())?;
        Ok(agent)
    }

    /// The same, and waits until it answers at all: a part of it is to fail.
    pub(super) fn start_failing(folder: &Path, blocks: &str) -> Result<Self, String> {
        let mut agent = Self::spawn(folder, blocks)?;
        agent.wait("the agent's start", |agent| agent.get("/metrics").is_some())?;
        Ok(agent)
    }

    fn spawn(folder: &Path, blocks: &str) -> Result<Self, String> {
        let admin = format!("127.0.0.1:{}", free_port()?);
        let config = folder.join("bench.yaml");
        let data = folder.join("data");
        let text = format!(
            "data_dir: {}\nadmin: {{ listen: \"{admin}\" }}\nlog: {{ level: warn }}\n{blocks}\n",
            data.display()
        );
        std::fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(program)
            .arg("run")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start the agent: {error}"))?;
        Ok(Self { child, admin })
    }

    /// Waits until `done`, or the agent ends, or patience does.
    pub(super) fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            stop::check()?;
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the agent ended with {status} during {what}"));
            }
            if Instant::now() > deadline {
                return Err(format!("gave up after {PATIENCE:?} on {what}"));
            }
            pause(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The sum of a counter over all its labels.
    pub(super) fn metric(&self, name: &str) -> u64 {
        sum_of(name, &self.get("/metrics").unwrap_or_default())
    }

    /// The sum of a counter over those of its lines that have `label`.
    pub(super) fn metric_of(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics").unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(label)).collect();
        sum_of(name, &lines.join("\n"))
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.admin).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(answer)
    }

    /// User and system time so far, seconds.
    pub(super) fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        cpu_of_stat(&stat.unwrap_or_default())
    }

    /// Resident memory, MiB: the most so far (`VmHWM`), or what it is now (`VmRSS`).
    pub(super) fn memory_mib(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or(0.0) / 1024.0
    }

    /// Ends it in order.
    pub(super) fn stop(mut self) -> Result<(), String> {
        self.signal(Signal::TERM);
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the agent ended with {status}")) }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself, which its status tells.
            kill_process(pid, signal).ok();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::KILL);
            self.child.wait().ok();
        }
    }
}

/// The sum of a counter over all its labels in the text of `/metrics`.
fn sum_of(name: &str, text: &str) -> u64 {
    let of_name =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok());
    text.lines().filter(of_name).filter_map(value).sum()
}

/// User and system time in the text of `/proc/PID/stat`, seconds (the kernel counts in hundredths).
fn cpu_of_stat(stat: &str) -> f64 {
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field =
        |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) / 100.0
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

/// Waits, shorter once a signal has come; the benchmark has nothing else to do.
pub(super) fn pause(wait: Duration) {
    let until = Instant::now() + wait;
    while let Some(left) =
        until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    {
        if stop::stopped() {
            return;
        }
        std::thread::park_timeout(left.min(Duration::from_millis(100)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_are_found_behind_its_name() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0";
        assert!((cpu_of_stat(stat) - 4.0).abs() < 1e-9);
        assert!(cpu_of_stat("").abs() < 1e-9);
    }

    #[test]
    fn a_counter_is_summed_over_its_labels_and_not_over_longer_names() {
        let text = "# HELP a_total of a\na_total{source=\"x y\"} 3\na_total{source=\"z\"} 4\na_total_b 9\na_total 1\n";
        assert_eq!(sum_of("a_total", text), 8);
        assert_eq!(sum_of("c_total", text), 0);
    }
}
