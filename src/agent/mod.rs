//! Wiring only: a configuration becomes a hub, a producer, sources, sinks and the admin listener.
//!
//! Stop follows the data: sources and deliveries are told; the producer's workers end because their sources have hung
//! up; the hub is closed last. A kill at any moment is as good, only that the next start recovers.

mod broker;
mod control;
mod hub;
mod identity;
mod memory;
mod parts;
mod reload;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anabranch_connectors::contract::build::Surroundings;
use parking_lot::RwLock;
use thiserror::Error;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::admin::{Glance, SharedReads};
use crate::config::Config;
use crate::delivery::{Buried, DEAD_LETTER_SOURCE, FALLBACK_SOURCE};
use crate::hub::{Hub, HubError};
use crate::metrics::Metrics;
use crate::producer::{Producer, Routes};
use crate::tasks::Tasks;
use control::Orders;
use parts::Part;
pub(crate) use parts::reads;

pub use control::Control;
pub use hub::{kafka_settings, open as open_hub, settings as hub_settings};

/// How long parts may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// Why the agent ended by itself.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The hub cannot be opened.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// The admin listener cannot be opened.
    #[error("{0}")]
    Admin(String),
    /// An address cannot be listened on.
    #[error("{0}")]
    Listen(String),
    /// A part of the program ended in a way that is our fault.
    #[error("{0}; this is a bug in anabranch")]
    Failed(String),
}

/// What wakes the running agent.
#[derive(Debug)]
pub enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP: a new configuration, loaded and checked.
    Reload(Box<Config>),
}

/// A running agent.
pub struct Agent {
    config: Config,
    hub: Arc<dyn Hub>,
    metrics: Arc<Metrics>,
    routes: Routes,
    producer: Producer,
    workers: Tasks,
    admin: Tasks,
    broker: Tasks,
    clients: Option<broker::Clients>,
    sources: BTreeMap<String, Part>,
    sinks: BTreeMap<String, Part>,
    /// What of each sink lies with its dead letters.
    buried: BTreeMap<String, Arc<Buried>>,
    /// Deliveries that share the memory of sinks.
    deliveries: Arc<AtomicUsize>,
    /// Sinks that an operator has paused.
    paused: BTreeSet<String>,
    orders: Orders,
    control: Control,
    reads: SharedReads,
    failures: (mpsc::Sender<String>, mpsc::Receiver<String>),
}

