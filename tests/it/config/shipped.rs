//! The files in `config/` and `deploy/config/`.

use std::fs;
use std::path::Path;

use anabranch::config::{self, Config, HubConfig, Invalid};
use anabranch_connectors::{SinkConfig, SourceConfig};

fn shipped() -> Vec<std::path::PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries =
        ["config", "deploy/config"].map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let mut files: Vec<_> =
        entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_shipped_file_loads_and_nothing_is_said_against_it() {
    let mut faults = Vec::new();
    for file in shipped() {
        match config::load_checked(&file) {
            Ok((_, warnings)) => faults.extend(warnings.iter().map(Invalid::to_string)),
            Err(refused) => faults.push(refused.to_string()),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(shipped().len() >= 8);
}

/// The configuration inside of a manifest of Kubernetes.
fn inside(manifest: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes").join(manifest);
    let text = fs::read_to_string(path).unwrap();
    let behind = text.split("anabranch.yaml: |\n").nth(1).unwrap();
    let lines = behind.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.strip_prefix("    ").unwrap_or_default().to_owned() + "\n").collect()
}

#[test]
fn what_runs_as_a_service_is_not_open_to_other_users() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "config/daemon.yaml",
        "config/sidecar.yaml",
        "config/syslog-hub.yaml",
        "deploy/config/agent.yaml",
    ];
    let files = files.map(|name| (name, fs::read_to_string(root.join(name)).unwrap()));
    let manifests = ["daemonset.yaml", "sidecar.yaml"].map(|name| (name, inside(name)));
    for (name, text) in files.into_iter().chain(manifests) {
        let config = config::load_str(&text, name).unwrap();
        let open = config::open_to_all(&config);
        assert!(!open.iter().any(|open| open.contains("topic")), "{name}: {open:?}");
    }
}

#[test]
fn every_shipped_file_begins_with_what_it_is_for() {
    for file in shipped() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}", file.display());
    }
}

#[test]
fn the_first_file_listens_on_this_machine_only() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/quickstart.yaml");
    let Config { sources, admin, hub, .. } = config::load(&file).unwrap();
    let HubConfig::Embedded(embedded) = hub else { panic!("not embedded") };
    assert_eq!(embedded.listeners, []);
    let listens = sources.values().flat_map(|source| source.from.listens()).chain(admin.listen);
    let listens = listens.chain(embedded.listen.address().map(str::to_owned));
    for address in listens {
        assert!(address.contains("127.0.0.1:"), "{address}");
    }
}

#[test]
fn readme_gives_the_guarantee_of_every_connector() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, rest) = readme.split_once("\n## Delivery guarantees\n").unwrap();
    let (_, rest) = rest.split_once("| source | guarantee |").unwrap();
    let (sources, rest) = rest.split_once("| sink | guarantee |").unwrap();
    let (sinks, _) = rest.split_once("\n\nExactly once in ").unwrap();
    for (table, cards) in [(sources, SourceConfig::CARDS), (sinks, SinkConfig::CARDS)] {
        for (kind, card) in cards {
            let row = format!("\n| {kind} | {} | ", card.guarantee);
            assert!(table.contains(&row), "README has no row {row}");
        }
        let rows = table.lines().filter(|line| line.starts_with("| ")).count();
        assert_eq!(rows, cards.len(), "README tells of a connector that there is not:{table}");
    }
}
