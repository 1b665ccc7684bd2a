//! A Kafka broker for one test alone, which may be killed and started again.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::free_port;
use super::program::run;

/// A broker of `tests/servers/kafka`; it takes some seconds to start, so most tests share the one of `tests/run`.
pub(crate) struct Broker {
    folder: PathBuf,
    port: u16,
    arguments: Vec<String>,
}

impl Broker {
    /// Starts an empty one with its data below `folder`.
    pub(crate) fn start(folder: &Path) -> Self {
        // Its controller listens on the port after its own.
        let broker = Self::new(folder.join("kafka"), free_ports(2));
        broker.start_again();
        broker
    }

    fn new(folder: PathBuf, port: u16) -> Self {
        Self { folder, port, arguments: Vec::new() }
    }

    /// Starts a cluster of two, the first of which is the controller as well; transactions are kept by both.
    pub(crate) fn start_two(folder: &Path) -> (Self, Self) {
        let both = "transaction.state.log.replication.factor=2\n";
        let first = Self::new(folder.join("first"), free_ports(2)).with_lines(folder, both);
        let second = Self::new(folder.join("second"), free_port());
        let lines = format!(
            "{both}process.roles=broker\nnode.id=2\ncontroller.quorum.voters=1@127.0.0.1:{}\n\
             listeners=PLAINTEXT://127.0.0.1:{}\n",
            first.port + 1,
            second.port,
        );
        let second = second.with_lines(folder, &lines);
        first.start_again();
        second.start_again();
        (first, second)
    }

    /// Starts an empty one that clients reach by way of that port.
    pub(crate) fn start_behind(folder: &Path, port: u16) -> Self {
        let lines = format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n");
        let broker = Self::new(folder.join("kafka"), free_ports(2)).with_lines(folder, &lines);
        broker.start_again();
        broker
    }

    /// More lines of its `server.properties`.
    fn with_lines(mut self, folder: &Path, lines: &str) -> Self {
        let file = folder.join(format!("{}.properties", self.port));
        std::fs::write(&file, lines).unwrap();
        self.arguments = vec!["--extra".to_owned(), file.to_str().unwrap().to_owned()];
        self
    }

    /// The same with the listeners of `--secure` beside the plain one.
    pub(crate) fn start_secure(folder: &Path) -> Self {
        let mut broker = Self::new(folder.join("kafka"), free_ports(5));
        broker.arguments = vec!["--secure".to_owned()];
        broker.start_again();
        broker
    }

    /// The same, with access control: who comes by the plain listener may do all, "agent" what it is given.
    pub(crate) fn start_guarded(folder: &Path) -> Self {
        let lines = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
                     super.users=User:ANONYMOUS\n";
        let mut broker = Self::new(folder.join("kafka"), free_ports(5)).with_lines(folder, lines);
        broker.arguments.push("--secure".to_owned());
        broker.start_again();
        broker
    }

    /// Gives "agent" the right to read a topic.
    pub(crate) fn let_agent_read(&self, topic: &str) {
        let address = self.address();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/kafka");
        let mut command = Command::new(script);
        command.args(["tool", "org.apache.kafka.tools.AclCommand", "--bootstrap-server", &address]);
        command.args(["--add", "--allow-principal", "User:agent", "--operation", "Read"]);
        run(command.args(["--topic", topic]), b"");
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
        let arguments = self.arguments.iter().map(String::as_str);
        self.script(&["start", "--keep"].into_iter().chain(arguments).collect::<Vec<_>>());
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
    let mut run: Vec<u16> = Vec::new();
    while run.len() < usize::from(count) {
        let port = free_port();
        if run.last().is_some_and(|last| last + 1 != port) {
            run.clear();
        }
        run.push(port);
    }
    *run.first().unwrap()
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}
