//! The built program as a process: started, asked, stopped, killed, started again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::program::Program;
use super::waiting::SOON;
use super::{free_port, http, metrics};

/// `anabranch run` in a folder of its own, with an embedded hub and an admin listener.
pub(crate) struct Agent {
    folder: PathBuf,
    /// `host:port` of the embedded hub.
    pub(crate) hub: String,
    /// `host:port` of the admin listener.
    pub(crate) admin: String,
    program: Option<Program>,
}

impl Agent {
    /// Starts the agent and waits until it is healthy.
    ///
    /// `blocks` are the `sources`, `sinks` and whatever else the test needs. Set by us are `data_dir`,
    /// `admin`, and, unless `blocks` has a `hub` of its own, an embedded one.
    pub(crate) fn start(folder: &Path, blocks: &str) -> Self {
        let mut agent = Self {
            folder: folder.to_owned(),
            hub: format!("127.0.0.1:{}", free_port()),
            admin: format!("127.0.0.1:{}", free_port()),
            program: None,
        };
        agent.configure(blocks);
        agent.start_again();
        agent
    }

    /// Writes the configuration anew, for the next start or for a reload.
    pub(crate) fn configure(&self, blocks: &str) {
        let Self { folder, hub, admin, .. } = self;
        let mut text =
            format!("data_dir: {}/data\nadmin: {{ listen: \"{admin}\" }}\n", folder.display());
        if !blocks.lines().any(|line| line.starts_with("hub:")) {
            text.push_str(&format!("hub: {{ embedded: {{ listen: \"{hub}\" }} }}\n"));
        }
        text.push_str(blocks);
        fs::write(self.config(), text).unwrap();
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("anabranch.yaml")
    }

    /// Starts it on the data of the run before.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command.arg("run").arg(self.config()).current_dir(&self.folder);
        let program = self.program.insert(Program::start(&mut command, &self.log_file()));
        let health = format!("http://{}/health", self.admin);
        program.wait_ready(SOON, || http::get(&health).is_ok_and(|answer| answer.status == 200));
    }

    /// Ends it with SIGKILL, as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut program = self.program.take().expect("a running agent");
        program.signal(Signal::KILL);
        assert!(program.ended_within(SOON).is_some(), "the agent outlived SIGKILL");
    }

    /// Ends it with SIGTERM, and expects exit code 0 within ten seconds.
    pub(crate) fn stop(&mut self) {
        let mut program = self.program.take().expect("a running agent");
        program.signal(Signal::TERM);
        let status = program.ended_within(Duration::from_secs(10));
        let status = status.expect("an agent that stops within 10 s of SIGTERM");
        assert!(status.success(), "after SIGTERM the agent ended with {status}");
    }

    /// Sends SIGHUP, upon which it reads its configuration again.
    pub(crate) fn reload(&mut self) {
        self.program.as_mut().expect("a running agent").signal(Signal::HUP);
    }

    /// All metrics; the key is the name with its labels as printed, `name{label="value"}`.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        metrics::parse(&http::get(&format!("http://{}/metrics", self.admin)).unwrap().body)
    }

    /// What it has printed, in all its runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("anabranch.log")
    }
}
