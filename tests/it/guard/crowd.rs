//! Many connections that say nothing, or never end what they have begun: who has something to say gets in, what the
//! agent does for itself goes on, and memory stays within its budget.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Agent, SOON, append_lines, free_port, get, lines, post, wait_until};

/// Connections that were opened and say this.
fn open(address: &str, count: usize, say: &[u8]) -> Vec<TcpStream> {
    let connect = || {
        let mut stream = None;
        wait_until(SOON, "a listener", || {
            stream = TcpStream::connect(address).ok();
            stream.is_some()
        });
        let mut stream = stream.unwrap();
        // One that was closed meanwhile is no reason to stop.
        stream.write_all(say).ok();
        stream
    };
    (0..count).map(|_| connect()).collect()
}

/// What this side has ended of a listener's connections, for want of places.
fn crowded(agent: &Agent, listener: &str) -> f64 {
    let key =
        format!("anabranch_connections_closed_total{{listener=\"{listener}\",reason=\"crowded\"}}");
    agent.metrics()[&key]
}

#[test]
fn silent_connections_make_room_for_one_that_has_something_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let [http, syslog, hub] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{hub}\", max_connections: 8 }} }}\n\
         sources:\n  web: {{ topic: web, from: {{ http: {{ listen: \"{http}\", max_connections: 8 }} }} }}\n  \
           net: {{ topic: net, from: {{ syslog: {{ listen: [\"tcp://{syslog}\"], max_connections: 8 }} }} }}\n"
    );
    let agent = Agent::start(folder.path(), &blocks);
    let silent: Vec<TcpStream> =
        [&http, &syslog, &hub].into_iter().flat_map(|at| open(at, 12, b"")).collect();

    let answer = post(&format!("http://{http}/"), "text/plain", "hello\n").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut sender = TcpStream::connect(&syslog).unwrap();
    sender.write_all(b"<13>hello\n").unwrap();
    wait_until(SOON, "the message", || {
        agent.sum("anabranch_source_stored_records_total", "source=\"net\"") == 1.0
    });
    // ApiVersions, as each of Kafka's clients asks first.
    let mut client = TcpStream::connect(&hub).unwrap();
    client.set_read_timeout(Some(SOON)).unwrap();
    client.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255]).unwrap();
    let mut head = [0; 8];
    client.read_exact(&mut head).unwrap();
    assert_eq!(head[4..], [0, 0, 0, 7]);

    for listener in ["sources.web", "sources.net", "hub"] {
        let metrics = agent.metrics();
        let open = metrics[&format!("anabranch_connections_open{{listener=\"{listener}\"}}")];
        let max = metrics[&format!("anabranch_connections_max{{listener=\"{listener}\"}}")];
        assert!(open <= 8.0 && max == 8.0, "{listener}: {open} of {max}");
        assert!(crowded(&agent, listener) >= 5.0, "{listener}");
    }
    let told = agent.log().matches("too many connections").count();
    assert_eq!(told, 3, "{}", agent.log());
    drop(silent);
}

