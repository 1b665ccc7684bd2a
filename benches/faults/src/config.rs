//! The agent's configuration.

use std::path::Path;

use crate::case::Hub;

/// What a configuration is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The name of the run: of topics, groups and the index.
    pub id: String,
    /// Which hub.
    pub hub: Hub,
    /// `bootstrap_servers`, with Kafka.
    pub brokers: Vec<String>,
    /// `hub.embedded.flush`.
    pub flush: String,
    /// `host:port` of the search server, or of what is before it.
    pub search: Option<String>,
    /// A number of the agent that is part of its paths and of names that must be its own.
    pub agent: usize,
    /// Whether the sink's files end at a size.
    pub rotate: bool,
    /// Whether the source's pattern matches renamed files too.
    pub renamed: bool,
    /// Whether it matches copies too.
    pub copies: bool,
}

/// Where an agent listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Health and metrics.
    pub admin: u16,
    /// The HTTP source.
    pub posts: u16,
    /// The syslog source.
    pub syslog: u16,
}

/// Folders of an agent.
#[derive(Debug, Clone, Copy)]
pub struct Folders<'a> {
    /// `data_dir`.
    pub data: &'a Path,
    /// Where the file sink writes.
    pub out: &'a Path,
    /// What the file source watches.
    pub logs: &'a Path,
    /// Where the targets of links are.
    pub beside: &'a Path,
}

impl Parts {
    /// The topics, one for each way in.
    pub fn topics(&self) -> [String; 3] {
        ["files", "posts", "syslog"].map(|way| format!("{}-{way}", self.id))
    }

    /// The name of the file sink.
    pub fn archive(&self) -> String {
        format!("{}-archive-{}", self.id, self.agent)
    }

    /// The name of the search sink.
    pub fn finder(&self) -> String {
        format!("{}-search", self.id)
    }

    /// Partitions of a topic: where two agents share them, there are several.
    pub fn partitions(&self) -> usize {
        if self.hub == Hub::Cluster { 4 } else { 1 }
    }

    /// The configuration; a reload goes from one `turn` to the next, which changes a setting of everything.
    pub fn text(&self, ports: Ports, folders: Folders<'_>, turn: usize) -> String {
        let [files, posts, syslog] = self.topics();
        let Ports { admin, posts: http, syslog: tcp } = ports;
        let Folders { data, out, logs, beside } = folders;
        let (data, out, logs) = (data.display(), out.display(), logs.display());
        let changes = |bit: usize| (turn >> (bit % 3)) & 1;
        // Without its positions an agent finds what was renamed only where it is told to look.
        let include = match (self.renamed, self.copies) {
            (_, true) => format!("\"{logs}/*.log*\", \"{}/*.log.*\"", beside.display()),
            (true, false) => format!("\"{logs}/{{*.log,r*.log.*}}\""),
            (false, false) => format!("\"{logs}/*.log\""),
        };
        let rotate = if self.rotate { ", rotate: { size: 300kB }" } else { "" };
        let mut text = format!(
            "data_dir: {data}\n\
             admin: {{ listen: \"127.0.0.1:{admin}\" }}\n\
             {hub}\
             topic_defaults: {{ partitions: {partitions}, retention: {{ time: none, size: none }} }}\n\
             sources:\n  \
               files: {{ topic: {files}, from: {{ file: {{ include: [{include}], exclude: [], \
                 reconcile_interval: 2s, partial_line_timeout: 60s, close_idle: {idle}m }} }} }}\n  \
               posts: {{ topic: {posts}, from: {{ http: {{ listen: \"127.0.0.1:{http}\", timeout: {timeout}s }} }} }}\n  \
               network: {{ topic: {syslog}, from: {{ syslog: {{ listen: [\"tcp://127.0.0.1:{tcp}\"], \
                 max_connections: {most} }} }} }}\n\
             sinks:\n  \
               {archive}: {{ topics: [{files}, {posts}, {syslog}], batch: {{ max_records: {records} }}, \
                 to: {{ file: {{ path: \"{out}/{{topic}}.ndjson\"{rotate} }} }} }}\n",
            hub = self.hub(),
            partitions = self.partitions(),
            idle = 4 + changes(0),
            timeout = 8 + changes(1),
            most = 100 + changes(2),
            archive = self.archive(),
            records = 300 + changes(1) * 200,
        );
        if let Some(search) = &self.search {
            text.push_str(&format!(
                "  {finder}: {{ topics: [{files}, {posts}, {syslog}], retry: {{ backoff_max: 2s }}, \
                   batch: {{ max_records: {records} }}, to: {{ elasticsearch: \
                   {{ endpoints: [\"http://{search}\"], index: \"{id}\", timeout: 8s }} }} }}\n",
                finder = self.finder(),
                records = 200 + changes(2) * 300,
                id = self.id,
            ));
        }
        text
    }

    fn hub(&self) -> String {
        match self.hub {
            Hub::Embedded => format!(
                "hub: {{ embedded: {{ listen: none, flush: {}, min_free: 256kB, segment_size: 1MiB }} }}\n",
                self.flush
            ),
            Hub::Kafka | Hub::Cluster => {
                let copies = if self.hub == Hub::Cluster { 3 } else { 1 };
                let brokers: Vec<_> =
                    self.brokers.iter().map(|broker| format!("\"{broker}\"")).collect();
                format!(
                    "hub: {{ kafka: {{ bootstrap_servers: [{}], replication_factor: {copies}, \
                     options: {{ session.timeout.ms: \"6000\", heartbeat.interval.ms: \"500\" }} }} }}\n",
                    brokers.join(", ")
                )
            }
        }
    }
}
