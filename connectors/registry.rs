//! Every connector by its name in the configuration: the one key of `from:` and of `to:`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::contract::source::SourceCheck;
use crate::doubts::{self, Doubt};
use crate::{BuildError, Sink, Source, Surroundings, sinks, sources};

/// The `from:` block of a source: its one key names the connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceConfig {
    /// `from: { file: … }`
    File(sources::file::SourceConfig),
    /// `from: { syslog: … }`
    Syslog(sources::syslog::SourceConfig),
    /// `from: { http: … }`
    Http(sources::http::SourceConfig),
    /// `from: { stdin: … }`
    Stdin(sources::stdin::SourceConfig),
}

/// The `to:` block of a sink: its one key names the connector.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SinkConfig {
    /// `to: { elasticsearch: … }`
    Elasticsearch(sinks::elasticsearch::SinkConfig),
    /// `to: { file: … }`
    File(sinks::file::SinkConfig),
    /// `to: { http: … }`
    Http(sinks::http::SinkConfig),
    /// `to: { stdout: … }`
    Stdout(sinks::stdout::SinkConfig),
}

impl SourceConfig {
    /// Builds the source that this block describes. Opens nothing.
    ///
    /// # Errors
    /// [`BuildError`] when a setting is well-formed but cannot work.
    pub fn build(&self, around: &Surroundings) -> Result<Box<dyn Source>, BuildError> {
        Ok(match self {
            Self::File(config) => Box::new(sources::file::FileSource::new(config.clone(), around)?),
            Self::Syslog(config) => {
                Box::new(sources::syslog::SyslogSource::new(config.clone(), around)?)
            }
            Self::Http(config) => Box::new(sources::http::HttpSource::new(config.clone(), around)?),
            Self::Stdin(config) => {
                Box::new(sources::stdin::StdinSource::new(config.clone(), around)?)
            }
        })
    }

    /// The name of the connector.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Syslog(_) => "syslog",
            Self::Http(_) => "http",
            Self::Stdin(_) => "stdin",
        }
    }

    fn check(&self) -> &dyn SourceCheck {
        match self {
            Self::File(config) => config,
            Self::Syslog(config) => config,
            Self::Http(config) => config,
            Self::Stdin(config) => config,
        }
    }

    /// For a file source: which paths it would read. Its patterns are compiled here, so it is asked for once.
    #[must_use]
    pub fn reads(&self) -> Option<sources::file::Reads> {
        match self {
            Self::File(config) => config.reads(),
            Self::Syslog(_) | Self::Http(_) | Self::Stdin(_) => None,
        }
    }

    /// What is probably not meant as it is written.
    #[must_use]
    pub fn doubts(&self) -> Vec<BuildError> {
        self.check().doubts()
    }

    /// What it cannot find as things are on this machine; it may come.
    #[must_use]
    pub fn misses(&self) -> Vec<BuildError> {
        self.check().misses()
    }

    /// Addresses that it listens on, as `tcp://host:port`, `udp://host:port` or `unix:PATH`.
    #[must_use]
    pub fn listens(&self) -> Vec<String> {
        self.check().listens()
    }
}

impl SinkConfig {
    /// Builds the sink that this block describes. Opens nothing.
    ///
    /// # Errors
    /// [`BuildError`] when a setting is well-formed but cannot work.
    pub fn build(&self, around: &Surroundings) -> Result<Box<dyn Sink>, BuildError> {
        Ok(match self {
            Self::Elasticsearch(config) => {
                Box::new(sinks::elasticsearch::ElasticsearchSink::new(config.clone(), around)?)
            }
            Self::File(config) => Box::new(sinks::file::FileSink::new(config.clone(), around)?),
            Self::Http(config) => Box::new(sinks::http::HttpSink::new(config.clone(), around)?),
            Self::Stdout(config) => {
                Box::new(sinks::stdout::StdoutSink::new(config.clone(), around)?)
            }
        })
    }

    /// The name of the connector.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Elasticsearch(_) => "elasticsearch",
            Self::File(_) => "file",
            Self::Http(_) => "http",
            Self::Stdout(_) => "stdout",
        }
    }

    /// For a file sink: an example of a path that it writes for `topic`, and the whole template (two sinks must not
    /// share it).
    #[must_use]
    pub fn writes(&self, topic: &str) -> Option<(PathBuf, String)> {
        match self {
            Self::File(config) => Some((config.example_path(topic), config.path.clone())),
            Self::Elasticsearch(_) | Self::Http(_) | Self::Stdout(_) => None,
        }
    }

    /// What can work in its block and is probably not meant.
    #[must_use]
    pub fn doubts(&self) -> Vec<Doubt> {
        doubts::of_sink(self)
    }

    /// Hosts and ports that it connects to.
    #[must_use]
    pub fn reaches(&self) -> Vec<(String, u16)> {
        let urls = match self {
            Self::Elasticsearch(config) => config.endpoints.as_slice(),
            Self::Http(config) => std::slice::from_ref(&config.url),
            Self::File(_) | Self::Stdout(_) => &[],
        };
        let urls = urls.iter().filter_map(|url| reqwest::Url::parse(url).ok());
        urls.filter_map(|url| Some((url.host_str()?.to_owned(), url.port_or_known_default()?)))
            .collect()
    }

    /// Whether several deliveries of one group may write side by side.
    #[must_use]
    pub fn allows_concurrency(&self) -> bool {
        match self {
            Self::File(config) => config.path.contains("{partition}"),
            Self::Elasticsearch(_) | Self::Http(_) => true,
            Self::Stdout(_) => false,
        }
    }

    /// Tries the far end once, for `check --connect`: what was found, or why not.
    ///
    /// # Errors
    /// A sentence for a person.
    pub async fn probe(&self) -> Result<String, String> {
        match self {
            Self::Elasticsearch(config) => sinks::elasticsearch::probe(config).await,
            Self::File(config) => sinks::file::probe(config),
            Self::Http(config) => sinks::http::probe(config).await,
            Self::Stdout(_) => Ok("the terminal".to_owned()),
        }
    }
}
