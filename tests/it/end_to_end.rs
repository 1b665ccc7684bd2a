//! One agent, three kinds of sources at once, three kinds of sinks: every event is in every sink once, on both hubs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::support::{
    Agent, Receiver, Rsyslogd, append_lines, assert_each_once, assert_each_once_in_order,
    file_line_count, file_lines, free_port, lines, logger, messages, post, search_count,
    search_hits, server, wait_listening, wait_until,
};

/// For all events in a debug build on two busy cores.
const LONG: Duration = Duration::from_secs(90);

/// How many events come in which way.
#[derive(Clone, Copy)]
struct Load {
    file: usize,
    socket: usize,
    logger: usize,
    rsyslogd: usize,
    http: usize,
}

const FULL: Load =
    Load { file: 20_000, socket: 20_000, logger: 5_000, rsyslogd: 5_000, http: 30_000 };
const SMALL: Load = Load { file: 2_000, socket: 2_000, logger: 500, rsyslogd: 500, http: 3_000 };

impl Load {
    /// All of them; there are two files.
    const fn total(self) -> usize {
        2 * self.file + self.socket + self.logger + self.rsyslogd + self.http
    }
}

/// Programs that send, and where documents go.
struct Far {
    logger: String,
    rsyslogd: String,
    search: String,
}

impl Far {
    fn find(search: &str) -> Option<Self> {
        let (logger, rsyslogd) = (server("ANABRANCH_LOGGER")?, server("ANABRANCH_RSYSLOGD")?);
        Some(Self { logger, rsyslogd, search: server(search)? })
    }
}

#[test]
fn a_hundred_thousand_events_from_three_sources_are_in_three_sinks() {
    let Some(far) = Far::find("ANABRANCH_SEARCH") else { return };
    assert_eq!(FULL.total(), 100_000);
    every_event_is_in_every_sink("", &far, FULL);
}

#[test]
fn opensearch_takes_what_elasticsearch_takes() {
    let Some(far) = Far::find("ANABRANCH_OPENSEARCH") else { return };
    every_event_is_in_every_sink("", &far, SMALL);
}

#[test]
fn with_kafka_as_the_hub_the_same_configuration_gives_the_same() {
    let (Some(far), Some(kafka)) = (Far::find("ANABRANCH_SEARCH"), server("ANABRANCH_KAFKA"))
    else {
        return;
    };
    let hub = format!("hub: {{ kafka: {{ bootstrap_servers: [\"{kafka}\"] }} }}\n");
    every_event_is_in_every_sink(&hub, &far, FULL);
}

