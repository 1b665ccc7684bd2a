//! Which hub a client command talks to.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anabranch_connectors::shared::shown;
use clap::Args;

use super::failure::{Failure, warn};
use super::options;
use crate::admin::{self, Token};
use crate::client::{Connection, HubHandle, ProducerSettings};
use crate::config::{AdminConfig, Config, HubConfig};
use crate::hub::embedded::view::View;
use crate::hub::embedded::{Embedded, Settings, TopicSettings};
use crate::hub::kafka::{Kafka, reach};
use crate::hub::remote::{Remote, Way};
use crate::hub::running::Agent;
use crate::hub::{Hub, Reads, verify as count_anew};
use crate::ledger::rows::Verified;
use crate::log::Folder;
use crate::{agent, config};

const PLACES: [&str; 2] = ["anabranch.yaml", "/etc/anabranch/anabranch.yaml"];

/// Which hub: Kafka by its brokers, or the hub of a configuration, or an embedded hub by its data folder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Hub")]
pub(super) struct HubArgs {
    /// Brokers of a Kafka cluster, separated by commas
    #[arg(long, value_name = "HOST:PORT", value_parser = brokers)]
    bootstrap: Option<String>,
    /// A property of librdkafka, such as security.protocol=SSL or, in single quotes, 'sasl.password=${file:PATH}'; may
    /// be repeated
    #[arg(long = "option", value_name = "KEY=VALUE", requires = "bootstrap", conflicts_with = "data_dir", value_parser = pair)]
    options: Vec<(String, String)>,
    /// A file of such properties, name=value in a line: where secrets belong
    #[arg(long, value_name = "FILE", requires = "bootstrap", conflicts_with = "data_dir")]
    options_file: Option<PathBuf>,
    /// The configuration whose hub is meant; otherwise ./anabranch.yaml or /etc/anabranch/anabranch.yaml
    #[arg(long, value_name = "CONFIG", env = "ANABRANCH_CONFIG")]
    config: Option<PathBuf>,
    /// The data folder of an embedded hub
    #[arg(long, value_name = "DIR", conflicts_with = "bootstrap")]
    data_dir: Option<PathBuf>,
}

fn brokers(text: &str) -> Result<String, String> {
    let port = |broker: &str| {
        broker.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        })
    };
    match text.split(',').find(|broker| !port(broker.trim())) {
        Some(broker) => {
            let broker = shown::address(broker);
            Err(format!("\"{broker}\" is not host:port, such as kafka:9092"))
        }
        None => Ok(text.to_owned()),
    }
}

/// `name=value`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("\"{text}\" is not name=value")),
    }
}

/// The configuration that is meant: `named`, or the first of the usual places.
pub(super) fn config_path(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let found = PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| {
        Failure::wrong(
            "there is neither ./anabranch.yaml nor /etc/anabranch/anabranch.yaml; name a configuration, \
             or let ANABRANCH_CONFIG name it",
        )
    })
}

/// A hub, before it is opened.
enum Target {
    Kafka(Box<crate::hub::kafka::Settings>),
    Embedded { settings: Box<Settings>, config: Option<Box<Config>> },
}

impl HubArgs {
    /// Opens the hub for reading only: never locks a data folder, works beside the agent.
    pub(super) async fn reader(&self) -> Result<HubHandle, Failure> {
        match self.target()? {
            Target::Kafka(settings) => connect_kafka(*settings).await,
            Target::Embedded { settings, .. } => {
                let view = View::open(&settings.data_dir)?;
                Ok(HubHandle::from(Arc::new(view) as Arc<dyn Hub>))
            }
        }
    }

    /// Opens the hub for writing; while an agent has the data folder, the way leads through its API.
    pub(super) async fn writer(&self) -> Result<HubHandle, Failure> {
        match self.free().await? {
            Ok(hub) => Ok(hub),
            Err(held) => Ok(HubHandle::from(Arc::new(held.ask_agent().await?) as Arc<dyn Hub>)),
        }
    }

