//! What people write who come from another program, and what to write here.

use anabranch_connectors::{SinkConfig, SourceConfig};

use super::tree::Step;

/// Settings at the top of other programs' files: what they begin with, whose they are, and what stands for them here.
const TOP: [(&str, &str, &str); 27] = [
    ("filebeat", "Filebeat", FILES),
    ("output", "Filebeat or Logstash", SINKS),
    ("input", "Logstash or Fluent Bit", FILES),
    ("filter", "Logstash or Fluent Bit", NO_CHANGES),
    ("setup.", "Filebeat", "leave it out; an index template is set up in the search cluster"),
    ("logging", "Filebeat", "write `log: { level: info }`"),
    ("queue.", "Filebeat", "leave it out; `topics` and `topic_defaults` say what is kept"),
    ("processors", "Filebeat or OpenTelemetry", NO_CHANGES),
    ("transforms", "Vector", NO_CHANGES),
    ("enrichment_tables", "Vector", NO_CHANGES),
    ("api", "Vector", "write `admin: { listen: \"127.0.0.1:9690\" }`"),
    ("pipeline", "Fluent Bit", BOTH),
    ("service", "Fluent Bit or OpenTelemetry", BOTH),
    ("parsers", "Fluent Bit", NO_CHANGES),
    ("receivers", "OpenTelemetry", FILES),
    ("exporters", "OpenTelemetry", SINKS),
    ("extensions", "OpenTelemetry", "leave it out; `admin` has health and metrics"),
    ("connectors", "OpenTelemetry", BOTH),
    ("scrape_configs", "Promtail", FILES),
    ("clients", "Promtail", SINKS),
    ("positions", "Promtail", "leave it out; positions are kept in `data_dir`"),
    ("server", "Promtail", "write `admin: { listen: \"127.0.0.1:9690\" }`"),
    ("listeners", "Kafka", "write `hub: { embedded: { listen: \"127.0.0.1:9092\" } }`"),
    ("log.dirs", "Kafka", "write `data_dir: ./data`"),
    ("bootstrap", "Kafka", "write `hub: { kafka: { bootstrap_servers: [\"HOST:9092\"] } }`"),
    ("metrics", "other programs", "leave it out; `admin` has health and metrics"),
    ("destinations", "other programs", SINKS),
];

const FILES: &str =
    "write `sources: { NAME: { topic: TOPIC, from: { file: { include: [\"/path/*.log\"] } } } }`";
const SINKS: &str = "write `sinks: { NAME: { topics: [TOPIC], to: { elasticsearch: { endpoints: [\"http://HOST:9200\"] } } } }`";
const BOTH: &str = "write `sources:` with a topic each, and `sinks:` with the topics that they read; config/quickstart.yaml is an example";
const NO_CHANGES: &str = "records are kept and delivered as they came; leave it out";

/// Texts that are no YAML: what a line begins with, and whose it is.
const TEXTS: [(&str, &str); 17] = [
    ("input {", "Logstash"),
    ("input{", "Logstash"),
    ("filter {", "Logstash"),
    ("output {", "Logstash"),
    ("<source>", "Fluentd"),
    ("<match", "Fluentd"),
    ("[service]", "Fluent Bit"),
    ("[input]", "Fluent Bit"),
    ("[output]", "Fluent Bit"),
    ("[sources.", "Vector, in TOML"),
    ("[sinks.", "Vector, in TOML"),
    ("[transforms.", "Vector, in TOML"),
    ("data_dir =", "Vector, in TOML"),
    ("module(load", "rsyslog"),
    ("$modload", "rsyslog"),
    ("@version:", "syslog-ng"),
    ("@include", "syslog-ng"),
];

/// The program whose configuration a text seems to be, and what to do about it.
pub(super) fn program_of(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.filter(|line| !line.starts_with('#'));
    let first = lines.next()?.to_lowercase();
    let (_, program) = TEXTS.iter().find(|(beginning, _)| first.starts_with(beginning))?;
    Some(format!(
        "this looks like a configuration of {program}; here it is YAML with `sources:` and `sinks:`; \
         config/quickstart.yaml is an example"
    ))
}

/// What to write for a setting that is not known in the block at `path`.
pub(super) fn meant(path: &[Step], field: &str, connectors: [&[&str]; 2]) -> Option<String> {
    match path {
        [] => {
            let same = |name: &str| field == name || is_part_of(field, name);
            let (_, program, hint) = TOP.iter().find(|(name, _, _)| same(name))?;
            Some(format!("it is a setting of {program}; {hint}"))
        }
        [Step::Key(block), Step::Key(_)] if block == "sources" || block == "sinks" => {
            let (way, known, cards) = match connectors {
                [sources, _] if block == "sources" => ("from", sources, SourceConfig::CARDS),
                [_, sinks] => ("to", sinks, SinkConfig::CARDS),
            };
            if matches!(field, "type" | "kind") {
                let known = known.join(", ");
                return Some(format!(
                    "the name of the connector is a key: write `{way}: {{ NAME: {{ … }} }}`, NAME being one of {known}"
                ));
            }
            if known.contains(&field) {
                return Some(format!("write `{way}: {{ {field}: {{ … }} }}`"));
            }
            let (connector, _) = cards.iter().find(|(_, card)| card.settings.contains(&field))?;
            Some(format!(
                "settings of a connector stand in its block, as in `{way}: {{ {connector}: {{ … }} }}`"
            ))
        }
        _ => None,
    }
}

/// The connector that is called `name` elsewhere.
pub(super) fn connector<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let name = name.to_lowercase();
    let cards = SourceConfig::CARDS.iter().chain(SinkConfig::CARDS);
    let mut ours = cards.filter(|(_, card)| card.also.contains(&name.as_str()));
    ours.find_map(|(kind, _)| known.iter().find(|known| *known == kind).copied())
}

/// Whether `field` is `name` with more behind it, as in `filebeat.inputs`.
fn is_part_of(field: &str, name: &str) -> bool {
    let rest = field.strip_prefix(name);
    rest.is_some_and(|rest| name.ends_with('.') || rest.starts_with(['.', '_']) || rest == "s")
}
