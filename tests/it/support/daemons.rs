//! Other people's programs around a log, run for real with all their files in a folder of the test.
//!
//! The first argument is always the program's path, as [`super::server`] gives it.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, geteuid};

use super::program::{Program, run};
use super::waiting::SOON;
use super::{free_port, http};

/// A running rsyslogd.
pub(crate) struct Rsyslogd {
    _program: Program,
}

impl Rsyslogd {
    /// Starts it with `config`, to which its working folder is added, and waits until it runs.
    pub(crate) fn start(path: &str, folder: &Path, config: &str) -> Self {
        let (file, pid) = (folder.join("rsyslog.conf"), folder.join("rsyslog.pid"));
        let work = format!("global(workDirectory=\"{}\")\n", folder.display());
        fs::write(&file, work + config).unwrap();
        let mut command = Command::new(path);
        command.arg("-n").arg("-f").arg(&file).arg("-i").arg(&pid);
        let mut program = Program::start(&mut command, &folder.join("rsyslog.log"));
        program.wait_ready(SOON, || pid.exists());
        Self { _program: program }
    }
}

/// A running nginx that answers every request with 200; its process id is in `nginx.pid`.
pub(crate) struct Nginx {
    program: Program,
    /// `host:port` where it listens.
    pub(crate) address: String,
}

impl Nginx {
    /// Starts it and waits until it answers. `http` are lines of the `http` block, such as `access_log`.
    ///
    /// The first request, with which we see that it answers, is logged as `/ready`.
    pub(crate) fn start(path: &str, folder: &Path, http: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let config = folder.join("nginx.conf");
        fs::write(&config, nginx_config(folder, &address, http)).unwrap();
        let mut command = Command::new(path);
        command.arg("-e").arg(folder.join("nginx-error.log"));
        command.arg("-p").arg(folder).arg("-c").arg(&config).args(["-g", "daemon off;"]);
        let mut program = Program::start(&mut command, &folder.join("nginx.log"));
        let ready = format!("http://{address}/ready");
        program.wait_ready(SOON, || http::get(&ready).is_ok());
        Self { program, address }
    }

    /// Sends SIGUSR1, upon which it opens its log files anew.
    pub(crate) fn reopen(&mut self) {
        self.program.signal(Signal::USR1);
    }
}

fn nginx_config(folder: &Path, address: &str, http: &str) -> String {
    let folder = folder.display();
    // Workers open the logs again after a rotation, which as another user they could not.
    let user = if geteuid().is_root() { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("{what}_temp_path {folder}/nginx-{what};\n"))
        .concat();
    format!(
        "{user}\nworker_processes 1;\npid {folder}/nginx.pid;\nevents {{ worker_connections 64; }}\n\
         http {{\n{temporary}{http}\n\
         server {{ listen {address}; location / {{ return 200 \"ok\\n\"; }} }}\n}}\n"
    )
}

/// Rotates `log` once, whatever its size, with the settings in `lines`; its own files are in `folder`.
pub(crate) fn logrotate(path: &str, folder: &Path, log: &Path, lines: &str) {
    // A folder that others may write to is refused unless it says as whom to work.
    let user = if geteuid().is_root() { "su root root" } else { "" };
    let config = format!("{} {{\n{user}\nsize 1\nrotate 50\n{lines}\n}}\n", log.display());
    let file = folder.join("logrotate.conf");
    fs::write(&file, config).unwrap();
    let state = folder.join("logrotate.state");
    run(Command::new(path).arg("-s").arg(state).arg(file), b"");
}

/// Sends one message with util-linux' logger.
pub(crate) fn logger(path: &str, arguments: &[&str]) {
    run(Command::new(path).args(arguments), b"");
}

/// Runs kcat, a client of Kafka, and returns what it printed.
pub(crate) fn kcat(path: &str, arguments: &[&str], input: &str) -> String {
    run(Command::new(path).args(arguments), input.as_bytes())
}
