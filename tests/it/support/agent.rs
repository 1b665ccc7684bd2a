//! The built program as a process: started, asked, stopped, killed, started again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};

use super::program::Program;
use super::waiting::{SOON, wait_until};
use super::{free_port, http, metrics};

/// `anabranch run` in a folder of its own, with an admin listener.
pub(crate) struct Agent {
    folder: PathBuf,
    /// `host:port` of the admin listener.
    pub(crate) admin: String,
    /// The program and its arguments that are to run it.
    under: Vec<String>,
    program: Option<Program>,
}

impl Agent {
    /// Starts the agent and waits until it is healthy.
    ///
    /// `blocks` are the `sources`, `sinks` and whatever else the test needs. Set by us are `admin` and, unless
    /// `blocks` has its own, `data_dir` and a `hub` that does not listen.
    pub(crate) fn start(folder: &Path, blocks: &str) -> Self {
        Self::start_under(folder, blocks, &[])
    }

    /// One that does nothing but listen for clients of Kafka's protocol, and its address.
    pub(crate) fn listening(folder: &Path, partitions: usize) -> (Self, String) {
        let address = format!("127.0.0.1:{}", free_port());
        let blocks = format!(
            "hub: {{ embedded: {{ listen: \"{address}\" }} }}\ntopic_defaults: {{ partitions: {partitions} }}\n"
        );
        (Self::start(folder, &blocks), address)
    }

    /// The same, with no more than so many files open.
    pub(crate) fn start_limited(folder: &Path, blocks: &str, open_files: u32) -> Self {
        let line = format!("ulimit -n {open_files} && exec \"$0\" \"$@\"");
        Self::start_under(folder, blocks, &["sh", "-c", &line])
    }

    /// The same, with rights for everyone on what it makes.
    pub(crate) fn start_careless(folder: &Path, blocks: &str) -> Self {
        Self::start_under(folder, blocks, &["sh", "-c", "umask 000 && exec \"$0\" \"$@\""])
    }

    /// The same under another program, with its arguments.
    pub(crate) fn start_by(folder: &Path, blocks: &str, under: &[&str]) -> Self {
        Self::start_under(folder, blocks, under)
    }

    /// The same for one who may read only what the rights of files allow, though he be root.
    pub(crate) fn start_without_privileges(folder: &Path, blocks: &str) -> Self {
        if !geteuid().is_root() {
            return Self::start(folder, blocks);
        }
        Self::start_under(
            folder,
            blocks,
            &["setpriv", "--bounding-set", "-dac_override,-dac_read_search"],
        )
    }

    /// The same with its standard output at `path`, a file or a pipe that somebody reads; what it says stays in its log.
    pub(crate) fn start_into(folder: &Path, blocks: &str, path: &Path) -> Self {
        let line = format!("exec \"$0\" \"$@\" >> '{}'", path.display());
        Self::start_under(folder, blocks, &["sh", "-c", &line])
    }

    fn start_under(folder: &Path, blocks: &str, under: &[&str]) -> Self {
        let mut agent = Self {
            folder: folder.to_owned(),
            admin: format!("127.0.0.1:{}", free_port()),
            under: under.iter().map(|&word| word.to_owned()).collect(),
            program: None,
        };
        agent.configure(blocks);
        agent.start_again();
        agent
    }

    /// Writes the configuration anew, for the next start or for a reload.
    pub(crate) fn configure(&self, blocks: &str) {
        self.configure_admin("", blocks);
    }

    /// The same with further settings of `admin`.
    pub(crate) fn configure_admin(&self, settings: &str, blocks: &str) {
        let Self { folder, admin, .. } = self;
        let data_dir = if blocks.lines().any(|line| line.starts_with("data_dir:")) {
            String::new()
        } else {
            format!("data_dir: {}/data\n", folder.display())
        };
        // Agents of other tests would want the same port.
        let hub = if blocks.lines().any(|line| line.starts_with("hub:")) {
            ""
        } else {
            "hub: { embedded: { listen: none } }\n"
        };
        let text = format!("{data_dir}admin: {{ listen: \"{admin}\", {settings} }}\n{hub}{blocks}");
        fs::write(self.config(), text).unwrap();
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("anabranch.yaml")
    }