    /// The agent that runs with this configuration or on this data folder.
    pub(super) fn agent(&self) -> Result<Agent, Failure> {
        let config = match (&self.config, &self.data_dir) {
            (None, Some(_)) => None,
            (named, _) => {
                let path = config_path(named.as_deref())?;
                let loaded = config::load_checked(&path);
                Some(loaded.map_err(|error| Failure::wrong(error.to_string()))?.0)
            }
        };
        let of_config = config.as_ref().map(|config| config.data_dir.clone());
        let folder = self.data_dir.clone().or(of_config).unwrap_or_default();
        let socket = admin::socket(&folder);
        let by_address = || config.as_ref().and_then(|config| by_address(&config.admin, &folder));
        let way = match UnixStream::connect(&socket) {
            Ok(_there) => Some(Way::Socket(socket.clone())),
            Err(_away) => by_address(),
        };
        way.map(|way| Agent::new(&way)).ok_or_else(|| {
            Failure::failed(format!("no agent answers at {}; is it running?", socket.display()))
        })
    }

    /// The running agent that has a sink of that name and a Kafka cluster as its hub: only it can stop the sink while
    /// its group is moved. With an embedded hub every way to write leads through the agent.
    pub(super) async fn agent_with(&self, sink: &str) -> Result<Option<Agent>, Failure> {
        let is_by_config = self.bootstrap.is_none() && matches!(self.target()?, Target::Kafka(_));
        let Some(agent) = is_by_config.then(|| self.agent().ok()).flatten() else {
            return Ok(None);
        };
        let has_it = agent.sinks().await?.iter().any(|known| known.name == sink);
        Ok(has_it.then_some(agent))
    }

    /// The hub, open for writing, unless a running agent has its data folder.
    async fn free(&self) -> Result<Result<HubHandle, Held>, Failure> {
        let (settings, config) = match self.target()? {
            Target::Kafka(settings) => return connect_kafka(*settings).await.map(Ok),
            Target::Embedded { settings, config } => (settings, config),
        };
        if Folder::is_held(&settings.data_dir) {
            return Ok(Err(Held { settings, config }));
        }
        let opened =
            tokio::task::spawn_blocking(move || Embedded::open(*settings, Arc::default())).await;
        let hub = opened.map_err(|error| Failure::failed(error.to_string()))??;
        Ok(Ok(HubHandle::from(hub as Arc<dyn Hub>)))
    }

    /// Opens the hub for a member of `group`. While an agent has the data folder, the way leads through the hub's
    /// listener if everybody may use it, so that all members share what there is.
    pub(super) async fn member(&self, group: &str) -> Result<HubHandle, Failure> {
        let held = match self.target()? {
            Target::Kafka(settings) => {
                let kafka = connect(*settings).await?;
                if kafka.is_of_sink(group).await {
                    kafka.close().await;
                    return Err(of_sink(group));
                }
                return Ok(HubHandle::from(kafka as Arc<dyn Hub>));
            }
            Target::Embedded { .. } => match self.free().await? {
                Ok(hub) => return Ok(hub),
                Err(held) => held,
            },
        };
        if held.config.as_ref().is_some_and(|config| config.sinks.contains_key(group)) {
            return Err(of_sink(group));
        }
        let remote = held.ask_agent().await?;
        let is_for_all = held.config.is_some_and(|config| match &config.hub {
            HubConfig::Embedded(hub) => hub.acls.is_empty() && hub.super_users.is_empty(),
            HubConfig::Kafka(_) => false,
        });
        let address = remote.listens_at().filter(|_| is_for_all).map(str::to_owned);
        let Some(address) = address else {
            warn(
                "members of a group that read through this agent do not share its partitions: each reads all",
            );
            return Ok(HubHandle::from(Arc::new(remote) as Arc<dyn Hub>));
        };
        connect_kafka(by_bootstrap(&address, BTreeMap::new())?).await
    }

