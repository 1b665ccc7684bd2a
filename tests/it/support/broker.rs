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
        let broker = Self { folder: folder.join("kafka"), port: free_ports(2) };
        broker.start_again();
        broker
    }

    /// The same with the listeners of `--secure` beside the plain one.
    pub(crate) fn start_secure(folder: &Path) -> Self {
        let broker = Self { folder: folder.join("kafka"), port: free_ports(5) };
        broker.script(&["start", "--secure"]);
        broker
    }

    /// The port of the listener that is so many after the plain one.
    pub(crate) fn port(&self, after: u16) -> u16 {
        self.port + after
    }

    /// One of its certificates and keys.
    pub(crate) fn tls_file(&self, name: &str) -> String {
        self.folder.join("tls").join(name).to_str().unwrap().to_owned()
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

/// The first of `count` free ports side by side.
fn free_ports(count: u16) -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    std::iter::repeat_with(free_port)
        .take(1000)
        .find(|port| (port + 1..port + count).all(free))
        .expect("free ports side by side")
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