    /// Starts it on the data of the run before.
    pub(crate) fn start_again(&mut self) {
        self.launch();
        let health = format!("http://{}/health", self.admin);
        let program = self.program.as_mut().expect("a running agent");
        program.wait_ready(SOON, || http::get(&health).is_ok_and(|answer| answer.status == 200));
    }

    /// The same, when it does not answer to everybody.
    pub(crate) fn launch(&mut self) {
        let binary = env!("CARGO_BIN_EXE_anabranch");
        let mut command = match self.under.split_first() {
            None => Command::new(binary),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary);
                command
            }
        };
        command.arg("run").arg(self.config()).current_dir(&self.folder);
        self.program = Some(Program::start(&mut command, &self.log_file()));
    }

    /// Ends it with SIGKILL, as a crash does.
    pub(crate) fn kill(&mut self) {
        let mut program = self.program.take().expect("a running agent");
        program.signal(Signal::KILL);
        assert!(program.ended_within(SOON).is_some(), "the agent outlived SIGKILL");
    }

    /// Stops its process as it stands, or lets it go on.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.program.as_mut().expect("a running agent").signal(signal);
    }

    /// Ends it with SIGTERM, and expects exit code 0 within ten seconds.
    pub(crate) fn stop(&mut self) {
        self.stop_by(Signal::TERM, Duration::from_secs(10));
    }

    /// Ends it with `signal`, and expects exit code 0 within `limit`.
    pub(crate) fn stop_by(&mut self, signal: Signal, limit: Duration) {
        let mut program = self.program.take().expect("a running agent");
        program.signal(signal);
        let status = program.ended_within(limit);
        let status = status.unwrap_or_else(|| panic!("the agent runs {limit:?} after {signal:?}"));
        assert!(status.success(), "after {signal:?} the agent ended with {status}");
    }

    /// Starts it in the same folder with the configuration as it is now, when it is to end by itself; gives its exit
    /// code and what it printed.
    pub(crate) fn run_refused(folder: &Path) -> (Option<i32>, String) {
        let log = folder.join("refused.log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command.arg("run").arg(folder.join("anabranch.yaml")).current_dir(folder);
        let mut program = Program::start(&mut command, &log);
        let status = program.ended_within(SOON).expect("an agent that refuses to run");
        (status.code(), program.log())
    }

    /// The same, which reads its configuration again by itself.
    pub(crate) fn start_watching(folder: &Path, blocks: &str) -> Self {
        Self::start_under(folder, blocks, &["env", "ANABRANCH_WATCH_CONFIG=true"])
    }

    /// Sends SIGHUP, upon which it reads its configuration again.
    pub(crate) fn reload(&mut self) {
        self.program.as_mut().expect("a running agent").signal(Signal::HUP);
    }

    /// All metrics; the key is the name with its labels as printed, `name{label="value"}`.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        metrics::parse(&http::get(&format!("http://{}/metrics", self.admin)).unwrap().body)
    }

    /// The sum over all labels of the metric `name`, of those samples whose labels contain `label`.
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let wanted = |key: &str| {
            key.split_once('{').is_some_and(|(is, labels)| is == name && labels.contains(label))
        };
        self.metrics().iter().filter(|(key, _)| wanted(key)).map(|(_, value)| value).sum()
    }

    /// Waits until each of `sinks` has seen its lag and has none.
    #[track_caller]
    pub(crate) fn wait_no_lag(&self, sinks: &[&str], limit: Duration) {
        for sink in sinks {
            let label = format!("group=\"{sink}\"");
            wait_until(limit, &format!("no lag of {sink}"), || {
                let lags: Vec<f64> = self
                    .metrics()
                    .into_iter()
                    .filter(|(key, _)| {
                        key.starts_with("anabranch_group_lag_records") && key.contains(&label)
                    })
                    .map(|(_, value)| value)
                    .collect();
                !lags.is_empty() && lags.iter().all(|lag| *lag == 0.0)
            });
        }
    }

    /// What it has printed, in all its runs.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("anabranch.log")
    }
}
