//! A service that takes requests, behind nginx.

use std::path::Path;

use super::{Far, Refused};
use crate::support::{GATE_USER, Gate, Receiver, Rules, server};

struct Service {
    receiver: Receiver,
    gate: Gate,
}

/// A receiver and its gate; `None` without nginx.
pub(in crate::conformance) fn open(at: &Path) -> Option<Box<dyn Far>> {
    let nginx = server("ANABRANCH_NGINX")?;
    let receiver = Receiver::start();
    let gate = Gate::start(&nginx, at, receiver.url("").as_str());
    Some(Box::new(Service { receiver, gate }))
}

impl Far for Service {
    fn to(&self, password: Option<&str>) -> String {
        let url = self.gate.url("/in");
        format!("http: {{ url: \"{url}\", format: lines, auth: {} }}", auth(password))
    }

    fn arrived(&self) -> Vec<String> {
        self.receiver.lines()
    }

    fn refuse(&mut self) -> Refused {
        self.receiver.refuse("poison", 422);
        Refused { line: |number| format!("a#{number:07} poison"), reason: "HTTP 422" }
    }

    /// Only for some, so that what is taken for a refusal for good is not seen to be one of all.
    fn be_busy(&mut self, status: Option<u16>) {
        match status {
            Some(status) => self.receiver.refuse("77 the", status),
            None => self.receiver.refuse("in no line", 429),
        }
    }

    fn limit(&mut self, bytes: usize) -> &'static str {
        self.gate.rule(&Rules { body_max: Some(bytes), ..Rules::default() });
        "HTTP 413"
    }

    fn was_too_large(&self) {
        self.gate.wait_answered(413);
    }

    fn go_away(&mut self) {
        self.gate.go_away();
    }

    fn come_back(&mut self) {
        self.gate.come_back();
    }

    fn ask_for(&mut self, password: &str) -> &'static str {
        self.gate.rule(&Rules { password: Some(password.to_owned()), ..Rules::default() });
        "HTTP 401"
    }

    fn hold(&mut self) {
        self.gate.freeze(true);
    }

    fn go_on(&mut self) {
        self.gate.freeze(false);
    }
}

/// The setting `auth` of those who log in at a gate.
pub(super) fn auth(password: Option<&str>) -> String {
    match password {
        None => "null".to_owned(),
        Some(password) => {
            format!("{{ basic: {{ username: {GATE_USER}, password: \"{password}\" }} }}")
        }
    }
}
