//! Tests of the source on real sockets.

use std::collections::BTreeMap;
use std::net::{TcpStream as StdTcp, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::contract::build::Surroundings;
use crate::contract::counters::SourceCounters;
use crate::contract::emitter::{Emission, Emitter};
use crate::contract::receipt::Stored;
use crate::contract::source::SourceError;

/// One record: its value and its headers.
type Seen = (String, BTreeMap<String, String>);

struct Running {
    listens: Vec<Listen>,
    outlet: mpsc::Receiver<Emission>,
    counters: std::sync::Arc<SourceCounters>,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), SourceError>>,
}

fn bind(config: SourceConfig) -> Result<Bound, SourceError> {
    SyslogSource::new(config, &Surroundings::default()).unwrap().bind()
}

fn run(bound: Bound) -> Running {
    let (inlet, outlet) = mpsc::channel(100);
    let budget = (crate::Memory::shared(1 << 26), crate::contract::memory::Part::Sources);
    let counters = std::sync::Arc::<SourceCounters>::default();
    let emitter =
        Emitter::new("s", [inlet].into(), budget, Vec::new(), std::sync::Arc::clone(&counters));
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let listens = bound.listens();
    tasks.spawn(bound.run(emitter, stop.clone()));
    Running { listens, outlet, counters, stop, tasks }
}

fn start(listen: &[&str]) -> Running {
    let listen = listen.iter().map(|listen| listen.parse().unwrap()).collect();
    run(bind(SourceConfig::new(listen)).unwrap())
}

impl Running {
    fn port(&self, number: usize) -> String {
        match &self.listens[number] {
            Listen::Udp(place) | Listen::Tcp(place) | Listen::Tls(place) => place.clone(),
            other @ (Listen::Unix(_)
            | Listen::Unixgram(_)
            | Listen::Passed(_)
            | Listen::PassedTls(_)) => panic!("{other} has no port"),
        }
    }

    async fn take(&mut self, records: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        while seen.len() < records {
            let emission = tokio::time::timeout(Duration::from_secs(20), self.outlet.recv()).await;
            let emission = emission.expect("records within 20 s").unwrap();
            for record in emission.batch.iter() {
                let headers = record.headers.iter().map(|(name, value)| {
                    (name.to_owned(), String::from_utf8_lossy(value.unwrap()).into_owned())
                });
                let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
                seen.push((value, headers.collect()));
            }
            emission.settle.send(Ok(Stored { partition: 0, offset: 0 })).ok();
        }
        seen
    }

    async fn end(mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
    }
}

fn values(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|(value, _)| value.as_str()).collect()
}

