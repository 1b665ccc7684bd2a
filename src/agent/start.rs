//! Sources and sinks, started.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::AgentError;
use super::host::surroundings;
use super::parts::{Part, selectors, start_at};
use super::running::Agent;
use crate::config::{Config, SinkBlock, SourceBlock};
use crate::delivery::{
    self, DEAD_LETTER_SOURCE, DeadLetters, Delivery, FALLBACK_SOURCE, Fallback, Pace, Share,
};
use crate::hub::{ConsumerSpec, Hub, HubError};
use crate::metrics::SourceMeter;
use crate::producer::Producer;
use crate::retry::Backoff;
use crate::tasks::Tasks;

impl Agent {
    fn part(&self, name: &str) -> Part {
        let tasks = Tasks::new(self.failures.0.clone());
        Part { name: name.to_owned(), token: CancellationToken::new(), tasks }
    }

    pub(super) fn start_source(&mut self, name: &str) {
        let Some(block) = self.config.sources.get(name).cloned() else { return };
        let mut part = self.part(name);
        let run = SourceRun {
            name: name.to_owned(),
            block,
            hub: Arc::clone(&self.hub),
            producer: self.producer.clone(),
            meter: self.metrics.source(name),
            stop: part.token.clone(),
        };
        part.tasks.spawn(name, run.run());
        self.sources.insert(name.to_owned(), part);
    }

    pub(super) async fn start_sink(&mut self, name: &str) -> Result<(), AgentError> {
        let Some(block) = self.config.sinks.get(name).cloned() else { return Ok(()) };
        let is_paused = self.paused.contains(name);
        self.metrics.sink(name).set_paused(is_paused);
        if is_paused {
            return Ok(());
        }
        let mut part = self.part(name);
        let members = block.concurrency.max(1);
        let pace = Arc::new(Pace::new(usize::try_from(members).unwrap_or(usize::MAX)));
        for member in 0..members {
            let spec = consumer_spec(name, &self.config, (member, members))?;
            let around = surroundings(name);
            let sink = block.to.build(&around);
            let sink = sink.map_err(|error| HubError::Fatal(error.to_string()))?;
            let delivery = Delivery {
                name: name.to_owned(),
                member,
                consumer: self.hub.consumer(spec).await?,
                sink,
                settings: delivery_settings(&block),
                dead_letters: self.dead_letters(name, block.dead_letters),
                fallback: self.fallback(name, &block),
                meter: self.metrics.sink(name),
                pace: Arc::clone(&pace),
                share: Share::new(&self.metrics.memory, &self.deliveries),
            };
            part.tasks.spawn_thread(name, delivery::run(delivery, part.token.clone()));
        }
        self.sinks.insert(name.to_owned(), part);
        Ok(())
    }

    /// The way to a sink's dead letters; what lies there is known over the sink's restarts.
    pub(super) fn dead_letters(&mut self, name: &str, are_kept: bool) -> DeadLetters {
        let buried = Arc::clone(self.buried.entry(name.to_owned()).or_default());
        let way = are_kept.then(|| {
            let emitter = self.producer.side_emitter(&format!("{DEAD_LETTER_SOURCE}{name}"));
            (emitter, Arc::clone(&self.hub))
        });
        DeadLetters::new(name, way, buried)
    }

    fn fallback(&mut self, name: &str, block: &SinkBlock) -> Option<Fallback> {
        let after = block.fallback.as_ref()?.after;
        let source = format!("{FALLBACK_SOURCE}{name}");
        let buried = Arc::clone(self.buried.entry(source.clone()).or_default());
        let way = (self.producer.side_emitter(&source), Arc::clone(&self.hub));
        Some(Fallback { letters: DeadLetters::fallback(name, way, buried), after })
    }
}

/// What a member of a sink's group reads.
fn consumer_spec(
    name: &str,
    config: &Config,
    member: (u32, u32),
) -> Result<ConsumerSpec, HubError> {
    let start = config.sinks.get(name).map(|block| block.start).unwrap_or_default();
    let start = start_at(start);
    Ok(ConsumerSpec {
        group: name.to_owned(),
        topics: selectors(name, config)?,
        start,
        member,
        assigned: None,
    })
}

fn delivery_settings(block: &SinkBlock) -> delivery::Settings {
    delivery::Settings {
        max_records: usize::try_from(block.batch.max_records).unwrap_or(usize::MAX),
        max_bytes: block.batch.max_bytes.bytes(),
        linger: block.batch.linger,
        backoff: (block.retry.backoff, block.retry.backoff_max),
        attempts: block.retry.attempts,
        dead_in_a_row: block.retry.dead_in_a_row,
        commit_interval: block.commit_interval,
    }
}

/// Runs one source, again and again when it fails.
struct SourceRun {
    name: String,
    block: SourceBlock,
    hub: Arc<dyn Hub>,
    producer: Producer,
    meter: Arc<SourceMeter>,
    stop: CancellationToken,
}

impl SourceRun {
    async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
        while !self.stop.is_cancelled() {
            let Err(problem) = self.run_once().await else {
                if !self.stop.is_cancelled() {
                    info!(source = self.name, "has ended");
                }
                return;
            };
            let wait = backoff.next(None);
            if self.meter.state.fail(&problem, false) {
                warn!(source = self.name, ?wait, "cannot run, will retry: {problem}");
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn run_once(&self) -> Result<(), String> {
        let source = self.block.from.build(&surroundings(&self.name));
        let source = source.map_err(|error| error.to_string())?;
        // What an earlier run has handed on may still be on its way to the hub, and with it how far it has read.
        tokio::select! {
            () = self.meter.read.begin_life() => {}
            () = self.stop.cancelled() => return Ok(()),
        }
        let positions = self.hub.positions(&self.name).await.map_err(|error| error.to_string())?;
        let counters = Arc::clone(&self.meter.read);
        let emitter = self.producer.emitter(&self.name, positions, counters);
        // What a former run could not reach need not be of this one.
        emitter.trouble(None);
        let running = source.run(emitter, self.stop.clone());
        // A source that still runs after a moment has got over what kept it from running.
        let settled = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.meter.state.ok() {
                info!(source = self.name, "runs again");
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            ended = running => match ended {
                Err(anabranch_connectors::SourceError::Closed) | Ok(()) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            () = settled => Ok(()),
        }
    }
}