fn every_event_is_in_every_sink(hub: &str, far: &Far, load: Load) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let id = format!("e2e-{}", uuid::Uuid::new_v4().simple());
    let receiver = Receiver::start();
    let (syslog, http) = (free_port(), free_port());
    let blocks = format!(
        "{hub}\
         sources:\n  \
           files: {{ topic: {id}, from: {{ file: {{ include: [\"{at}/logs/*.log\"] }} }} }}\n  \
           network: {{ topic: {id}, from: {{ syslog: {{ listen: [\"tcp://127.0.0.1:{syslog}\"] }} }} }}\n  \
           events: {{ topic: {id}, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }}\n\
         sinks:\n  \
           {id}-s: {{ topics: [{id}], to: {{ elasticsearch: {{ endpoints: [\"{search}\"], index: {id} }} }} }}\n  \
           {id}-f: {{ topics: [{id}], to: {{ file: {{ path: \"{at}/out.ndjson\", codec: raw }} }} }}\n  \
           {id}-h: {{ topics: [{id}], to: {{ http: {{ url: \"{url}\" }} }} }}\n",
        at = folder.display(),
        search = far.search,
        url = receiver.url("/in"),
    );
    std::fs::create_dir(folder.join("logs")).unwrap();
    let mut agent = Agent::start(folder, &blocks);
    wait_listening(syslog);
    wait_listening(http);
    let relay = free_port();
    let _rsyslogd = start_relay(&far.rsyslogd, folder, (relay, syslog));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append_lines(&folder.join("logs/a.log"), "file-a", 0..load.file);
            append_lines(&folder.join("logs/b.log"), "file-b", 0..load.file);
        });
        scope.spawn(|| send_to_socket(syslog, load.socket));
        scope.spawn(|| send_with_logger(far, folder, (syslog, relay), load));
        scope.spawn(|| post_events(http, load.http));
    });

    let (total, out) = (load.total(), folder.join("out.ndjson"));
    wait_until(LONG, "all events in the file", || file_line_count(&out) >= total);
    receiver.wait_for_lines(total, LONG);
    wait_until(LONG, "all documents", || {
        usize::try_from(search_count(&far.search, &id)).unwrap() >= total
    });
    agent.stop();

    let hits = search_hits(&far.search, &id);
    for texts in [&file_lines(&out), &receiver.lines(), &messages(&hits)] {
        let strange = texts.iter().find(|text| !text.contains('#'));
        assert_eq!((strange, texts.len()), (None, total));
        for (origin, count) in origins(load) {
            assert_each_once(texts, origin, count);
        }
    }
    for (origin, count) in origins(load).into_iter().filter(|(origin, _)| *origin != "http") {
        assert_each_once_in_order(&file_lines(&out), origin, count);
    }
}

fn origins(load: Load) -> [(&'static str, usize); 6] {
    [
        ("file-a", load.file),
        ("file-b", load.file),
        ("socket", load.socket),
        ("logger", load.logger),
        ("rsyslogd", load.rsyslogd),
        ("http", load.http),
    ]
}

/// One connection with a message on each line.
fn send_to_socket(port: u16, count: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let text = lines("socket", 0..count);
    let mut all = String::new();
    for line in text.lines() {
        writeln!(all, "<134>1 2026-11-20T18:17:27.912455Z vm app - - - {line}").unwrap();
    }
    stream.write_all(all.as_bytes()).unwrap();
}

/// The real forwarder, from one port to another.
fn start_relay(rsyslogd: &str, folder: &Path, (from, to): (u16, u16)) -> Rsyslogd {
    let folder = folder.join("rsyslog");
    std::fs::create_dir(&folder).unwrap();
    // What rsyslogd has to say itself is not sent on.
    let config = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{from}\")\n\
         if $inputname == \"imtcp\" then\n\
         action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{to}\" protocol=\"tcp\"\n\
         template=\"RSYSLOG_SyslogProtocol23Format\" TCP_Framing=\"octet-counted\"\n\
         queue.type=\"LinkedList\" queue.size=\"100000\" action.resumeRetryCount=\"-1\")\n"
    );
    Rsyslogd::start(rsyslogd, &folder, &config)
}

/// The real sender, once directly and once through the forwarder.
fn send_with_logger(far: &Far, folder: &Path, (port, relay): (u16, u16), load: Load) {
    let direct = ("logger", port, load.logger);
    for (origin, port, count) in [direct, ("rsyslogd", relay, load.rsyslogd)] {
        let file = folder.join(origin).with_extension("txt");
        append_lines(&file, origin, 0..count);
        let (port, file) = (port.to_string(), file.display().to_string());
        let arguments = ["-T", "-n", "127.0.0.1", "-P", &port, "--rfc5424", "-t", "app"];
        logger(&far.logger, &[&arguments[..], &["-f", &file]].concat());
    }
}

/// Requests of a thousand events; each answer says that all of them are stored.
fn post_events(port: u16, count: usize) {
    let url = format!("http://127.0.0.1:{port}/");
    let text = lines("http", 0..count);
    let all: Vec<_> = text.lines().map(|line| format!("{{\"message\":\"{line}\"}}\n")).collect();
    for body in all.chunks(1000) {
        let answer = post(&url, "application/x-ndjson", body.concat()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}
