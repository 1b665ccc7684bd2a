//! The command `consume`: prints records.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use tokio::time::Instant;

use super::failure::{Done, Failure, warn};
use super::format::Format;
use super::hub::HubArgs;
use super::place::Place;
use crate::client::{ClientError, ConsumedRecord, Consumer, ConsumerSettings, HubHandle};
use crate::hub::{HubError, Offset, StartAt, TopicInfo, TopicSelector};

/// How long a group's member may take to get its partitions before its end counts as reached.
const JOIN: Duration = Duration::from_secs(10);
/// How long nothing must have come, twice, from a hub that answers at once, until nothing more is expected.
const QUIET: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct ConsumeArgs {
    /// Topics; one that begins with ^ is a regular expression over names
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Read as a member of this group: go on where it was, and commit what was printed
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// beginning, end, an offset, a time such as 2026-11-20T08:00:00Z, or how long ago such as 15m
    #[arg(long, value_name = "PLACE", default_value = "beginning", allow_negative_numbers = true)]
    from: Place,
    /// Only this partition
    #[arg(long, value_name = "N", conflicts_with = "group", value_parser = clap::value_parser!(i32).range(0..), allow_negative_numbers = true)]
    partition: Option<i32>,
    /// Stop after so many records
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// Wait for more at the end
    #[arg(long, short)]
    follow: bool,
    /// Stop at the end (this is the default without --follow)
    #[arg(long, conflicts_with = "follow")]
    until_end: bool,
    /// value, json (bytes that are no text as base64), pretty, keys, a template, or raw: on a terminal all but raw show
    /// control characters instead of sending them to it
    #[arg(long, value_name = "FORMAT", default_value = "value")]
    format: Format,
    /// Print headers too
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    hub: HubArgs,
}

impl ConsumeArgs {
    /// Whether values are printed as they are, also on a terminal.
    pub(super) fn is_raw(&self) -> bool {
        self.format == Format::Raw
    }
}

pub(super) async fn consume(args: ConsumeArgs, out: &mut dyn Write) -> Done {
    // A group's progress is written.
    let hub = match &args.group {
        Some(group) => args.hub.member(group).await?,
        None => args.hub.reader().await?,
    };
    let printed = print(&args, &hub, out).await;
    hub.close().await;
    printed
}

async fn print(args: &ConsumeArgs, hub: &HubHandle, out: &mut dyn Write) -> Done {
    let meant = meant(args, hub).await?;
    let mut consumer = Consumer::new(hub, settings(args, &meant)?).await?;
    let mut ends = if args.follow { None } else { Some(Ends::of(args, hub, &meant).await?) };
    let (mut left, mut bytes) = (args.count.unwrap_or(u64::MAX), Vec::new());
    let mut committed = Vec::new();
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    while left > 0 {
        let wait = Duration::from_millis(if args.follow { 500 } else { 100 });
        let next = tokio::select! {
            next = next(&mut consumer, hub, &mut ends, wait) => next?,
            _ = &mut interrupted => break,
        };
        let Some(next) = next else { break };
        bytes.clear();
        for record in next.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            args.format.print(record, args.headers, &mut bytes);
        }
        out.write_all(&bytes)?;
        out.flush()?;
        if args.group.is_some() {
            let printed = printed(&consumer, &next, left);
            if printed != committed {
                commit(&mut consumer, &printed).await?;
                committed = printed;
            }
        }
        left = left.saturating_sub(next.len() as u64);
    }
    Ok(())
}

/// What comes next, perhaps nothing; `None` at the end.
async fn next(
    consumer: &mut Consumer,
    hub: &HubHandle,
    ends: &mut Option<Ends>,
    wait: Duration,
) -> Result<Option<Vec<ConsumedRecord>>, Failure> {
    if let Some(ends) = ends
        && ends.are_reached(consumer, hub).await?
    {
        return Ok(None);
    }
    let next = consumer.poll(wait).await?;
    if let Some(ends) = ends
        && !next.is_empty()
    {
        ends.go_on();
    }
    Ok(Some(next))
}

/// Stores the group's progress. When its partitions have gone to another member meanwhile, that one reads on.
async fn commit(consumer: &mut Consumer, printed: &[Offset]) -> Done {
    match consumer.commit_offsets(printed).await {
        Err(ClientError::Hub(HubError::NotNow(why))) => {
            warn(&format!("{why}; what was printed last may be read again"));
            Ok(())
        }
        committed => Ok(committed?),
    }
}

/// Up to where everything was printed, when of the records that came `next` only `left` were wanted.
fn printed(consumer: &Consumer, next: &[ConsumedRecord], left: u64) -> Vec<Offset> {
    let mut offsets = consumer.position();
    let left = usize::try_from(left).unwrap_or(usize::MAX);
    for offset in &mut offsets {
        let is_of_it = |record: &&ConsumedRecord| {
            record.topic() == offset.topic && record.partition == offset.partition
        };
        if let Some(unwanted) = next.iter().skip(left).find(is_of_it) {
            offset.offset = unwanted.offset;
        }
    }
    offsets
}

