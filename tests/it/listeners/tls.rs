//! TLS at HTTP, syslog and the admin listener: served, asked of clients, renewed.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::rig::{Authority, Secured, ask, out, plain, source};
use crate::support::{
    Agent, Rsyslogd, SOON, assert_each_once_in_order, file_line_count, file_lines, free_port,
    lines, server, wait_listening, wait_until,
};

/// The certificate that the far side has shown.
fn shown(stream: &Secured) -> Vec<u8> {
    stream.conn.peer_certificates().unwrap()[0].to_vec()
}

const POST: &str = "POST /";

#[test]
fn a_renewed_certificate_is_shown_and_a_connection_from_before_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(&folder.join("tls"));
    let [http, syslog] = [(); 2].map(|()| free_port());
    let tls = authority.tls("");
    let sources = [
        source("web", &format!("http: {{ listen: \"127.0.0.1:{http}\", {tls} }}")),
        source("net", &format!("syslog: {{ listen: [\"tls://127.0.0.1:{syslog}\"], {tls} }}")),
    ]
    .concat();
    let blocks = format!("sources:\n{sources}{}", out(folder, &["web", "net"]));
    let mut agent = Agent::start(folder, &blocks);
    [http, syslog].into_iter().for_each(wait_listening);
    let mut first = authority.connect(http, None).unwrap();
    let mut old_syslog = authority.connect(syslog, None).unwrap();
    assert!(ask(&mut first, POST, "one").unwrap().ends_with("{\"accepted\":1}"));
    old_syslog.write_all(b"<14>one\n").unwrap();

    authority.certify("hub");
    assert_eq!(shown(&authority.connect(http, None).unwrap()), shown(&first), "nobody has asked");
    agent.reload();
    let reloaded = || agent.log().matches("the configuration was reloaded").count();
    wait_until(SOON, "the reload", || reloaded() == 1);
    let mut second = authority.connect(http, None).unwrap();
    assert_ne!(shown(&second), shown(&first));
    assert_eq!(shown(&authority.connect(syslog, None).unwrap()), shown(&second));
    assert!(ask(&mut first, POST, "two").unwrap().ends_with("{\"accepted\":1}"));
    assert!(ask(&mut second, POST, "three").unwrap().ends_with("{\"accepted\":1}"));
    old_syslog.write_all(b"<14>two\n").unwrap();
    wait_until(SOON, "both messages", || file_line_count(&folder.join("net.txt")) == 2);

    // What cannot be read is told, and all stays as it was.
    fs::write(authority.file("hub.key"), "no key").unwrap();
    agent.reload();
    wait_until(SOON, "a complaint", || agent.log().contains("sources.web.from.http.tls.key: "));
    assert_eq!(shown(&authority.connect(http, None).unwrap()), shown(&second));
    agent.stop();
    assert_eq!(file_line_count(&folder.join("web.txt")), 3);
}

#[test]
fn where_clients_need_a_certificate_only_those_of_the_authority_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(&folder.join("tls"));
    let stranger = Authority::new(&folder.join("stranger"));
    // Known authority for the agent's own certificate, and an own one that the agent does not know.
    fs::copy(authority.file("ca.pem"), stranger.file("ca.pem")).unwrap();
    let [http, syslog] = [(); 2].map(|()| free_port());
    let tls = authority.mutual();
    let sources = [
        source("web", &format!("http: {{ listen: \"127.0.0.1:{http}\", {tls} }}")),
        source("net", &format!("syslog: {{ listen: [\"tls://127.0.0.1:{syslog}\"], {tls} }}")),
    ]
    .concat();
    let blocks = format!("sources:\n{sources}{}", out(folder, &["web", "net"]));
    let mut agent = Agent::start(folder, &blocks);
    [http, syslog].into_iter().for_each(wait_listening);
    for (client, own) in [(&authority, None), (&stranger, Some("client"))] {
        let refused = client.connect(http, own).and_then(|mut stream| ask(&mut stream, POST, "x"));
        refused.unwrap_err();
        client.openssl(syslog, own, "<14>refused\n");
    }
    let mut known = authority.connect(http, Some("client")).unwrap();
    assert!(ask(&mut known, POST, "in").unwrap().ends_with("{\"accepted\":1}"));
    authority.openssl(syslog, Some("client"), "<14>in\n");
    let reason = "reason=\"tls_handshake\"";
    let refused = |listener: &str| {
        let label = format!("listener=\"sources.{listener}\",{reason}");
        agent.sum("anabranch_connections_closed_total", &label)
    };
    wait_until(SOON, "both sent on", || {
        ["web", "net"]
            .iter()
            .all(|name| file_line_count(&folder.join(name).with_extension("txt")) == 1)
    });
    // Whether somebody listens was looked at without TLS, too.
    assert!(refused("web") >= 2.0 && refused("net") >= 2.0);
    assert_eq!(agent.log().matches("a connection is refused").count(), 2, "once for each listener");
    agent.stop();
}

