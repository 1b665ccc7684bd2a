//! The agent under test: a child process that is started, signalled, watched and asked from outside.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::http;

/// One agent with its folder.
#[derive(Debug)]
pub struct Agent {
    /// The program.
    pub program: PathBuf,
    /// Where its configuration and what it prints are.
    pub folder: PathBuf,
    /// `host:port` of its admin listener.
    pub admin: String,
    /// Further environment.
    pub environment: Vec<(String, String)>,
    child: Option<Child>,
    lives: u32,
    /// Ends that nobody asked for, as sentences.
    pub exits: Vec<String>,
    /// Whether its disk fails, so that it may say so and not begin.
    pub may_refuse: bool,
    /// How often it has done that.
    pub refused: u32,
    fallen: Option<Instant>,
    begun: Instant,
}

/// What it logs once it has begun.
const BEGUN: &str = "\"message\":\"started\"";

/// How long a service manager waits before it starts one again that has ended.
const RESTART: Duration = Duration::from_millis(500);

impl Agent {
    /// One that does not run yet.
    pub fn new(program: PathBuf, folder: PathBuf, admin: String) -> Self {
        Self {
            program,
            folder,
            admin,
            environment: Vec::new(),
            child: None,
            lives: 0,
            exits: Vec::new(),
            may_refuse: false,
            refused: 0,
            fallen: None,
            begun: Instant::now(),
        }
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join("anabranch.yaml")
    }

    /// Starts it, unless it runs.
    ///
    /// # Errors
    /// When the program cannot be run at all.
    pub fn start(&mut self) -> Result<(), String> {
        self.watch();
        if self.child.is_some() {
            return Ok(());
        }
        self.lives += 1;
        self.fallen = None;
        self.begun = Instant::now();
        let log = self.folder.join(format!("life-{:04}.log", self.lives));
        let failed = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
        let output = File::create(&log).map_err(|error| failed(&log, error))?;
        let child = Command::new(&self.program)
            .arg("run")
            .arg(self.config())
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .map_err(|error| failed(&self.program, error))?;
        self.child = Some(child);
        Ok(())
    }

    /// Notes it when the agent has ended by itself.
    pub fn watch(&mut self) {
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            let log = self.logs().pop().unwrap_or_default();
            if self.may_refuse && status.code() == Some(1) && !log.contains(BEGUN) {
                self.refused += 1;
            } else {
                let last = log.lines().last().unwrap_or("nothing was said");
                self.exits.push(format!("life {} ended by itself: {status}, {last}", self.lives));
            }
            self.child = None;
            self.fallen = Some(Instant::now());
        }
    }

    /// Whether the program has had the time to listen to signals; before that, the system's own rules hold.
    pub fn listens(&self) -> bool {
        self.begun.elapsed() > Duration::from_millis(300)
    }

    /// Whether it has ended by itself long enough ago to be started again.
    pub fn has_fallen(&mut self) -> bool {
        self.watch();
        self.child.is_none() && self.fallen.is_some_and(|at| at.elapsed() > RESTART)
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.watch();
        self.child.is_some()
    }

    /// Sends a signal after which it goes on.
    pub fn signal(&mut self, signal: Signal) {
        self.watch();
        if let Some(child) = &self.child {
            // It may have ended this moment, which `watch` sees.
            kill_process(Pid::from_child(child), signal).ok();
        }
    }

    /// Ends it with SIGKILL, as a crash does.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            // Nothing outlives SIGKILL, and its status is known.
            child.wait().ok();
        }
    }

    /// Ends it with SIGTERM; an end that is late or no good one is noted.
    pub fn stop(&mut self, limit: Duration) {
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        let Some(mut child) = self.child.take() else { return };
        let deadline = Instant::now() + limit;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return self.note_stop(status),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20))
                }
                _late => break,
            }
        }
        self.exits.push(format!("life {} still ran {limit:?} after SIGTERM", self.lives));
        self.child = Some(child);
        self.kill();
    }

    fn note_stop(&mut self, status: ExitStatus) {
        if !status.success() {
            self.exits.push(format!("life {} ended with {status} after SIGTERM", self.lives));
        }
    }

    /// What it has printed in each of its lives.
    pub fn logs(&self) -> Vec<String> {
        let log = |life| self.folder.join(format!("life-{life:04}.log"));
        (1..=self.lives).filter_map(|life| std::fs::read_to_string(log(life)).ok()).collect()
    }

    /// The text of `/metrics`, while it answers.
    pub fn metrics(&self) -> Option<String> {
        http::get(&self.admin, "/metrics")
            .ok()
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.body)
    }

    /// Waits until it answers with a good health, or `limit` is over.
    pub fn wait_healthy(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let ok = |body: &str| body.contains("\"status\":\"ok\"");
            if self.runs() && http::get(&self.admin, "/health").is_ok_and(|answer| ok(&answer.body))
            {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The sum over the samples of a metric in the text of `/metrics`; `None` when there are none.
pub fn sum_of(name: &str, text: &str) -> Option<f64> {
    let is = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values =
        text.lines().filter(is).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}
