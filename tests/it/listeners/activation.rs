//! Sockets that are opened before the agent runs, and passed on as systemd does.

use std::io::Write;
use std::net::UdpSocket;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::rig::{Authority, ask, asks_for_versions, out, plain, source};
use crate::support::{
    Agent, SOON, file_line_count, file_lines, free_port, wait_listening, wait_until,
};

/// Opens `NAME=KIND=PLACE …`, and becomes the program behind `--` with them, as `sd_listen_fds(3)` says.
const OPENER: &str = r#"
import fcntl, os, socket, sys
at = sys.argv.index("--")
program, names, sockets = sys.argv[at + 1:], [], []
for text in sys.argv[1:at]:
    name, kind, place = text.split("=")
    family = socket.AF_UNIX if kind.startswith("unix") else socket.AF_INET
    style = socket.SOCK_STREAM if kind in ("tcp", "unix") else socket.SOCK_DGRAM
    one = socket.socket(family, style)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_UNIX and os.path.exists(place):
        os.unlink(place)
    one.bind(place if family == socket.AF_UNIX else ("127.0.0.1", int(place)))
    if style == socket.SOCK_STREAM:
        one.listen()
    names.append(name)
    sockets.append(fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100))
for number, one in enumerate(sockets):
    os.dup2(one, 3 + number, inheritable=True)
os.environ.update(LISTEN_FDS=str(len(names)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=":".join(names))
os.execv(program[0], program)
"#;

/// What runs the agent with these sockets.
fn opener(sockets: &[String]) -> Vec<&str> {
    let mut under = vec!["python3", "-c", OPENER];
    under.extend(sockets.iter().map(String::as_str));
    under.push("--");
    under
}

#[test]
fn each_listener_takes_its_sockets_by_name_and_again_when_it_starts_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(&folder.join("tls"));
    let [web, hub, api, net, secure] = [(); 5].map(|()| free_port());
    let unix = folder.join("net.sock");
    let sockets = [
        format!("net=udp={net}"),
        format!("web=tcp={web}"),
        format!("net=tcp={net}"),
        format!("hub=tcp={hub}"),
        format!("net=unix={}", unix.display()),
        format!("api=tcp={api}"),
        format!("secure=tcp={secure}"),
    ];
    let blocks = |body: &str| {
        let tls = authority.tls("");
        let syslog = format!("listen: [\"systemd:net\", \"systemd+tls:secure\"], {tls}");
        format!(
            "hub: {{ embedded: {{ listen: none, listeners: [{{ address: \"systemd:hub\" }}] }} }}\nsources:\n{}{}{}",
            source("web", &format!("http: {{ listen: \"systemd:web\", max_body: {body} }}")),
            source("net", &format!("syslog: {{ {syslog} }}")),
            out(folder, &["web", "net"])
        )
    };
    let mut agent = Agent::start_by(folder, &blocks("1MiB"), &opener(&sockets));
    agent.configure_admin("api: \"systemd:api\"", &blocks("1MiB"));
    agent.stop();
    agent.start_again();
    let post = || ask(&mut plain(web).unwrap(), "POST /", "by http").unwrap();
    assert!(post().ends_with("{\"accepted\":1}"));
    assert!(asks_for_versions(&mut plain(hub).unwrap()));
    let said = ask(&mut plain(api).unwrap(), "GET /api/v1/hub", "").unwrap();
    assert!(
        said.contains("200 OK") && said.contains(&format!("PLAINTEXT://127.0.0.1:{hub}")),
        "{said}"
    );
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.send_to(b"<14>by udp", ("127.0.0.1", net)).unwrap();
    plain(net).unwrap().write_all(b"<14>by tcp\n").unwrap();
    UnixStream::connect(&unix).unwrap().write_all(b"<14>by unix\n").unwrap();
    authority.openssl(secure, None, "<14>by tls\n");
    let lines = folder.join("net.txt");
    wait_until(SOON, "all messages", || file_line_count(&lines) == 4);

    agent.configure_admin("api: \"systemd:api\"", &blocks("2MiB"));
    agent.reload();
    wait_until(SOON, "the reload", || agent.log().contains("sources changed: web"));
    // It waits in the socket while nobody listens.
    assert!(post().ends_with("{\"accepted\":1}"));
    agent.stop();
    assert!(unix.exists(), "who has made it removes it");
    let all = file_lines(&lines).concat();
    for way in ["by udp", "by tcp", "by unix", "by tls"] {
        assert!(all.contains(&format!("\"message\":\"{way}\"")), "{way}: {all}");
    }
}

#[test]
fn a_socket_that_was_not_passed_is_told_with_those_that_were() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let hub = |name: &str| {
        format!(
            "hub: {{ embedded: {{ listen: none, listeners: [{{ address: \"systemd:{name}\" }}] }} }}\n"
        )
    };
    let sources = |name: &str| {
        let listen = format!("syslog: {{ listen: [\"systemd:{name}\"] }}");
        format!("sources:\n{}{}", source("net", &listen), out(folder, &["net"]))
    };
    let sockets = [format!("hub=tcp={}", free_port()), format!("other=udp={}", free_port())];
    let blocks = hub("hub") + &sources("net");
    let mut agent = Agent::start_by(folder, &blocks, &opener(&sockets));
    let problem = "cannot listen on systemd:net: systemd has passed no socket `net`, but these: hub, other; write \
        FileDescriptorName=net in the .socket unit";
    wait_until(SOON, "a complaint", || agent.log().contains(problem));
    // Datagrams are no listener of Kafka's protocol.
    agent.configure(&(hub("other") + &sources("hub")));
    agent.stop();
    agent.launch();
    let problem = "the socket `other` is not of TCP; write ListenStream=HOST:PORT";
    wait_until(SOON, "another complaint", || agent.log().contains(problem));
    let (code, said) = Agent::run_refused(folder);
    assert_eq!(code, Some(1), "{said}");
    let problem = "hub.embedded.listeners[0].address: cannot listen on systemd:other: systemd has passed no sockets; start \
        the agent by its .socket unit";
    assert!(said.contains(problem), "{said}");
}

#[test]
fn systemds_own_opener_starts_the_agent_with_the_first_connection() {
    const OPENER: &str = "systemd-socket-activate";
    let paths = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&paths).any(|folder| Path::new(&folder).join(OPENER).exists()) {
        assert!(std::env::var_os("REQUIRE_SERVERS").is_none(), "{OPENER} is not installed");
        eprintln!("SKIPPED: {OPENER} is not there; it is in Debian's package systemd");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let blocks = format!(
        "sources:\n{}{}",
        source("web", "http: { listen: \"systemd:web\" }"),
        out(folder, &["web"])
    );
    // Until somebody comes there is no agent.
    let first = std::thread::spawn(move || wait_listening(port));
    let mut agent =
        Agent::start_by(folder, &blocks, &[OPENER, "--listen", &address, "--fdname=web"]);
    first.join().unwrap();
    let accepted = ask(&mut plain(port).unwrap(), "POST /", "hello").unwrap();
    assert!(accepted.ends_with("{\"accepted\":1}"), "{accepted}");
    agent.stop();
}