#[test]
fn requests_that_do_not_end_cost_the_admin_listener_a_few_places() {
    let folder = tempfile::tempdir().unwrap();
    let agent = Agent::start(folder.path(), "");
    let half = open(&agent.admin, 300, b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ");
    assert_eq!(get(&format!("http://{}/health", agent.admin)).unwrap().status, 200);
    let open = agent.metrics()["anabranch_connections_open{listener=\"admin\"}"];
    assert!(open <= 16.0, "{open}");
    assert!(crowded(&agent, "admin") >= 284.0);
    // The rest is given up in time.
    let key = "anabranch_connections_open{listener=\"admin\"}";
    wait_until(SOON, "the end of requests that do not end", || agent.metrics()[key] <= 3.0);
    drop(half);
}

#[test]
fn with_few_open_files_and_many_connections_the_agent_goes_on_with_its_own_work() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let [http, syslog, hub] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
    let here = folder.path().display();
    let blocks = format!(
        "hub: {{ embedded: {{ listen: \"{hub}\" }} }}\n\
         sources:\n  web: {{ topic: web, from: {{ http: {{ listen: \"{http}\" }} }} }}\n  \
           net: {{ topic: net, from: {{ syslog: {{ listen: [\"tcp://{syslog}\"] }} }} }}\n  \
           f: {{ topic: f, from: {{ file: {{ include: [\"{here}/logs/**/*.log\"], reconcile_interval: 1s }} }} }}\n\
         sinks: {{ out: {{ topics: [f], to: {{ file: {{ path: \"{here}/out/{{partition}}.txt\", codec: raw }} }} }} }}\n"
    );
    std::fs::create_dir(at("logs")).unwrap();
    let agent = Agent::start_limited(folder.path(), &blocks, 200);
    let mut crowd = Vec::new();
    for (address, say) in [
        (&http, &b"POST / HTTP/1.1\r\n"[..]),
        (&syslog, b"<13>half a mess"),
        (&hub, b"\0"),
        (&agent.admin, b"GET "),
    ] {
        crowd.extend(open(address, 65, say));
    }
    for round in 0..3 {
        let folder = at(&format!("logs/new-{round}"));
        std::fs::create_dir(&folder).unwrap();
        append_lines(&folder.join("a.log"), &format!("round {round}"), 0..100);
        wait_until(SOON, "a new folder's file to be delivered and committed", || {
            agent.sum("anabranch_sink_delivered_records_total", "sink=\"out\"")
                == f64::from(round + 1) * 100.0
        });
        agent.wait_no_lag(&["out"], SOON);
        let health = get(&format!("http://{}/health", agent.admin)).unwrap();
        assert!(
            health.status == 200 && health.body.contains("\"status\":\"ok\""),
            "{}",
            health.body
        );
        assert_eq!(post(&format!("http://{http}/"), "text/plain", "x\n").unwrap().status, 200);
    }
    assert!(!agent.log().contains("Too many open files"), "{}", agent.log());
    drop(crowd);
}

/// Bytes that the agent holds in memory.
fn resident(agent: &Agent) -> f64 {
    agent.metrics()["process_resident_memory_bytes"]
}

#[test]
fn bodies_that_do_not_end_and_many_large_ones_at_once_stay_within_the_budget() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let http = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "producer: {{ buffer_memory: 16MiB }}\n\
         sources: {{ web: {{ topic: web, from: {{ http: {{ listen: \"{http}\", max_body: 4MiB }} }} }} }}\n"
    );
    let agent = Agent::start(folder.path(), &blocks);
    let before = resident(&agent);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: {MIB}\r\n\r\n"
    );
    let half = [head.as_bytes(), &vec![b'x'; MIB / 2]].concat();
    let mut refused = 0;
    let mut unfinished = Vec::new();
    for _ in 0..200 {
        let mut stream = open(&http, 1, b"").remove(0);
        stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        // One that is refused may be closed while it writes.
        if stream.write_all(&half).is_err() {
            refused += 1;
        }
        unfinished.push(stream);
    }
    let key = "anabranch_connections_accepted_total{listener=\"sources.web\"}";
    wait_until(SOON, "all to be let in", || agent.metrics()[key] >= 200.0);
    let grown = resident(&agent) - before;
    assert!(grown < 48.0 * MIB as f64, "{} MiB more, {refused} closed", grown / MIB as f64);
    drop(unfinished);

    // Whole ones at once: each is stored or refused, none is stored in part.
    let body = lines("body", 0..10_000);
    let post_until_stored = || {
        loop {
            let answer = post(&format!("http://{http}/"), "text/plain", body.clone()).unwrap();
            match answer.status {
                200 => return 1,
                503 => {
                    assert!(answer.body.contains("send all of it again"), "{}", answer.body);
                }
                other => panic!("{other}: {}", answer.body),
            }
        }
    };
    let posted: usize = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..100).map(|_| scope.spawn(post_until_stored)).collect();
        posts.into_iter().map(|post| post.join().unwrap()).sum()
    });
    assert_eq!(posted, 100);
    wait_until(SOON, "all to be stored", || {
        agent.sum("anabranch_source_stored_records_total", "source=\"web\"") == 1_000_000.0
    });
    let grown = resident(&agent) - before;
    assert!(grown < 80.0 * MIB as f64, "{} MiB more", grown / MIB as f64);
}
