//! The producer against a broker that forgets, as Kafka does: of a producer it has nothing of it takes any sequence.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::batch::{Batch, State};
use super::codec::{Reader, push_count, push_nullable, push_string};
use super::messages::Api;
use super::options::{Options, Patience};
use super::producer::{Goal, Producer, ProducerSettings};
use crate::wire::{BatchHeader, Builder, Codec, Stamp};

const TOPIC: &str = "t";
const PARTITIONS: usize = 2;

/// Codes of the protocol: the batch before is missing, and another broker leads for now.
const OUT_OF_ORDER: i16 = 45;
const NOT_LEADER: i16 = 6;

#[derive(Debug, Default)]
struct Partition {
    /// First sequence numbers in the order in which they were stored.
    stored: Vec<i32>,
    /// What must come next; not known when it has forgotten.
    next: Option<i32>,
    /// How many batches it still refuses because it does not lead yet.
    refusals: u32,
}

/// A broker for one connection at a time.
#[derive(Debug, Default)]
struct Broker {
    port: u16,
    partitions: [Partition; PARTITIONS],
    /// It dies, without an answer to that one, on the produce request of this number from now.
    dies_in: Option<u32>,
}

impl Broker {
    fn start() -> Arc<Mutex<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let broker = Arc::new(Mutex::new(Self { port, ..Self::default() }));
        let own = Arc::clone(&broker);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let broker = Arc::clone(&own);
                std::thread::spawn(move || serve(connection.unwrap(), &broker));
            }
        });
        broker
    }

    /// `None` when it dies.
    fn answer(&mut self, api: i16, reader: &mut Reader<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        if api == Api::Versions.key() {
            push_i16s(&[0], &mut out);
            let apis = [Api::Produce, Api::Metadata, Api::Versions, Api::InitProducerId];
            push_count(apis.len(), &mut out);
            for api in apis {
                push_i16s(&[api.key(), api.versions().0, api.versions().0], &mut out);
            }
        } else if api == Api::Metadata.key() {
            self.metadata(&mut out);
        } else if api == Api::InitProducerId.key() {
            out.extend_from_slice(&[0; 16]);
        } else {
            self.produce(reader, &mut out)?;
        }
        Some(out)
    }

    fn metadata(&self, out: &mut Vec<u8>) {
        push_i32s(&[0, 1, 0], out);
        push_string("127.0.0.1", out);
        push_i32s(&[i32::from(self.port)], out);
        push_nullable(None, out);
        push_nullable(None, out);
        push_i32s(&[0, 1], out);
        push_i16s(&[0], out);
        push_string(TOPIC, out);
        out.push(0);
        push_count(PARTITIONS, out);
        for number in (0..).take(PARTITIONS) {
            push_i16s(&[0], out);
            push_i32s(&[number, 0, 0, 0], out);
        }
    }

    fn produce(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Option<()> {
        self.dies_in = self.dies_in.map(|requests| requests.saturating_sub(1));
        if self.dies_in == Some(0) {
            self.dies_in = None;
            for partition in &mut self.partitions {
                (partition.next, partition.refusals) = (None, 1);
            }
            return None;
        }
        let (_id, _acks, _timeout) = (reader.string(), reader.i16(), reader.i32());
        let topics = reader.each(|one| {
            one.string()?;
            one.each(|partition| Some((partition.i32()?, partition.bytes()?)))
        });
        let batches = topics.unwrap().concat();
        push_count(1, out);
        push_string(TOPIC, out);
        push_count(batches.len(), out);
        for (number, batch) in batches {
            let partition = &mut self.partitions[usize::try_from(number).unwrap()];
            let code = partition.take(&BatchHeader::parse(batch).unwrap());
            push_i32s(&[number], out);
            push_i16s(&[code], out);
            out.extend_from_slice(&[0; 16]);
        }
        push_i32s(&[0], out);
        Some(())
    }
}