    /// The same with the configuration that was named first.
    pub(super) fn with_config(self, place: Option<PathBuf>) -> Self {
        Self { config: place.or(self.config), ..self }
    }

    /// The agent that is meant, if it runs here.
    pub(super) fn answering_agent(&self) -> Option<Agent> {
        if self.bootstrap.is_some() { None } else { self.agent().ok() }
    }

    /// What all sinks of the configuration read; `None` when no configuration is meant.
    pub(super) fn reads(&self) -> Result<Option<Vec<Reads>>, Failure> {
        let other = self.bootstrap.is_some() || self.data_dir.is_some();
        if other && self.config.is_none() {
            return Ok(None);
        }
        let path = config_path(self.config.as_deref())?;
        let (config, _) = config::load_checked(&path)?;
        Ok(Some(agent::reads(&config)))
    }

    /// As [`HubArgs::reader`], and what the hub keeps of the agent's own sources can be read.
    pub(super) async fn accountant(&self) -> Result<HubHandle, Failure> {
        match self.target()? {
            Target::Kafka(mut settings) => {
                if let Some(topic) = self.positions_topic() {
                    settings.positions_topic = topic;
                }
                connect_kafka(*settings).await
            }
            Target::Embedded { .. } => self.reader().await,
        }
    }

    /// Counts the ledger anew from the log.
    pub(super) async fn verify(&self) -> Result<Verified, Failure> {
        let settings = match self.target()? {
            Target::Embedded { settings, .. } => settings,
            Target::Kafka(_) => {
                let hub = self.accountant().await?;
                let verified = count_anew(hub.hub().as_ref(), self.reads()?.as_deref()).await;
                hub.close().await;
                return Ok(verified?);
            }
        };
        let verify = move || View::open(&settings.data_dir)?.verify();
        let verified = tokio::task::spawn_blocking(verify).await;
        Ok(verified.map_err(|error| Failure::failed(error.to_string()))??)
    }

    fn positions_topic(&self) -> Option<String> {
        let path = config_path(self.config.as_deref()).ok()?;
        let (config, _) = config::load_checked(&path).ok()?;
        match (&config.hub, &self.bootstrap) {
            (HubConfig::Kafka(kafka), None) => Some(kafka.positions_topic.clone()),
            _ => None,
        }
    }

    /// What a sink of the configuration that is meant reads, if that has one of the name.
    pub(super) fn sink(&self, name: &str) -> Option<Reads> {
        let other = self.bootstrap.is_some() || self.data_dir.is_some();
        if other && self.config.is_none() {
            return None;
        }
        let path = config_path(self.config.as_deref()).ok()?;
        let (config, _) = config::load_checked(&path).ok()?;
        agent::reads(&config).into_iter().find(|reads| reads.group == name)
    }

    /// Whether the configuration that is meant, if one is, has a sink of that name.
    ///
    /// # Errors
    /// Which sinks there are.
    pub(super) fn is_sink(&self, name: &str) -> Result<(), Failure> {
        if self.config.is_none() && (self.bootstrap.is_some() || self.data_dir.is_some()) {
            return Ok(());
        }
        let Ok(path) = config_path(self.config.as_deref()) else { return Ok(()) };
        let (config, _) = config::load_checked(&path)?;
        if config.sinks.contains_key(name) {
            return Ok(());
        }
        let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
        let (path, known) = (path.display(), known.join(", "));
        Err(Failure::wrong(format!("{path} has no sink \"{name}\"; there are: {known}")))
    }

    fn target(&self) -> Result<Target, Failure> {
        if let Some(bootstrap) = &self.bootstrap {
            let options = options::read(self.options_file.as_deref(), &self.options)?;
            return Ok(Target::Kafka(Box::new(by_bootstrap(bootstrap, options)?)));
        }
        if let (None, Some(folder)) = (&self.config, &self.data_dir) {
            return Ok(Target::Embedded { settings: Box::new(keep_all(folder)), config: None });
        }
        let path = config_path(self.config.as_deref()).map_err(|_none| {
            Failure::wrong(
                "which hub? name a configuration with --config, a data folder with --data-dir, \
                 or brokers with --bootstrap",
            )
        })?;
        let (mut config, _) = config::load_checked(&path)?;
        if let Some(folder) = &self.data_dir {
            config.data_dir.clone_from(folder);
        }
        target_of(config)
    }
}