#[test]
fn the_admin_listener_speaks_https_and_its_socket_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(&folder.path().join("tls"));
    let mut agent = Agent::start(folder.path(), "");
    agent.configure_admin(&authority.mutual(), "");
    agent.stop();
    agent.launch();
    let port = agent.admin.rsplit_once(':').unwrap().1.parse().unwrap();
    let health = || {
        authority
            .connect(port, Some("client"))
            .and_then(|mut stream| ask(&mut stream, "GET /health", ""))
    };
    wait_until(SOON, "health over TLS", || health().is_ok_and(|answer| answer.contains("200 OK")));
    let nobody = authority.connect(port, None);
    nobody.and_then(|mut stream| ask(&mut stream, "GET /health", "")).unwrap_err();
    ask(&mut plain(port).unwrap(), "GET /health", "").unwrap_err();
    let mut socket =
        std::os::unix::net::UnixStream::connect(folder.path().join("data/admin.sock")).unwrap();
    assert!(ask(&mut socket, "GET /health", "").unwrap().contains("200 OK"));
    agent.stop();
}

const COUNT: usize = 5000;

#[test]
fn openssl_sends_lines_over_tls_and_all_arrive_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(&folder.join("tls"));
    let port = free_port();
    let mut agent = Agent::start(folder, &syslog(folder, &authority, port));
    wait_listening(port);
    let text: String =
        lines("line", 0..COUNT).lines().map(|line| format!("<14>{line}\n")).collect();
    authority.openssl(port, None, &text);
    let out = folder.join("net.txt");
    wait_until(SOON, "all lines", || file_line_count(&out) >= COUNT);
    agent.stop();
    assert_each_once_in_order(&file_lines(&out), "line", COUNT);
}

fn syslog(folder: &Path, authority: &Authority, port: u16) -> String {
    let (tls, at) = (authority.tls(""), format!("tls://127.0.0.1:{port}"));
    let source = source("net", &format!("syslog: {{ listen: [\"{at}\"], {tls} }}"));
    format!("sources:\n{source}{}", out(folder, &["net"]))
}

#[test]
fn rsyslogd_forwards_over_tls() {
    let Some(rsyslogd) = server("ANABRANCH_RSYSLOGD") else { return };
    let modules =
        ["x86_64", "aarch64"].map(|cpu| format!("/usr/lib/{cpu}-linux-gnu/rsyslog/lmnsd_ossl.so"));
    if !modules.iter().any(|module| Path::new(module).exists()) {
        assert!(std::env::var_os("REQUIRE_SERVERS").is_none(), "rsyslog-openssl is not installed");
        eprintln!("SKIPPED: rsyslog has no TLS; install rsyslog-openssl");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let authority = Authority::new(&folder.join("tls"));
    let (port, from) = (free_port(), free_port());
    let mut agent = Agent::start(folder, &syslog(folder, &authority, port));
    wait_listening(port);
    let (ca, own) = (authority.file("ca.pem"), authority.file("client"));
    let config = format!(
        "global(defaultNetstreamDriverCAFile=\"{}\" defaultNetstreamDriverCertFile=\"{own}.pem\" \
         defaultNetstreamDriverKeyFile=\"{own}.key\")\n\
         module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{from}\")\n\
         if $inputname == \"imtcp\" then action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" \
         streamDriver=\"ossl\" streamDriverMode=\"1\" streamDriverAuthMode=\"x509/certvalid\" \
         template=\"RSYSLOG_SyslogProtocol23Format\" TCP_Framing=\"octet-counted\")\n",
        ca.display(),
        own = own.display(),
    );
    fs::create_dir(folder.join("rsyslog")).unwrap();
    let _rsyslogd = Rsyslogd::start(&rsyslogd, &folder.join("rsyslog"), &config);
    wait_listening(from);
    let text: String =
        lines("line", 0..COUNT).lines().map(|line| format!("<14>app: {line}\n")).collect();
    plain(from).unwrap().write_all(text.as_bytes()).unwrap();
    let out = folder.join("net.txt");
    wait_until(SOON, "all lines", || file_line_count(&out) >= COUNT);
    agent.stop();
    assert_each_once_in_order(&file_lines(&out), "line", COUNT);
}