impl Partition {
    fn take(&mut self, batch: &BatchHeader) -> i16 {
        if self.refusals > 0 {
            self.refusals -= 1;
            return NOT_LEADER;
        }
        if self.next.is_some_and(|next| next != batch.base_sequence) {
            return OUT_OF_ORDER;
        }
        self.stored.push(batch.base_sequence);
        self.next = Some(batch.base_sequence + batch.count);
        0
    }
}

fn serve(mut connection: TcpStream, broker: &Mutex<Broker>) {
    while let Some(request) = read(&mut connection) {
        let mut reader = Reader::new(&request);
        let (api, _version, correlation) = (reader.i16(), reader.i16(), reader.i32());
        let _client = reader.string();
        let answer = broker.lock().answer(api.unwrap(), &mut reader);
        let Some(answer) = answer else { return };
        let mut out = Vec::new();
        push_count(answer.len() + 4, &mut out);
        push_i32s(&[correlation.unwrap()], &mut out);
        out.extend_from_slice(&answer);
        if connection.write_all(&out).is_err() {
            return;
        }
    }
}

fn read(connection: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    connection.read_exact(&mut length).ok()?;
    let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    connection.read_exact(&mut request).ok()?;
    Some(request)
}

fn push_i16s(numbers: &[i16], out: &mut Vec<u8>) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}

fn push_i32s(numbers: &[i32], out: &mut Vec<u8>) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
}

struct Patient;

impl Patience for Patient {
    fn is_over(&self) -> bool {
        false
    }

    fn rest(&self, time: Duration) {
        std::thread::park_timeout(time);
    }

    fn trouble(&self, _why: &str) {}
}

fn producer(broker: &Mutex<Broker>) -> Producer {
    let options = Options {
        bootstrap_servers: vec![format!("127.0.0.1:{}", broker.lock().port)],
        retry_backoff: (Duration::from_millis(1), Duration::from_millis(10)),
        ..Options::default()
    };
    let settings =
        ProducerSettings { acks: -1, idempotent: true, transaction: None, max_in_flight: 5 };
    let mut producer = Producer::new(options, settings, Arc::new(Patient));
    producer.start(soon()).unwrap();
    producer
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Batches of one record, for each partition in turn.
fn batches(count: usize) -> Vec<Batch> {
    let partitions = (0i32..).take(PARTITIONS).cycle();
    let batch = |partition| {
        let (mut builder, mut bytes) = (Builder::new(Codec::None, None), Vec::new());
        builder.begin(&mut bytes);
        let producer = (-1, -1, -1);
        let stamp = Stamp { base_timestamp_ms: 0, max_timestamp_ms: 0, count: 1, producer };
        builder.finish(stamp, &mut bytes).unwrap();
        Batch::new((TOPIC.into(), partition), bytes.into(), 1)
    };
    partitions.take(count).map(batch).collect()
}

fn send(producer: &mut Producer, count: usize) {
    let mut batches = batches(count);
    producer.begin();
    producer.advance(&mut batches, Goal::Stored, soon()).unwrap();
    assert!(batches.iter().all(|batch| batch.state == State::Stored));
}

/// Whether everything is there in order; what a broker has forgotten may be there once more.
#[track_caller]
fn assert_in_order(broker: &Mutex<Broker>, count: i32) {
    for partition in &broker.lock().partitions {
        let mut first = partition.stored.clone();
        let mut seen = BTreeSet::new();
        first.retain(|sequence| seen.insert(*sequence));
        assert_eq!(first, (0..count).collect::<Vec<i32>>(), "{:?}", partition.stored);
    }
}

#[test]
fn a_partition_that_has_no_leader_at_first_gets_its_batches_in_order() {
    let broker = Broker::start();
    broker.lock().partitions[0].refusals = 1;
    send(&mut producer(&broker), 12);
    assert_in_order(&broker, 6);
}

#[test]
fn a_broker_that_was_killed_and_has_forgotten_gets_what_follows_in_order() {
    let broker = Broker::start();
    let mut producer = producer(&broker);
    send(&mut producer, 8);
    broker.lock().dies_in = Some(3);
    send(&mut producer, 32);
    assert_in_order(&broker, 20);
}
