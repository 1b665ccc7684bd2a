//! What `anabranch run` tells a person: what runs where, and what to try next.

use std::collections::BTreeSet;

use anabranch_connectors::shared::stream::activation;

use crate::config::{self, Config, Flush, HubConfig};

/// The hub in one line, with what its `flush` can cost.
pub(super) fn hub(config: &Config) -> String {
    match &config.hub {
        HubConfig::Kafka(kafka) => format!("Kafka at {}", kafka.bootstrap_servers.join(", ")),
        HubConfig::Embedded(embedded) => {
            let cost = match embedded.flush {
                Flush::Each => "a power cut costs nothing that was acknowledged".to_owned(),
                Flush::Every(interval) => {
                    let interval = humantime::format_duration(interval);
                    format!("a power cut can cost the last {interval}, a crash nothing")
                }
                Flush::Os => {
                    "a power cut can cost what the system has not written, a crash nothing"
                        .to_owned()
                }
            };
            format!("embedded log in {}; {cost}", config.data_dir.display())
        }
    }
}

/// A few lines for a terminal.
pub(super) fn lines(config: &Config, listening: &[String]) -> Vec<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut lines = vec![format!("anabranch {version} is running, Ctrl-C stops it")];
    lines.push(format!("  hub      {}", hub(config)));
    lines.extend(listening.iter().map(|address| format!("  kafka    any Kafka client: {address}")));
    lines.extend(config::open_to_all(config).iter().map(|open| format!("  open     {open}")));
    for (name, source) in &config.sources {
        let (kind, topic) = (source.from.kind(), &source.topic);
        let listens = source.from.listens().join(" ");
        lines.push(
            format!("  source   {name} ({kind}) → topic {topic} {listens}").trim_end().to_owned(),
        );
    }
    for (name, sink) in &config.sinks {
        let example =
            config.sources.values().next().and_then(|source| sink.to.writes(&source.topic));
        let example = example.map(|file| file.template).unwrap_or_default();
        let (kind, topics) = (sink.to.kind(), sink.topics.join(", "));
        lines
            .push(format!("  sink     {name} ({kind}) ← {topics} {example}").trim_end().to_owned());
    }
    let is_known = |listen: &&String| activation::name(listen).is_none();
    if let Some(listen) = config.admin.listen.as_ref().filter(is_known) {
        let curl = match listen.strip_prefix("unix:") {
            Some(path) => format!("curl --unix-socket {path} http://localhost"),
            None => match &config.admin.tls {
                Some(tls) => {
                    format!("curl --cacert {} https://{listen}", tls.certificate.display())
                }
                None => format!("curl http://{listen}"),
            },
        };
        lines.push(format!("  watch    {curl}/health ; {curl}/metrics"));
    }
    lines.extend(tries(config));
    lines
}

fn tries(config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    let mut shown = BTreeSet::new();
    for source in config.sources.values() {
        // One of a kind is enough to see that it works.
        if let Some(command) = source.from.try_it()
            && shown.insert(source.from.kind())
        {
            lines.push(format!("  try      {command}"));
        }
    }
    if let (Some(source), HubConfig::Embedded(_)) = (config.sources.values().next(), &config.hub) {
        let (data, topic) = (config.data_dir.display(), &source.topic);
        lines.push(format!("  read     anabranch consume --data-dir {data} --follow {topic}"));
    }
    lines
}