/// The topics that are there and meant.
async fn meant(args: &ConsumeArgs, hub: &HubHandle) -> Result<Vec<TopicInfo>, Failure> {
    let mut selectors = Vec::new();
    for topic in &args.topics {
        let problem = |problem: String| {
            let problem = problem.lines().last().unwrap_or_default().to_owned();
            Failure::wrong(format!("topic \"{topic}\" is not a pattern: {problem}"))
        };
        selectors.push(TopicSelector::parse(topic).map_err(problem)?);
    }
    let topics = hub.hub().topics().await?;
    for selector in &selectors {
        if let TopicSelector::Name(name) = selector
            && !topics.iter().any(|topic| topic.name == *name)
        {
            return Err(HubError::UnknownTopic(name.clone()).into());
        }
    }
    let meant = |topic: &TopicInfo| selectors.iter().any(|selector| selector.matches(&topic.name));
    let meant: Vec<TopicInfo> = topics.into_iter().filter(meant).collect();
    for topic in &meant {
        let count = topic.partitions.len();
        if let Some(number) = args.partition
            && usize::try_from(number).is_ok_and(|number| number >= count)
        {
            let name = &topic.name;
            return Err(Failure::wrong(format!(
                "topic \"{name}\" has {count} partitions; --partition {number} is none of 0 to {}",
                count.saturating_sub(1)
            )));
        }
    }
    Ok(meant)
}

fn settings(args: &ConsumeArgs, meant: &[TopicInfo]) -> Result<ConsumerSettings, Failure> {
    let by_pattern = args.topics.iter().any(|topic| topic.starts_with('^'));
    let follows_pattern = args.follow && by_pattern && args.partition.is_none();
    let group = match &args.group {
        Some(group) => group.clone(),
        // Never commits, so no group comes of it.
        None if follows_pattern => {
            format!("anabranch-console-{}", uuid::Uuid::new_v4().simple())
        }
        // Partitions are read without a group, which may need a right that the user does not have.
        None => String::new(),
    };
    let settings = ConsumerSettings::new(&group).auto_commit(None).start(args.from.0);
    let settings = settings.max_poll_records(10_000);
    if args.group.is_some() || follows_pattern {
        let topics: Vec<&str> = args.topics.iter().map(String::as_str).collect();
        return Ok(settings.subscribe(&topics)?);
    }
    let mut settings = settings;
    for topic in meant {
        for (number, _) in (0i32..).zip(&topic.partitions) {
            if args.partition.is_none_or(|wanted| wanted == number) {
                settings = settings.assign(&topic.name, number);
            }
        }
    }
    Ok(settings)
}

/// Where the partitions ended when reading began: those that have something to read.
struct Ends {
    places: Vec<(String, i32, i64)>,
    quiet_since: Instant,
    /// Whether nothing came before that either, from a hub that answered.
    was_quiet: bool,
}

impl Ends {
    async fn of(args: &ConsumeArgs, hub: &HubHandle, meant: &[TopicInfo]) -> Result<Self, Failure> {
        let mut begun: Vec<Offset> = Vec::new();
        if let Some(group) = &args.group {
            let groups = hub.hub().groups().await?.into_iter();
            begun.extend(
                groups.filter(|known| known.name == *group).flat_map(|known| known.offsets),
            );
        }
        let mut ends = Vec::new();
        for topic in meant {
            if let StartAt::Time(time_ms) = args.from.0 {
                for offset in hub.hub().offsets_at(&topic.name, time_ms).await? {
                    // A commit of the group comes first, and goes before it.
                    begun.push(offset);
                }
            }
            for (number, partition) in (0i32..).zip(&topic.partitions) {
                let known =
                    begun.iter().find(|at| at.topic == topic.name && at.partition == number);
                let start = match (known, args.from.0) {
                    (Some(at), _) => at.offset,
                    (None, StartAt::Offset(offset)) => offset,
                    (None, StartAt::Latest) => partition.end,
                    (None, StartAt::Earliest | StartAt::Time(_)) => partition.start,
                };
                let is_meant = args.partition.is_none_or(|wanted| wanted == number);
                if is_meant && start.max(partition.start) < partition.end {
                    ends.push((topic.name.clone(), number, partition.end));
                }
            }
        }
        Ok(Self { places: ends, quiet_since: Instant::now(), was_quiet: false })
    }

    /// Something came.
    fn go_on(&mut self) {
        (self.quiet_since, self.was_quiet) = (Instant::now(), false);
    }

    /// Whether everything up to there was read. What ends with the marks of a transaction may never get there: then
    /// it counts that nothing more comes, though the hub answers.
    async fn are_reached(
        &mut self,
        consumer: &mut Consumer,
        hub: &HubHandle,
    ) -> Result<bool, Failure> {
        let position = consumer.position();
        let reached = |(topic, number, end): &(String, i32, i64)| {
            let mut known = position.iter();
            known.any(|at| at.topic == *topic && at.partition == *number && at.offset >= *end)
        };
        let Some((topic, ..)) = self.places.iter().find(|place| !reached(place)) else {
            return Ok(true);
        };
        let enough = if position.is_empty() && !self.was_quiet { JOIN } else { QUIET };
        if self.quiet_since.elapsed() < enough {
            return Ok(false);
        }
        let asked = Instant::now();
        let answers =
            hub.hub().offsets_at(topic, i64::MAX).await.is_ok() && asked.elapsed() < QUIET;
        let is_end = answers && self.was_quiet;
        (self.quiet_since, self.was_quiet) = (Instant::now(), answers);
        if is_end && position.is_empty() && consumer.lag().await.is_empty() {
            return Err(Failure::failed(format!(
                "got no partition of topic \"{topic}\" to read: the other members of the group do not share, \
                 or its offsets may not be read"
            )));
        }
        Ok(is_end)
    }
}
