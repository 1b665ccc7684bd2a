//! Its life: everything is started, runs until it is told to stop, and ends in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::error::AgentError;
use super::parts::{self, Part, reads, routes};
use super::running::{Agent, GRACE};
use super::{control, hub, memory};
use crate::admin::Glance;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::producer::Producer;
use crate::tasks::Tasks;

/// What wakes the running agent.
#[derive(Debug)]
pub enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP: a new configuration, loaded and checked.
    Reload(Box<Config>),
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
