//! One program in the foreground, with its output in a file and an end that is always seen.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::waiting::holds_within;

/// A running program; dropping it ends it, and prints its output when the test fails.
pub(super) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; what it prints is appended to `log`.
    pub(super) fn start(command: &mut Command, log: &Path) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::options().create(true).append(true).open(log).unwrap();
        let errors = output.try_clone().unwrap();
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log: log.to_owned() }
    }

    /// What it has printed so far.
    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Sends `signal`; a program that has ended is left alone.
    pub(super) fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            kill_process(Pid::from_child(&self.child), signal).unwrap();
        }
    }

    /// Its exit status, once it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Its exit status, or `None` when it still runs after `limit`.
    pub(super) fn ended_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let mut status = None;
        holds_within(limit, || {
            status = self.ended();
            status.is_some()
        });
        status
    }

    /// Waits until `ready`; fails the test when the program ends before, or when `limit` is over.
    pub(super) fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) {
        let mut ended = None;
        let came = holds_within(limit, || {
            ended = self.ended();
            ended.is_some() || ready()
        });
        let name = &self.name;
        assert!(ended.is_none(), "{name} ended while starting, {ended:?}");
        assert!(came, "{name} is not ready after {limit:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.ended_within(Duration::from_secs(5)).is_none() {
            self.signal(Signal::KILL);
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("--- the output of {}\n{}---", self.name, self.log());
        }
    }
}

/// Runs `command` with `input` to its end, which has to be a good one, and returns what it printed.
#[track_caller]
pub(super) fn run(command: &mut Command, input: &[u8]) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends before it has read everything says why by itself.
            drop(stdin.write_all(input));
        });
        child.wait_with_output().unwrap()
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