#[tokio::test]
async fn datagrams_become_records_with_what_they_say_about_themselves() {
    let mut running = start(&["udp://127.0.0.1:0"]);
    assert_eq!(running.listens[0], running.listens[1], "both sockets share the port");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"<12>py: hello multi\nline\0", running.port(0)).unwrap();
    socket.send_to(b"<134>Nov 20 18:17:27 vm app: udp 3164", running.port(0)).unwrap();
    socket.send_to(b"\n", running.port(0)).unwrap();
    socket.send_to(b"no priority\n", running.port(0)).unwrap();
    let seen = running.take(3).await;
    let expected =
        ["<12>py: hello multi\nline", "<134>Nov 20 18:17:27 vm app: udp 3164", "no priority"];
    assert_eq!(values(&seen), expected);
    let headers = &seen[1].1;
    for (name, value) in [
        ("peer", "127.0.0.1"),
        ("syslog.facility", "local0"),
        ("syslog.severity", "info"),
        ("syslog.hostname", "vm"),
        ("syslog.appname", "app"),
        ("syslog.message_at", "29"),
        ("host", "vm"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(headers.len(), 7);
    assert_eq!(seen[0].1["host"], "127.0.0.1");
    assert_eq!(seen[2].1["parse_error"], "the message does not begin with a priority");
    running.end().await;
}

#[tokio::test]
async fn every_framing_works_on_one_listener_and_the_unterminated_rest_counts() {
    use std::io::Write;
    let mut running = start(&["tcp://127.0.0.1:0"]);
    for (stream, expected) in [
        (
            "20 <13>1 - - root - - -22 <13>1 - - root - - - x\n",
            vec!["<13>1 - - root - - -", "<13>1 - - root - - - x"],
        ),
        ("<13>one\n<13>two\n<13>rest", vec!["<13>one", "<13>two", "<13>rest"]),
        ("<12>py: a\nb\0<12>py: c\0", vec!["<12>py: a\nb", "<12>py: c"]),
    ] {
        let mut client = StdTcp::connect(running.port(0)).unwrap();
        client.write_all(stream.as_bytes()).unwrap();
        drop(client);
        let seen = running.take(expected.len()).await;
        assert_eq!(values(&seen), expected);
        assert!(seen.iter().all(|(_, headers)| headers["peer"] == "127.0.0.1"));
    }
    running.end().await;
}

#[tokio::test]
async fn one_count_in_characters_costs_none_of_two_hundred_messages() {
    use std::io::Write;
    let mut running = start(&["tcp://127.0.0.1:0"]);
    let message = |number: usize| format!("<14>1 - web app - - - größe {number} é");
    let mut client = StdTcp::connect(running.port(0)).unwrap();
    for number in 0..200 {
        let text = message(number);
        let count = if number == 3 { text.chars().count() } else { text.len() };
        write!(client, "{count} {text}").unwrap();
    }
    drop(client);
    let seen = running.take(199).await;
    let whole = (0..200).filter(|number| values(&seen).contains(&message(*number).as_str()));
    assert!(whole.count() >= 198, "{:?}", values(&seen));
    running.end().await;
}

#[tokio::test]
async fn a_lone_line_arrives_while_its_connection_stays_open() {
    use std::io::Write;
    let mut running = start(&["tcp://127.0.0.1:0"]);
    let mut client = StdTcp::connect(running.port(0)).unwrap();
    for text in ["<13>one\n", "<13>two\n"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(values(&running.take(1).await), [text.trim_end()]);
    }
    client.write_all(b"<13>half").unwrap();
    let Running { stop, mut outlet, mut tasks, .. } = running;
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    let emission = outlet.recv().await.unwrap();
    assert_eq!(emission.batch.iter().next().unwrap().value, Some(&b"<13>half"[..]));
}

#[tokio::test]
async fn a_stop_takes_what_the_system_has_taken_in() {
    let bound = bind(SourceConfig::new(vec!["udp://127.0.0.1:0".parse().unwrap()])).unwrap();
    let Listen::Udp(place) = bound.listens()[0].clone() else { panic!("no udp") };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"<13>late", place).unwrap();
    let (emitter, mut outlet) = Emitter::channel(4);
    let stop = CancellationToken::new();
    stop.cancel();
    bound.run(emitter, stop).await.unwrap();
    let emission = outlet.recv().await.unwrap();
    assert_eq!(emission.batch.iter().next().unwrap().value, Some(&b"<13>late"[..]));
}

