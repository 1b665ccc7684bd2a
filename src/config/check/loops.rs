//! Files that are read and written by the same agent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anabranch_connectors::contract::settings::{FileSet, WrittenFile};
use anabranch_connectors::shared::paths::places;

use super::findings::Findings;
use super::topics::Topics;
use crate::config::{Config, SinkBlock};

/// Sinks that are named in one finding.
const NAMED_MAX: usize = 3;

pub(super) fn check(config: &Config, topics: &Topics<'_>, findings: &mut Findings) {
    let written = Written::new(config, topics);
    // Wherever below the data folder a hub keeps its files.
    let own = ["x.log", "log/x-0/00000000000000000000.log", "x-0/00000000000000000000.log"];
    let own = own.map(|file| places(&config.data_dir.join(file)));
    for (name, source) in &config.sources {
        let Some(reads) = source.from.reads() else { continue };
        let path = &["sources", name, "from", source.from.kind()];
        if own.iter().flatten().any(|file| reads.contains(file)) {
            let problem = format!("reads the agent's own files in {}", config.data_dir.display());
            findings.error(path, problem, "exclude the folder, or move data_dir");
        }
        if let Some((sinks, file)) = written.read_by(reads.as_ref()) {
            let problem = format!("reads what the {sinks} ({})", file.display());
            findings.error(path, problem, "exclude those files, or write to another folder");
        }
    }
    check_written_files(config, findings);
}

/// What sinks write, by the bytes of the path, so that what begins with the same ones stands together.
struct Written<'a>(BTreeMap<Vec<u8>, Vec<(&'a str, PathBuf)>>);

impl<'a> Written<'a> {
    fn new(config: &'a Config, topics: &Topics<'_>) -> Self {
        let mut files: BTreeMap<Vec<u8>, Vec<(&str, PathBuf)>> = BTreeMap::new();
        for (name, sink) in &config.sinks {
            for file in examples(sink, topics) {
                let places = places(&file);
                let both = places.iter().take(if places[0] == places[1] { 1 } else { 2 });
                for place in both {
                    let path = place.as_os_str().as_encoded_bytes().to_vec();
                    files.entry(path).or_default().push((name, file.clone()));
                }
            }
        }
        Self(files)
    }

    /// The sinks that write what is read, in words, and one of the files.
    fn read_by(&self, reads: &dyn FileSet) -> Option<(String, &Path)> {
        let mut found: BTreeMap<&str, &Path> = BTreeMap::new();
        for beginning in reads.beginnings() {
            let begin_so = self.0.range(beginning.to_vec()..);
            for (path, writers) in begin_so.take_while(|(path, _)| path.starts_with(beginning)) {
                let Ok(path) = std::str::from_utf8(path) else { continue };
                if reads.contains(Path::new(path)) {
                    found.extend(writers.iter().map(|(sink, file)| (*sink, file.as_path())));
                }
            }
        }
        let (_, file) = found.first_key_value()?;
        let names: Vec<String> =
            found.keys().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
        let sinks = match (names.as_slice(), found.len().saturating_sub(NAMED_MAX)) {
            ([only], _) => format!("sink {only} writes"),
            (names, 0) => format!("sinks {} write", names.join(", ")),
            (names, more) => format!("sinks {} and {more} more write", names.join(", ")),
        };
        Some((sinks, file))
    }
}

/// A path for each topic that reaches the sink, where it depends on the topic.
fn examples(sink: &SinkBlock, topics: &Topics<'_>) -> BTreeSet<PathBuf> {
    let Some(any) = sink.to.writes("x") else { return BTreeSet::new() };
    if !any.template.contains("{topic") {
        return [any.example].into();
    }
    let reached = topics.read_by(&sink.topics);
    reached.into_iter().filter_map(|topic| sink.to.writes(topic)).map(|file| file.example).collect()
}

fn check_written_files(config: &Config, findings: &mut Findings) {
    let [data_dir, _] = places(&config.data_dir);
    let mut writers: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for (name, sink) in &config.sinks {
        let Some(written) = sink.to.writes("x") else { continue };
        let WrittenFile { setting, example: file, template } = written;
        let [file, _] = places(&file);
        let path = ["sinks", name, "to", sink.to.kind(), setting];
        if file.starts_with(&data_dir) {
            let problem =
                format!("writes into the agent's own folder ({})", config.data_dir.display());
            findings.error(&path, problem, "write to another folder, or move data_dir");
        }
        let [template, _] = places(Path::new(&template));
        if let Some(other) = writers.insert(template, name) {
            let problem = format!("the sink `{other}` writes the same files");
            let hint = "give each a path of its own, or one sink the topics of both";
            findings.error(&path, problem, hint);
        }
    }
}
