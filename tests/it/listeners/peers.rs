//! Who may connect by its address, and for whom a proxy connects, at each kind of listener.

use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;

use super::rig::{ask, asks_for_versions, from, is_closed, out, plain, source};
use crate::support::{
    Agent, SOON, file_line_count, file_lines, free_port, wait_listening, wait_until,
};

/// Ports of an HTTP source, a syslog source and the hub.
struct Ports {
    http: u16,
    syslog: u16,
    hub: u16,
}

impl Ports {
    /// The agent's blocks, each listener with `setting`; `udp` says whether syslog takes datagrams.
    fn blocks(&self, folder: &Path, setting: &str) -> String {
        let Self { http, syslog, hub } = self;
        let listen =
            format!("listen: [\"tcp://127.0.0.1:{syslog}\", \"udp://127.0.0.1:{syslog}\"]");
        let sources = [
            source("web", &format!("http: {{ listen: \"127.0.0.1:{http}\", {setting} }}")),
            source("net", &format!("syslog: {{ {listen}, {setting} }}")),
        ]
        .concat();
        let hub = format!("address: \"127.0.0.1:{hub}\", {setting}");
        format!(
            "hub: {{ embedded: {{ listen: none, listeners: [{{ {hub} }}] }} }}\nsources:\n{sources}{}",
            out(folder, &["web", "net"])
        )
    }

    fn new() -> Self {
        let [http, syslog, hub] = [(); 3].map(|()| free_port());
        Self { http, syslog, hub }
    }
}

fn closed(agent: &Agent, listener: &str, reason: &str) -> f64 {
    let label = format!("listener=\"{listener}\",reason=\"{reason}\"");
    agent.sum("anabranch_connections_closed_total", &label)
}

const ALLOW: &str = "allow: [\"127.0.0.1\", \"10.0.0.0/8\", \"::1\"]";
/// An address of this machine that is not in the list.
const STRANGER: &str = "127.0.0.2";

#[test]
fn who_is_not_in_the_list_is_closed_at_each_listener_and_its_datagrams_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = Ports::new();
    let blocks = ports.blocks(folder, ALLOW);
    let mut agent = Agent::start(folder, &blocks);
    agent.configure_admin(ALLOW, &blocks);
    agent.stop();
    agent.start_again();
    [ports.http, ports.syslog, ports.hub].into_iter().for_each(wait_listening);
    let admin = agent.admin.rsplit_once(':').unwrap().1.parse().unwrap();
    for port in [ports.http, ports.syslog, ports.hub, admin] {
        for _ in 0..2 {
            assert!(is_closed(&mut from(STRANGER, port).unwrap()), "{port}");
        }
    }
    let datagrams = |address: &str, text: &[u8]| {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket.send_to(text, ("127.0.0.1", ports.syslog)).unwrap();
    };
    for _ in 0..3 {
        datagrams(STRANGER, b"<14>stranger");
    }
    datagrams("127.0.0.1", b"<14>by udp");
    plain(ports.syslog).unwrap().write_all(b"<14>by tcp\n").unwrap();
    ask(&mut plain(ports.http).unwrap(), "POST /", "by http").unwrap();
    assert!(asks_for_versions(&mut plain(ports.hub).unwrap()));
    let [net, web] = ["net.txt", "web.txt"].map(|name| folder.join(name));
    wait_until(SOON, "what is allowed", || {
        file_line_count(&net) == 2 && file_line_count(&web) == 1
    });
    for listener in ["sources.web", "sources.net", "hub", "admin"] {
        assert_eq!(closed(&agent, listener, "not_allowed"), 2.0, "{listener}");
    }
    let dropped = || {
        agent.sum("anabranch_source_dropped_records_total", "source=\"net\",reason=\"not_allowed\"")
    };
    wait_until(SOON, "the dropped datagrams", || dropped() == 3.0);
    let log = agent.log();
    assert_eq!(log.matches("a connection is refused").count(), 4, "once for each listener");
    assert!((1..=2).contains(&log.matches("datagrams of one who is not in").count()), "by socket");
    agent.stop();
    let all = [file_lines(&net), file_lines(&web)].concat().concat();
    assert!(!all.contains("stranger"), "{all}");
}

#[test]
fn the_list_of_the_hub_is_reloaded_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = Ports::new();
    let mut agent = Agent::start(folder, &ports.blocks(folder, "allow: [\"127.0.0.2\"]"));
    wait_listening(ports.hub);
    assert!(is_closed(&mut plain(ports.hub).unwrap()));
    agent.configure(&ports.blocks(folder, "allow: [\"127.0.0.1\"]"));
    agent.reload();
    let reloaded = || agent.log().contains("the configuration was reloaded");
    wait_until(SOON, "the reload", reloaded);
    assert!(asks_for_versions(&mut plain(ports.hub).unwrap()));
    assert!(is_closed(&mut from(STRANGER, ports.hub).unwrap()));
    assert!(!agent.log().contains("takes effect at the next start"), "{}", agent.log());
    agent.stop();
}

/// `10.1.2.3:5000` by version 1, and `fd00::7` by version 2 with a further value behind.
const V1: &[u8] = b"PROXY TCP4 10.1.2.3 127.0.0.1 5000 80\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x28\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13\x88\0\x50\x04\0\x01\0";

#[test]
fn records_are_of_the_peer_that_a_proxy_names_and_nobody_is_served_without_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = Ports::new();
    let blocks = ports.blocks(folder, "proxy_protocol: true, allow: [\"127.0.0.1\"]");
    let mut agent = Agent::start(folder, &blocks);
    agent.configure_admin("proxy_protocol: true", &blocks);
    agent.stop();
    agent.launch();
    let admin = agent.admin.rsplit_once(':').unwrap().1.parse().unwrap();
    let begin = |port, header: &[u8]| {
        let mut stream = plain(port)?;
        stream.write_all(header)?;
        Ok::<_, std::io::Error>(stream)
    };
    let health = || begin(admin, V1).and_then(|mut stream| ask(&mut stream, "GET /health", ""));
    wait_until(SOON, "health", || health().is_ok_and(|answer| answer.contains("200 OK")));
    [ports.http, ports.syslog, ports.hub].into_iter().for_each(wait_listening);
    for header in [V1, V2] {
        let mut http = begin(ports.http, header).unwrap();
        for request in ["POST /", "GET /health", "POST /"] {
            ask(&mut http, request, "by http").unwrap();
        }
        begin(ports.syslog, header).unwrap().write_all(b"<14>by syslog\n").unwrap();
        assert!(asks_for_versions(&mut begin(ports.hub, header).unwrap()));
    }
    for port in [ports.http, ports.syslog, ports.hub, admin] {
        for wrong in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), b"PROXY TCP4 nowhere\r\n"] {
            assert!(is_closed(&mut begin(port, wrong).unwrap()), "{port}");
        }
    }
    let [net, web] = ["net.txt", "web.txt"].map(|name| folder.join(name));
    wait_until(SOON, "all records", || file_line_count(&net) == 2 && file_line_count(&web) == 4);
    agent.stop();
    for (file, times) in [(net, 1), (web, 2)] {
        let text = file_lines(&file).concat();
        for peer in ["\"10.1.2.3\"", "\"fd00::7\""] {
            assert_eq!(text.matches(&format!("\"ip\":{peer}")).count(), times, "{text}");
        }
    }
    let log = agent.log();
    assert!(log.contains("proxy_header"), "{log}");
}