impl std::fmt::Debug for Agent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Agent").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Agent {
    /// Starts everything that `config` (loaded and checked) describes.
    ///
    /// # Errors
    /// [`AgentError`] when the hub or the admin listener cannot be opened. What a source or a sink cannot reach is
    /// tried again for ever and shown on `/health`.
    pub async fn start(config: Config) -> Result<Self, AgentError> {
        let metrics = Arc::new(Metrics::new(memory::plan(&config)));
        let (hub, embedded) = hub::open_when_there_is_room(&config, &metrics).await?;
        let failures = mpsc::channel(16);
        let (control, orders) = control::channel();
        let routes = Arc::new(RwLock::new(routes(&config)));
        let settings = hub::producer_settings(&config.producer);
        let appender = hub.appender();
        let (producer, running) = Producer::new(&settings, &appender, &routes, &metrics);
        let mut workers = Tasks::new(failures.0.clone());
        for worker in running {
            workers.spawn_thread("producer", worker.run());
        }
        let admin = Tasks::new(failures.0.clone());
        let broker = Tasks::new(failures.0.clone());
        let mut agent = Self {
            config: config.clone(),
            hub,
            metrics,
            routes,
            producer,
            workers,
            admin,
            broker,
            clients: None,
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            buried: BTreeMap::new(),
            deliveries: Arc::default(),
            paused: control::paused(&config.data_dir),
            orders,
            control,
            reads: Arc::new(RwLock::new(reads(&config))),
            failures,
        };
        // Everything that is configured is shown from the beginning, whatever becomes of it.
        for name in config.sources.keys() {
            drop(agent.metrics.source(name));
        }
        for name in config.sinks.keys() {
            drop(agent.metrics.sink(name));
        }
        agent.start_broker(embedded).await?;
        agent.start_admin().await?;
        for name in config.sinks.keys() {
            agent.start_sink(name).await?;
        }
        for name in config.sources.keys() {
            agent.start_source(name);
        }
        Ok(agent)
    }

    async fn start_admin(&mut self) -> Result<(), AgentError> {
        let glance = Arc::new(Glance::new(Arc::clone(&self.hub), Arc::clone(&self.reads)));
        self.admin.spawn("glance", Arc::clone(&glance).run());
        let state = crate::admin::State {
            hub: Arc::clone(&self.hub),
            glance,
            broker: self.clients.as_ref().map(|clients| Arc::clone(&clients.broker)),
            metrics: Arc::clone(&self.metrics),
            producer: self.producer.clone(),
            data_dir: self.config.data_dir.clone(),
            control: self.control.clone(),
            listening: self
                .clients
                .as_ref()
                .map_or_else(Default::default, |clients| Arc::clone(&clients.listening)),
        };
        let admin = self.config.admin.clone();
        let server = crate::admin::serve(&admin, state).await.map_err(AgentError::Admin)?;
        self.admin.spawn("admin", server);
        Ok(())
    }

    /// Runs until it is told to stop, a part fails, or all sources have ended and all is delivered.
    ///
    /// # Errors
    /// [`AgentError::Failed`] when a part of the program panicked.
    pub async fn run(mut self, mut signals: mpsc::Receiver<Signal>) -> Result<(), AgentError> {
        let ended = loop {
            tokio::select! {
                signal = signals.recv() => match signal {
                    Some(Signal::Reload(config)) => self.reload(*config).await,
                    Some(Signal::Stop) | None => break Ok(()),
                },
                Some(asked) = self.orders.next() => self.obey(asked).await,
                Some(failure) = self.failures.1.recv() => {
                    error!("{failure}");
                    break Err(AgentError::Failed(failure));
                }
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    if self.all_done().await {
                        info!("all sources have ended and everything is delivered");
                        break Ok(());
                    }
                }
            }
        };
        self.stop().await;
        ended
    }

    /// Whether nothing more can come and nothing is left to deliver.
    async fn all_done(&mut self) -> bool {
        if self.sources.is_empty() || !self.sources.values_mut().all(Part::has_ended) {
            return false;
        }
        let (under_way, _) = self.producer.buffered();
        if under_way > 0 {
            return false;
        }
        let lags = parts::lags(self.hub.as_ref(), &self.config, &self.metrics).await;
        let Ok(lags) = lags else { return false };
        lags.iter().all(|lag| *lag == 0)
    }

    async fn stop(mut self) {
        info!("stopping");
        let parts: Vec<Part> = std::mem::take(&mut self.sources)
            .into_values()
            .chain(std::mem::take(&mut self.sinks).into_values())
            .collect();
        for part in &parts {
            part.token.cancel();
        }
        for mut part in parts {
            if !part.tasks.all_ended(GRACE).await {
                warn!(part = part.name, "did not end in time and is left behind");
            }
        }
        drop(self.admin);
        drop(self.broker);
        self.producer.close();
        if !self.workers.all_ended(GRACE).await {
            warn!("the producer did not end in time; what it held comes again from its sources");
        }
        self.hub.close().await;
        info!("stopped");
    }
}

/// The topic of each source, and of the dead letters of each sink.
fn routes(config: &Config) -> HashMap<String, Arc<str>> {
    let mut routes: HashMap<String, Arc<str>> = HashMap::new();
    for (name, source) in &config.sources {
        routes.insert(name.clone(), source.topic.as_str().into());
    }
    for name in config.sinks.keys() {
        let topic = crate::delivery::topic_of(name);
        routes.insert(format!("{DEAD_LETTER_SOURCE}{name}"), topic.as_str().into());
        let topic = crate::delivery::fallback_of(name);
        routes.insert(format!("{FALLBACK_SOURCE}{name}"), topic.as_str().into());
    }
    routes
}

impl Agent {
    fn surroundings(name: &str) -> Surroundings {
        Surroundings { name: name.to_owned(), host: host_name() }
    }

    fn set_routes(&self) {
        *self.routes.write() = routes(&self.config);
    }
}

/// This machine's name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
