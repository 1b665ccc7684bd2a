//! Measures what it costs to append lines to a Kafka cluster: `kafka_hub_speed HOST:PORT MODE HEADERS MEGABYTES`,
//! with `MODE` one of `transactional`, `idempotent`, `leader`, and `HEADERS` headers on each line of 200 bytes.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement for a person")]

use std::sync::Arc;

use anabranch::Acks;
use anabranch::hub::kafka::{Kafka, Settings};
use anabranch::hub::{Hub, Part};
use anabranch_connectors::contract::counters::Share;
use anabranch_connectors::contract::memory::Part as MemoryPart;
use anabranch_connectors::{Emission, Memory, Taken};
use anabranch_record::{Batch, Headers};
use tokio::sync::oneshot;
use tokio::time::Instant;

const BATCH: usize = 1 << 20;
const BUDGET: usize = 64;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().unwrap_or_else(|| "127.0.0.1:9092".to_owned());
    let mode = arguments.next().unwrap_or_else(|| "transactional".to_owned());
    let headers = arguments.next().map_or(2, |text| text.parse().unwrap());
    let megabytes: usize = arguments.next().map_or(500, |text| text.parse().unwrap());
    let options = arguments.filter_map(|text| {
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    let hub = Kafka::connect(Settings {
        bootstrap_servers: vec![brokers],
        transactional: mode == "transactional",
        acks: if mode == "leader" { Acks::Leader } else { Acks::All },
        transactional_id: "anabranch-speed".to_owned(),
        options: options.collect(),
        ..Settings::default()
    })
    .unwrap();
    let topic = format!("speed-{}", uuid::Uuid::new_v4());
    let appender = hub.appender();
    let partitions = {
        let (appender, topic) = (Arc::clone(&appender), topic.clone());
        tokio::task::spawn_blocking(move || appender.partitions(&topic).unwrap()).await.unwrap()
    };
    hub.positions("nobody").await.unwrap();
    let lines = lines();
    let memory = Memory::shared(BUDGET);
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let count = megabytes * 1_000_000 / lines.len();
    let mut receipts = Vec::new();
    for number in 0..count {
        let permit = memory.take(MemoryPart::Sources, 1).await;
        let (part, receipt) = part(&lines, headers, permit);
        receipts.push(receipt);
        let partition = i32::try_from(number).unwrap() % i32::try_from(partitions).unwrap();
        let (appender, topic) = (Arc::clone(&appender), topic.clone());
        tokio::task::spawn_blocking(move || appender.append(&topic, partition, vec![part]))
            .await
            .unwrap();
    }
    for receipt in receipts {
        receipt.await.unwrap().unwrap();
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let gigabytes = f64::from(u32::try_from(count * lines.len() / 1000).unwrap()) / 1e6;
    println!(
        "{mode}, {headers} headers: {:.0} MB/s, {:.2} CPU-s/GB ({gigabytes:.2} GB in {wall:.1} s)",
        gigabytes * 1000.0 / wall,
        cpu / gigabytes
    );
    hub.close().await;
}

type Receipt = oneshot::Receiver<
    Result<
        anabranch_connectors::contract::receipt::Stored,
        anabranch_connectors::contract::receipt::NotStored,
    >,
>;

fn part(lines: &[u8], headers: usize, permit: Taken) -> (Part, Receipt) {
    let mut common = Headers::new();
    for (name, value) in [("host", "web-17.example.net"), ("path", "/var/log/app/access.log")]
        .into_iter()
        .take(headers)
    {
        common = common.with(name, value.as_bytes());
    }
    let now = anabranch_connectors::contract::clock::now_ms();
    let mut batch = Batch::new(lines.to_vec().into(), common, now, 1);
    for start in (0..lines.len()).step_by(200) {
        batch.push(start..start + 199);
    }
    let (settle, receipt) = oneshot::channel();
    let permit = Some(Share::new(Some(permit), &Arc::default(), &batch));
    let emission = Emission { source: "speed".into(), batch, settle, permit, sent: Instant::now() };
    (Part::from(emission), receipt)
}

/// About a MiB of lines of 200 bytes that look like an access log's.
fn lines() -> Vec<u8> {
    let mut lines = Vec::with_capacity(BATCH);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while lines.len() + 200 <= BATCH {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let line = format!(
            "10.{}.{}.{} - - [20/Nov/2026:10:{:02}:{:02} +0000] \"GET /api/v1/items/{:x}?page={} HTTP/1.1\" 200 {} \
             \"https://example.com/shop\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/{}.0\" {:016x}",
            state % 256,
            (state >> 8) % 256,
            (state >> 16) % 256,
            (state >> 24) % 60,
            (state >> 32) % 60,
            state >> 40,
            state % 50,
            state % 100_000,
            state % 140,
            state
        );
        let mut line = line.into_bytes();
        line.resize(199, b'.');
        lines.extend_from_slice(&line);
        lines.push(b'\n');
    }
    lines
}

/// User and system time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields.iter().skip(11).take(2).map(|text| text.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
