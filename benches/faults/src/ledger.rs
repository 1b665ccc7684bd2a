//! What the agent's own ledger says, beside what was counted here.

use std::process::Command;

use serde_json::Value;

use crate::case::Hub;
use crate::rig::{Rig, Settings};
use crate::verdict::Finding;

/// The word for one that is right.
pub const BALANCED: &str = "balanced";

impl Rig {
    /// `balanced`, or what is wrong: with the ledger in itself, with the log, or with what is in the sinks. What a power
    /// cut has taken back cannot be compared with the latter.
    pub fn ledger(&self, settings: &Settings, findings: &[Finding], loses: bool) -> String {
        let Some(station) = self.stations.first() else { return "no agent".to_owned() };
        let mut command = Command::new(&settings.program);
        command.args(["ledger", "--verify", "--json", "--config"]).arg(station.agent.config());
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => return format!("cannot be asked: {error}"),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return said.lines().map(str::trim).collect::<Vec<_>>().join("; ");
        }
        let ledger = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        let differences = if loses || settings.case.hub == Hub::Cluster {
            Vec::new()
        } else {
            self.differences(&ledger, findings)
        };
        if differences.is_empty() { BALANCED.to_owned() } else { differences.join("; ") }
    }

    fn differences(&self, ledger: &Value, findings: &[Finding]) -> Vec<String> {
        let Some(parts) = self.stations.first().map(|station| &station.parts) else {
            return Vec::new();
        };
        let stored = ["files", "posts", "network"]
            .map(|name| records(row(ledger, "sources", name), "stored"));
        let archive = row(ledger, "sinks", &parts.archive());
        let search = row(ledger, "sinks", &parts.finder());
        let dead = search.and_then(|row| row.get("dead")?.as_object());
        let dead = dead.map_or(0, |reasons| reasons.values().map(|one| number(Some(one))).sum());
        let claims = [
            ("hub", stored.iter().sum()),
            ("file", records(archive, "delivered")),
            ("search", records(search, "delivered")),
            ("dead", dead),
        ];
        let mut differences = Vec::new();
        for (place, claimed) in claims {
            let found = findings.iter().find(|finding| finding.place == place);
            let found = found.map(|finding| finding.count.delivered);
            if let Some(found) = found.filter(|found| u64::try_from(*found) != Ok(claimed)) {
                differences.push(format!("{place}: the ledger has {claimed}, there are {found}"));
            }
        }
        differences
    }
}

fn row<'a>(ledger: &'a Value, kind: &str, name: &str) -> Option<&'a Value> {
    let rows = ledger.get(kind)?.as_array()?;
    rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name))
}

fn records(row: Option<&Value>, what: &str) -> u64 {
    number(row.and_then(|row| row.get(what)))
}

fn number(amount: Option<&Value>) -> u64 {
    amount.and_then(|amount| amount.get("records")?.as_u64()).unwrap_or(0)
}
