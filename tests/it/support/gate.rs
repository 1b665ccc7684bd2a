//! nginx before another server, as many have it: it asks for a password, has a limit, is away, hangs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::free_port;
use super::program::Program;
use super::waiting::{SOON, wait_until};

/// The user whose password is asked for.
pub(crate) const GATE_USER: &str = "agent";

/// What the gate does with requests.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// All are answered with this status.
    pub(crate) answer: Option<u16>,
    /// Only those with the password of [`GATE_USER`] are let through; others get 401.
    pub(crate) password: Option<String>,
    /// Larger bodies are answered with 413, bytes.
    pub(crate) body_max: Option<usize>,
}

/// A running nginx that hands requests on to one server.
pub(crate) struct Gate {
    nginx: String,
    folder: PathBuf,
    address: String,
    server: String,
    program: Option<Program>,
}

impl Gate {
    /// Starts one before `server`, a URL without a path; its files are in `folder`.
    pub(crate) fn start(nginx: &str, folder: &Path, server: &str) -> Self {
        let folder = folder.join("gate");
        fs::create_dir(&folder).unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut gate = Self {
            nginx: nginx.to_owned(),
            folder,
            address,
            server: server.to_owned(),
            program: None,
        };
        gate.rule(&Rules::default());
        gate
    }

    /// The URL of `path` here, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Follows other rules from now on; for a moment it is away.
    pub(crate) fn rule(&mut self, rules: &Rules) {
        fs::write(self.folder.join("nginx.conf"), self.config(rules)).unwrap();
        if let Some(password) = &rules.password {
            let users = format!("{GATE_USER}:{{PLAIN}}{password}\n");
            fs::write(self.folder.join("users"), users).unwrap();
        }
        self.go_away();
        self.come_back();
    }

    /// Ends it: connections are cut, and refused until [`Self::come_back`].
    pub(crate) fn go_away(&mut self) {
        self.program = None;
    }

    /// Starts it again with the rules that it had.
    pub(crate) fn come_back(&mut self) {
        let mut command = Command::new(&self.nginx);
        command.arg("-e").arg(self.folder.join("error.log")).arg("-p").arg(&self.folder);
        command.arg("-c").arg(self.folder.join("nginx.conf"));
        let mut program = Program::start(&mut command, &self.folder.join("nginx.log"));
        // Not by a request: it would be counted, or hang.
        program.wait_ready(SOON, || std::net::TcpStream::connect(&self.address).is_ok());
        self.program = Some(program);
    }

    /// Stops its process as it stands: connections are taken and nothing is answered.
    pub(crate) fn freeze(&mut self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.program.as_mut().expect("a running gate").signal(signal);
    }

    /// Waits until it has answered requests with `status`.
    #[track_caller]
    pub(crate) fn wait_answered(&self, status: u16) {
        let status = status.to_string();
        wait_until(SOON, &format!("an answer {status}"), || {
            let answers = fs::read_to_string(self.folder.join("access.log")).unwrap_or_default();
            answers.lines().any(|answer| answer == status)
        });
    }

    fn config(&self, rules: &Rules) -> String {
        let (folder, address) = (self.folder.display(), &self.address);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("{what}_temp_path {folder}/{what};\n"))
            .concat();
        let password = match rules.password {
            Some(_) => format!("auth_basic agents;\nauth_basic_user_file {folder}/users;\n"),
            None => String::new(),
        };
        let answer = match rules.answer {
            Some(status) => format!("return {status};"),
            None => format!("proxy_pass {};", self.server),
        };
        // One process, so that it is stopped and frozen as a whole.
        format!(
            "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nevents {{ worker_connections 256; }}\n\
             http {{\n{temporary}log_format status '$status';\naccess_log {folder}/access.log status;\n\
             client_body_buffer_size 1m;\nclient_max_body_size {body_max};\n{password}\
             server {{ listen {address}; location / {{ {answer} }} }}\n}}\n",
            // 0: no limit.
            body_max = rules.body_max.unwrap_or(0),
        )
    }
}
