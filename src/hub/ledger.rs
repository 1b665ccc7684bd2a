//! The ledger's rows of sinks, from what any hub tells: offsets, and what groups have committed with them.

use std::time::Duration;

use anabranch_record::TopicPartition;
use tokio::time::Instant;

use super::lag::begins;
use super::{
    ConsumerSpec, FetchedBatch, Hub, HubError, Offset, PartitionInfo, Reads, StartAt, TopicInfo,
    account_of,
};
use crate::ledger::progress::Progress;
use crate::ledger::rows::{Known, SinkRow, Verified};

/// What a group has committed in a partition.
type Committed = (TopicPartition, i64, Option<Progress>);

/// The rows of the groups that `reads` names; without it those of every group that keeps an account.
///
/// # Errors
/// [`HubError`] when the hub does not answer.
pub async fn sink_rows(hub: &dyn Hub, reads: Option<&[Reads]>) -> Result<Vec<SinkRow>, HubError> {
    Ok(sink_rows_and_topics(hub, reads).await?.0)
}

/// The same, with all topics, which were looked up for it.
///
/// # Errors
/// [`HubError`] when the hub does not answer.
pub async fn sink_rows_and_topics(
    hub: &dyn Hub,
    reads: Option<&[Reads]>,
) -> Result<(Vec<SinkRow>, Vec<TopicInfo>), HubError> {
    let names: Vec<String> = match reads {
        Some(reads) => reads.iter().map(|reads| reads.group.clone()).collect(),
        None => hub.groups().await?.into_iter().map(|group| group.name).collect(),
    };
    // What is committed first: the ends are never before it then.
    let mut groups = Vec::new();
    for name in names {
        let committed: Vec<Committed> = hub
            .committed(&name)
            .await?
            .into_iter()
            .map(|(at, metadata)| {
                let place = TopicPartition::new(at.topic, at.partition);
                (place, at.offset, account_of(&metadata))
            })
            .collect();
        let reads = reads.and_then(|reads| reads.iter().find(|reads| reads.group == name));
        if reads.is_some() || committed.iter().any(|(_, _, account)| account.is_some()) {
            groups.push((name, reads, committed));
        }
    }
    let topics = hub.topics().await?;
    let mut rows = Vec::new();
    for (name, reads, committed) in groups {
        let places = places(hub, reads, &topics, &committed).await?;
        rows.push(SinkRow::new(&name, &places));
    }
    Ok((rows, topics))
}

/// Every partition that the group reads, and those of which it has an account though it reads them no more.
async fn places(
    hub: &dyn Hub,
    reads: Option<&Reads>,
    topics: &[TopicInfo],
    committed: &[Committed],
) -> Result<Vec<Known>, HubError> {
    let mut places = Vec::new();
    for topic in topics {
        let wants = reads.is_some_and(|reads| reads.wants(&topic.name));
        let starts = match reads {
            Some(Reads { start: StartAt::Time(time_ms), .. }) if wants => {
                hub.offsets_at(&topic.name, *time_ms).await?
            }
            _ => Vec::new(),
        };
        for (number, info) in (0i32..).zip(&topic.partitions) {
            let is_it = |(place, _, _): &&Committed| place.is(&topic.name, number);
            let committed = committed.iter().find(is_it).map(|(_, at, account)| (*at, *account));
            let has_account = matches!(committed, Some((_, Some(_))));
            if !wants && !has_account {
                continue;
            }
            let PartitionInfo { start, end, .. } = *info;
            let at = starts.iter().find(|at| at.partition == number).map(|at| at.offset);
            let begins = at.or_else(|| Some(begins(reads?.start, info))).unwrap_or(start);
            let is_read = wants || reads.is_none();
            // What is read no more has no lag.
            let end = if is_read { end } else { committed.map_or(end, |(at, _)| at) };
            let place = TopicPartition::new(&*topic.name, number);
            let start = if is_read { start } else { start.min(end) };
            places.push(Known { place, kept: (start, end), begins, committed });
        }
    }
    Ok(places)
}

/// How long a partition may tell nothing while it is counted.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Counts anew, by reading it, what each sink has settled; for a hub whose files are not at hand. What was stored of
/// sources cannot be told apart there, and the same records may take other bytes when they are read again.
///
/// # Errors
/// [`HubError`] when the hub does not answer.
pub async fn verify(hub: &dyn Hub, reads: Option<&[Reads]>) -> Result<Verified, HubError> {
    let names: Vec<String> = match reads {
        Some(reads) => reads.iter().map(|reads| reads.group.clone()).collect(),
        None => hub.groups().await?.into_iter().map(|group| group.name).collect(),
    };
    let mut verified = Verified::default();
    verified.notes.push(
        "on Kafka, records do not tell their source: sources are not counted anew".to_owned(),
    );
    for sink in names {
        for (at, metadata) in hub.committed(&sink).await? {
            let Some(account) = account_of(&metadata) else { continue };
            count(hub, (&sink, &at), &account, &mut verified).await?;
        }
    }
    Ok(verified)
}

async fn count(
    hub: &dyn Hub,
    (sink, at): (&str, &Offset),
    account: &Progress,
    verified: &mut Verified,
) -> Result<(), HubError> {
    let place = TopicPartition::new(&*at.topic, at.partition);
    let spec = ConsumerSpec {
        group: format!("{sink}-ledger"),
        topics: Vec::new(),
        start: StartAt::Offset(account.base.max(0)),
        member: (0, 1),
        assigned: Some(vec![place]),
    };
    let mut consumer = hub.consumer(spec).await?;
    let (mut records, mut first, mut heard) = (0u64, None, Instant::now());
    let mut next = account.base;
    while next < at.offset && heard.elapsed() < SILENCE_MAX {
        let fetched = consumer.fetch(1 << 20, Duration::from_secs(1)).await?;
        for FetchedBatch { batch, .. } in &fetched.batches {
            heard = Instant::now();
            for stored in batch.iter().filter(|stored| stored.offset < at.offset) {
                first.get_or_insert(stored.offset);
                records += 1;
            }
            next = next.max(batch.next_offset);
            verified.bytes += batch.data.len() as u64;
        }
        // Behind the last record there may be nothing but marks of transactions.
        let ended =
            fetched.batches.is_empty() && consumer.lag().await.iter().all(|lag| lag.records == 0);
        if ended {
            break;
        }
    }
    verified.records += records;
    let settled = account.tally.taken.records;
    let gone = first.map_or(0, |first| first - account.base);
    let gone = u64::try_from(gone).unwrap_or(0);
    if records > settled || records + gone < settled {
        verified.faults.push(format!(
            "{}-{}: sink {sink}: the log has {records} records for it, of which it accounts for {settled}",
            at.topic, at.partition
        ));
    }
    Ok(())
}
