//! Servers that are started, killed and stopped by the scripts of `tests/servers`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use crate::plan::Deed;
use crate::ports;
use crate::proxy::Proxy;

/// One server of the bench's own.
#[derive(Debug)]
pub struct Server {
    /// `host:port`, of the way to it if there is one.
    pub address: String,
    /// What is between it and the agents.
    pub way: Option<Proxy>,
    script: PathBuf,
    /// Between the command and the options.
    words: Vec<String>,
    options: Vec<String>,
    folder: PathBuf,
    doing: Option<JoinHandle<Result<(), String>>>,
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/servers").join(name)
}

impl Server {
    /// An Elasticsearch in `folder`, started.
    ///
    /// # Errors
    /// What its script says.
    pub fn search(folder: &Path) -> Result<Self, String> {
        let port = pair()?;
        let mut server = Self {
            address: format!("127.0.0.1:{port}"),
            way: None,
            script: script("search"),
            words: vec!["es8".to_owned()],
            options: vec!["--port".to_owned(), port.to_string()],
            folder: folder.to_owned(),
            doing: None,
        };
        server.begin();
        server.finish()?;
        Ok(server)
    }

    /// `count` brokers of Kafka in folders below `folder`, started; with three, everything is on all of them.
    ///
    /// # Errors
    /// What their scripts say.
    pub fn brokers(folder: &Path, count: usize) -> Result<Vec<Self>, String> {
        let ports = (0..count).map(|_broker| pair()).collect::<Result<Vec<_>, _>>()?;
        let voter =
            |(number, port): (usize, &u16)| format!("{}@127.0.0.1:{}", number + 1, port + 1);
        let voters: Vec<_> = ports.iter().enumerate().map(voter).collect();
        let mut brokers = Vec::new();
        for (number, port) in ports.iter().enumerate() {
            let own = folder.join(format!("broker-{}", number + 1));
            std::fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
            let extra = own.join("extra.properties");
            let way = Proxy::start(SocketAddr::from(([127, 0, 0, 1], *port)))?;
            let text = listeners(*port, ports::free()?, way.address)
                + &properties(number + 1, &voters, count);
            std::fs::write(&extra, text)
                .map_err(|error| format!("{}: {error}", extra.display()))?;
            let options = ["--port", &port.to_string(), "--extra", &extra.to_string_lossy()];
            let mut broker = Self {
                address: way.address.to_string(),
                way: Some(way),
                script: script("kafka"),
                words: Vec::new(),
                options: options.map(str::to_owned).to_vec(),
                folder: own,
                doing: None,
            };
            broker.begin();
            brokers.push(broker);
        }
        for broker in &mut brokers {
            broker.finish()?;
        }
        Ok(brokers)
    }

    fn command(&self, word: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.script);
        command.arg(word).args(&self.words).args(options).arg("--dir").arg(&self.folder);
        command
    }

    fn begin(&mut self) {
        let mut command = self.command("start", &["--keep"]);
        command.args(&self.options);
        self.doing = Some(std::thread::spawn(move || done(&mut command)));
    }

    /// Waits for what was begun last.
    ///
    /// # Errors
    /// What the script says.
    pub fn finish(&mut self) -> Result<(), String> {
        match self.doing.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(done)) => done,
            Some(Err(_panic)) => Err("the thread of a server has panicked".to_owned()),
        }
    }

    /// Does something to it; a start goes on beside what follows.
    ///
    /// # Errors
    /// What the script says.
    pub fn act(&mut self, deed: Deed) -> Result<(), String> {
        self.finish()?;
        match deed {
            Deed::Kill => done(&mut self.command("stop", &["--kill"])),
            Deed::Start => {
                self.signal(Signal::CONT);
                if !self.runs() {
                    self.begin();
                }
                Ok(())
            }
            Deed::Pause => {
                self.signal(Signal::STOP);
                Ok(())
            }
            Deed::Resume => {
                self.signal(Signal::CONT);
                Ok(())
            }
        }
    }

    fn pid(&self) -> Option<Pid> {
        let text = std::fs::read_to_string(self.folder.join("pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }

    fn runs(&self) -> bool {
        self.pid().is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // One that has ended is left alone.
            kill_process(pid, signal).ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever it was doing: it is killed, and its folder goes with the bench.
        self.finish().ok();
        done(&mut self.command("stop", &["--kill"])).ok();
    }
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A free port whose successor is free too.
fn pair() -> Result<u16, String> {
    let mut before = ports::free()?;
    loop {
        let port = ports::free()?;
        if port == before + 1 {
            return Ok(before);
        }
        before = port;
    }
}

/// Agents come by the way that may fail, brokers to each other directly.
fn listeners(port: u16, internal: u16, way: SocketAddr) -> String {
    let controller = port + 1;
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{port},INTERNAL://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://{way},INTERNAL://127.0.0.1:{internal}\n\
         inter.broker.listener.name=INTERNAL\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
    )
}

/// What differs from a single broker of the tests.
fn properties(id: usize, voters: &[String], count: usize) -> String {
    let needed = if count > 1 { 2 } else { 1 };
    format!(
        "node.id={id}\n\
         controller.quorum.voters={voters}\n\
         default.replication.factor={count}\n\
         min.insync.replicas={needed}\n\
         offsets.topic.replication.factor={count}\n\
         transaction.state.log.replication.factor={count}\n\
         transaction.state.log.min.isr={needed}\n\
         num.partitions=1\n",
        voters = voters.join(",")
    )
}
