//! A Kafka broker for one test alone, which may be killed and started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::free_port;
use super::program::run;

/// A broker of `tests/servers/kafka`; it takes some seconds to start, so most tests share the one of `tests/run`.
pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
}

impl Broker {
    /// Starts an empty one with its data below `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        // Its controller listens on the port after its own.
        let port = std::iter::repeat_with(|| (free_port(), free_port()))
            .find_map(|(port, next)| (port + 1 == next).then_some(port))
            .expect("two free ports side by side");
        let broker = Self { folder: folder.join("kafka"), port };
        broker.start_again();
        broker
    }

    /// `host:port` for clients.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it on the data of the run before, at the same address.
    pub(crate) fn start_again(&self) {
        self.script(&["start", "--keep"]);
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(&self) {
        self.script(&["stop", "--kill"]);
    }

    /// Stops its process as it stands, or lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let pid = std::fs::read_to_string(self.folder.join("pid"));
        let pid = rustix::process::Pid::from_raw(pid.unwrap().trim().parse().unwrap()).unwrap();
        let signal =
            if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        rustix::process::kill_process(pid, signal).unwrap();
    }

    fn script(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/kafka");
        let mut command = Command::new(script);
        command.args(arguments).arg("--port").arg(self.port.to_string());
        run(command.arg("--dir").arg(&self.folder), b"");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
