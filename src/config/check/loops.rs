//! Files that are read and written by the same agent.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anabranch_connectors::SourceConfig;

use super::Findings;
use crate::config::{Config, SinkBlock};

pub(super) fn check(config: &Config, findings: &mut Findings) {
    for (name, source) in &config.sources {
        let path = &["sources", name, "from", source.from.kind()];
        // Wherever below the data folder a hub keeps its files.
        let inside = ["x.log", "log/x-0/00000000000000000000.log", "x-0/00000000000000000000.log"];
        if inside.iter().any(|file| reads(&source.from, &config.data_dir.join(file))) {
            let problem = format!("reads the agent's own files in {}", config.data_dir.display());
            findings.error(path, problem, "exclude the folder, or move data_dir");
        }
        for (sink_name, sink) in &config.sinks {
            let written = topics(config, sink).filter_map(|topic| sink.to.writes(topic));
            let mut read = written.map(|(file, _)| file).filter(|file| reads(&source.from, file));
            if let Some(file) = read.next() {
                let problem =
                    format!("reads what the sink `{sink_name}` writes ({})", file.display());
                findings.error(path, problem, "exclude those files, or write to another folder");
            }
        }
    }
    check_written_files(config, findings);
}

fn check_written_files(config: &Config, findings: &mut Findings) {
    let mut writers: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, sink) in &config.sinks {
        let Some((file, template)) = sink.to.writes("x") else {
            continue;
        };
        if absolute(&file).starts_with(absolute(&config.data_dir)) {
            let problem =
                format!("writes into the agent's own folder ({})", config.data_dir.display());
            let hint = "write to another folder, or move data_dir";
            findings.error(&["sinks", name, "to", sink.to.kind(), "path"], problem, hint);
        }
        if let Some(other) = writers.insert(absolute(Path::new(&template)), name) {
            let problem = format!("the sink `{other}` writes the same files");
            let hint = "give each a path of its own, or one sink the topics of both";
            findings.error(&["sinks", name, "to", sink.to.kind(), "path"], problem, hint);
        }
    }
}

/// The topics that are known to reach `sink`, and one that may.
fn topics<'a>(config: &'a Config, sink: &'a SinkBlock) -> impl Iterator<Item = &'a str> {
    let written = config.sources.values().map(|source| source.topic.as_str());
    let named = sink.topics.iter().map(String::as_str).filter(|topic| !topic.starts_with('^'));
    config.topics.keys().map(String::as_str).chain(written).chain(named)
}

/// Whether the source reads `path`, however its own patterns are written.
fn reads(source: &SourceConfig, path: &Path) -> bool {
    source.reads(path) || source.reads(&absolute(path))
}

/// The path from the root, without `.` and `..`.
fn absolute(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_empty| path.to_owned());
    let mut clean = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                clean.push(component);
            }
        }
    }
    clean
}
