//! Sources and sinks as parts that can be stopped one by one, and the topics that belong to each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::{Config, SinkBlock, Start};
use crate::delivery::{DEAD_LETTER_SOURCE, FALLBACK_SOURCE, fallback_of, topic_of};
use crate::hub::{GroupLag, Hub, HubError, REPLAY, Reads, StartAt, TopicSelector};
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// A source or a sink that runs.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) token: CancellationToken,
    pub(super) tasks: Tasks,
}

impl Part {
    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        while futures::FutureExt::now_or_never(self.tasks.one_ended()) == Some(true) {}
        self.tasks.is_empty()
    }

    /// Tells it to stop and waits, at most `grace`.
    pub(super) async fn stop(mut self, grace: Duration) {
        self.token.cancel();
        if !self.tasks.all_ended(grace).await {
            warn!(part = self.name, "did not end in time and is left behind");
        }
    }
}

/// The topic of each source, and of the dead letters of each sink.
pub(super) fn routes(config: &Config) -> HashMap<String, Arc<str>> {
    let mut routes: HashMap<String, Arc<str>> = HashMap::new();
    for (name, source) in &config.sources {
        routes.insert(name.clone(), source.topic.as_str().into());
    }
    for name in config.sinks.keys() {
        let topic = topic_of(name);
        routes.insert(format!("{DEAD_LETTER_SOURCE}{name}"), topic.as_str().into());
        let topic = fallback_of(name);
        routes.insert(format!("{FALLBACK_SOURCE}{name}"), topic.as_str().into());
    }
    routes
}

/// What the sinks read, for who asks how far they are.
pub(crate) fn reads(config: &Config) -> Vec<Reads> {
    let of_sink = |(name, block): (&String, &SinkBlock)| Reads {
        group: name.clone(),
        topics: selectors(name, config).unwrap_or_default(),
        start: start_at(block.start),
    };
    config.sinks.iter().map(of_sink).collect()
}

/// Where a sink starts that has committed nothing.
pub(super) const fn start_at(start: Start) -> StartAt {
    match start {
        Start::Earliest => StartAt::Earliest,
        Start::Latest => StartAt::Latest,
        Start::At(time_ms) => StartAt::Time(time_ms),
    }
}

/// The topics of a sink: its own, and once they are there what it is given again and those of sinks whose fallback it
/// is.
pub(super) fn selectors(name: &str, config: &Config) -> Result<Vec<TopicSelector>, HubError> {
    let own = config.sinks.get(name).map(|block| block.topics.as_slice()).unwrap_or_default();
    let own = own.iter().map(|topic| TopicSelector::parse(topic).map_err(HubError::Fatal));
    let others = relying_on(name, config).into_iter().map(fallback_of);
    let addressed = std::iter::once(format!("{name}{REPLAY}")).chain(others);
    own.chain(addressed.map(|topic| Ok(TopicSelector::Addressed(topic)))).collect()
}

/// The sinks whose fallback is `name`.
pub(super) fn relying_on<'a>(name: &str, config: &'a Config) -> Vec<&'a str> {
    let falls_back = |block: &SinkBlock| block.fallback.as_ref().is_some_and(|to| to.sink == name);
    let sinks = config.sinks.iter().filter(|(_, block)| falls_back(block));
    sinks.map(|(other, _)| other.as_str()).collect()
}

/// Records that each sink has still to deliver, as the hub knows it, less those at the ends that are for nobody.
pub(super) async fn lags(
    hub: &dyn Hub,
    config: &Config,
    metrics: &Metrics,
) -> Result<Vec<u64>, HubError> {
    let groups = hub.lags(&reads(config)).await?;
    let of_group = |GroupLag { group, partitions }: GroupLag| {
        let meter = metrics.sink(&group);
        partitions.into_iter().map(move |lag| meter.records_behind(&lag))
    };
    Ok(groups.into_iter().flat_map(of_group).collect())
}