/// An embedded hub whose data folder a running agent has.
struct Held {
    settings: Box<Settings>,
    config: Option<Box<Config>>,
}

impl Held {
    /// The hub by way of that agent.
    async fn ask_agent(&self) -> Result<Remote, Failure> {
        let folder = &self.settings.data_dir;
        let socket = admin::socket(folder);
        if UnixStream::connect(&socket).is_ok() {
            return Ok(Remote::connect(&Way::Socket(socket), View::open(folder)?).await?);
        }
        let Some(way) = self.config.as_ref().and_then(|config| by_address(&config.admin, folder))
        else {
            let folder = folder.display();
            return Err(Failure::failed(format!(
                "{folder} is in use by {}, and no agent answers at {}; if it is an agent, name its \
                 configuration with --config, so that it can be asked through `admin.listen`, or stop it first",
                Folder::holder(&self.settings.data_dir),
                socket.display()
            )));
        };
        Ok(Remote::connect(&way, View::open(folder)?).await?)
    }
}

/// The way to the API of an agent, as its configuration says, with the token that is to be had.
fn by_address(admin: &AdminConfig, data_dir: &Path) -> Option<Way> {
    let token = admin.token.clone().map(Token::given).or_else(|| Token::read(data_dir));
    let address = admin.asked_at()?;
    Some(match address.strip_prefix("unix:") {
        Some(path) => Way::Socket(path.into()),
        None => Way::Address(address.to_owned(), token),
    })
}

fn by_bootstrap(
    bootstrap: &str,
    options: BTreeMap<String, String>,
) -> Result<crate::hub::kafka::Settings, Failure> {
    let Connection::Kafka { bootstrap, .. } = Connection::kafka(bootstrap) else {
        return Err(Failure::wrong("no brokers"));
    };
    Ok(crate::client::kafka_settings(bootstrap, options, &ProducerSettings::default()))
}

fn target_of(config: Config) -> Result<Target, Failure> {
    match &config.hub {
        HubConfig::Embedded(embedded) => {
            let settings = Box::new(agent::hub_settings(&config, embedded)?);
            Ok(Target::Embedded { settings, config: Some(Box::new(config)) })
        }
        HubConfig::Kafka(kafka) => {
            let mut settings = agent::kafka_settings(&config, kafka);
            // A transactional id belongs to the agent: whoever else uses it stops the agent's producer.
            settings.transactional = false;
            settings.positions_topic = String::new();
            Ok(Target::Kafka(Box::new(settings)))
        }
    }
}

/// Without a configuration nobody knows what retention and sinks want: nothing is removed.
fn keep_all(folder: &Path) -> Settings {
    let topic_defaults =
        TopicSettings { retention_time: None, retention_size: None, ..TopicSettings::default() };
    Settings { topic_defaults, ..Settings::new(folder) }
}

fn of_sink(group: &str) -> Failure {
    Failure::wrong(format!(
        "group \"{group}\" is that of a sink, which would not get what is read here; \
         read without --group, or as another group"
    ))
}

async fn connect_kafka(settings: crate::hub::kafka::Settings) -> Result<HubHandle, Failure> {
    Ok(HubHandle::from(connect(settings).await? as Arc<dyn Hub>))
}

async fn connect(settings: crate::hub::kafka::Settings) -> Result<Arc<Kafka>, Failure> {
    let connected = tokio::task::spawn_blocking(move || {
        reach(&settings)?;
        Kafka::connect(settings)
    })
    .await;
    Ok(connected.map_err(|error| Failure::failed(error.to_string()))??)
}