#[tokio::test]
async fn a_message_longer_than_the_limit_comes_in_marked_pieces() {
    use std::io::Write;
    let listen = vec!["tcp://127.0.0.1:0".parse().unwrap(), "udp://127.0.0.1:0".parse().unwrap()];
    let max_message_bytes = crate::ByteSize(10);
    let config = SourceConfig { max_message_bytes, ..SourceConfig::new(listen) };
    let mut running = run(bind(config).unwrap());
    let mut client = StdTcp::connect(running.port(0)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.write_all(b"<13>4567890123456789abc\n").unwrap();
    let tcp = running.take(3).await;
    socket.send_to(b"<13>4567890123456789abc\n", running.port(1)).unwrap();
    let udp = running.take(3).await;
    for seen in [tcp, udp] {
        assert_eq!(values(&seen), ["<13>456789", "0123456789", "abc"]);
        let marked: Vec<_> = seen.iter().map(|(_, headers)| headers.get("continued")).collect();
        assert_eq!(marked, [Some(&"true".to_owned()), Some(&"true".to_owned()), None]);
        assert!(seen.iter().all(|(_, headers)| !headers.contains_key("parse_error")));
    }
    running.end().await;
}

#[tokio::test]
async fn a_message_that_a_stop_cuts_off_is_there_as_far_as_it_came_and_marked() {
    use std::io::Write;
    for (sent, marked) in [
        (&b"<13>a whole one\n<13>a half"[..], Some("true")),
        (b"15 <13>a whole one40 <13>a half", Some("true")),
        (b"<13>a whole one\n<13>a half\n", None),
    ] {
        let mut running = start(&["tcp://127.0.0.1:0"]);
        let mut client = StdTcp::connect(running.port(0)).unwrap();
        client.write_all(sent).unwrap();
        let mut seen = running.take(1).await;
        running.stop.cancel();
        if seen.len() < 2 {
            seen.extend(running.take(1).await);
        }
        assert_eq!(values(&seen), ["<13>a whole one", "<13>a half"]);
        let marks: Vec<_> = seen.iter().map(|(_, headers)| headers.get("continued")).collect();
        assert_eq!(marks, [None, marked.map(str::to_owned).as_ref()], "{sent:?}");
        running.end().await;
    }
    // Who closes it says that it ends there.
    let mut running = start(&["tcp://127.0.0.1:0"]);
    let mut client = StdTcp::connect(running.port(0)).unwrap();
    client.write_all(b"<13>without an end").unwrap();
    drop(client);
    assert!(!running.take(1).await[0].1.contains_key("continued"));
    running.end().await;
}

#[tokio::test]
async fn unix_sockets_take_connections_and_datagrams_and_stale_files_are_removed() {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (stream, datagrams) = (path("stream"), path("datagrams"));
    drop(UnixDatagram::bind(&datagrams).unwrap());
    assert!(Path::new(&datagrams).exists(), "a stale file is there");
    let listen = [format!("unix://{stream}"), format!("unixgram://{datagrams}")];
    let mut running = start(&[&listen[0], &listen[1]]);
    let mode = std::fs::metadata(&stream).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    let client = UnixDatagram::unbound().unwrap();
    client.send_to(b"<12>Nov 20 18:17:27 app: unix dgram", &datagrams).unwrap();
    let seen = running.take(1).await;
    assert_eq!(values(&seen), ["<12>Nov 20 18:17:27 app: unix dgram"]);
    assert_eq!(seen[0].1["syslog.appname"], "app");
    let mut client = UnixStream::connect(&stream).unwrap();
    client.write_all(b"<13>over a stream\n").unwrap();
    assert_eq!(values(&running.take(1).await), ["<13>over a stream"]);
    let taken = bind(SourceConfig::new(vec![listen[1].parse().unwrap()])).unwrap_err().to_string();
    assert!(taken.contains("another program has it"), "{taken}");
    running.end().await;
    assert!(!Path::new(&stream).exists());
}

#[tokio::test]
async fn what_the_kernel_drops_is_counted() {
    let listen = vec!["udp://127.0.0.1:0".parse().unwrap()];
    let receive_buffer = crate::ByteSize::kib(4);
    let config = SourceConfig { receive_buffer, udp_sockets: 1, ..SourceConfig::new(listen) };
    let bound = bind(config).unwrap();
    let Listen::Udp(place) = bound.listens()[0].clone() else { panic!("no udp") };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..500 {
        socket.send_to(format!("<13>{number}").as_bytes(), &place).unwrap();
    }
    let mut running = run(bound);
    running.take(1).await;
    running.stop.cancel();
    running.tasks.join_next().await.unwrap().unwrap().unwrap();
    let dropped = running.counters.dropped.lock()["udp_receive_buffer_full"];
    let received = running.counters.records.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(dropped + received, 500, "{received} received");
    assert!(dropped > 0);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_what_to_do() {
    let running = start(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]);
    for number in [0, 2] {
        let again = SourceConfig::new(vec![running.listens[number].clone()]);
        let error = bind(again).unwrap_err().to_string();
        assert!(error.contains(&running.listens[number].to_string()), "{error}");
        assert!(error.contains("another program has it"), "{error}");
    }
    running.end().await;
}

#[tokio::test]
async fn silent_connections_are_closed_and_waiting_ones_get_their_place() {
    use std::io::{Read, Write};
    let listen = vec!["tcp://127.0.0.1:0".parse().unwrap()];
    let idle_timeout = Some(Duration::from_millis(50));
    let config = SourceConfig { idle_timeout, max_connections: 1, ..SourceConfig::new(listen) };
    let mut running = run(bind(config).unwrap());
    let mut silent = StdTcp::connect(running.port(0)).unwrap();
    let mut waiting = StdTcp::connect(running.port(0)).unwrap();
    waiting.write_all(b"<13>waited\n").unwrap();
    assert_eq!(values(&running.take(1).await), ["<13>waited"]);
    let closed = tokio::task::spawn_blocking(move || silent.read(&mut [0; 1]).unwrap());
    assert_eq!(closed.await.unwrap(), 0);
    running.end().await;
}

#[tokio::test]
async fn a_full_producer_keeps_connections_from_being_read_and_loses_nothing() {
    use std::io::Write;
    let mut running = start(&["tcp://127.0.0.1:0"]);
    let mut client = StdTcp::connect(running.port(0)).unwrap();
    let writer = tokio::task::spawn_blocking(move || {
        for number in 0..200_000 {
            writeln!(client, "<13>Nov 20 18:17:27 vm app: message number {number:06}").unwrap();
        }
    });
    let seen = running.take(200_000).await;
    let ordered = seen
        .iter()
        .enumerate()
        .all(|(number, (value, _))| value.ends_with(&format!("number {number:06}")));
    assert!(ordered);
    writer.await.unwrap();
    running.end().await;
}
