//! Real senders: rsyslogd, logger, nginx and logrotate, and more files than may be open; what they write arrives, all of
//! it, in order.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::support::{
    Agent, Nginx, Rsyslogd, SOON, append_lines, assert_each_once_in_order, file_line_count,
    file_lines, free_port, get, logger, logrotate, server, wait_listening, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

/// One syslog source and a sink that writes each of its `topics` to a file of its own.
fn out_by_topic(folder: &Path, sources: &str, topics: &[&str], codec: &str) -> String {
    format!(
        "sources:\n{sources}sinks:\n  out: {{ topics: [{}], to: {{ file: {{ path: \"{}/{{topic}}.txt\", codec: {codec} }} }} }}\n",
        topics.join(", "),
        folder.display()
    )
}

#[test]
fn rsyslogd_forwards_in_four_ways_and_every_line_arrives_in_order() {
    let (Some(rsyslogd), Some(program)) =
        (server("ANABRANCH_RSYSLOGD"), server("ANABRANCH_LOGGER"))
    else {
        return;
    };
    const COUNT: usize = 5000;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ways = [
        ("tcp-old", "tcp", "RSYSLOG_ForwardFormat", "traditional"),
        ("tcp-new", "tcp", "RSYSLOG_SyslogProtocol23Format", "octet-counted"),
        ("udp-old", "udp", "RSYSLOG_TraditionalForwardFormat", "traditional"),
        ("udp-new", "udp", "RSYSLOG_SyslogProtocol23Format", "traditional"),
    ]
    .map(|(topic, protocol, template, framing)| (topic, protocol, template, framing, free_port()));
    let source = |(topic, protocol, _, _, port): &(&str, &str, &str, &str, u16)| {
        format!(
            "  {topic}: {{ topic: {topic}, from: {{ syslog: {{ listen: [\"{protocol}://127.0.0.1:{port}\"] }} }} }}\n"
        )
    };
    let sources: String = ways.iter().map(source).collect();
    let topics = ways.map(|(topic, ..)| topic);
    let mut agent = Agent::start(folder, &out_by_topic(folder, &sources, &topics, "raw"));
    wait_listening(ways[0].4);
    wait_listening(ways[1].4);

    let from = free_port();
    let forward = |(_, protocol, template, framing, port): &(&str, &str, &str, &str, u16)| {
        format!(
            "action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"{protocol}\" \
             template=\"{template}\" TCP_Framing=\"{framing}\")\n"
        )
    };
    let config = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{from}\")\n\
         if $inputname == \"imtcp\" then {{\n{}}}\n",
        ways.iter().map(forward).collect::<String>()
    );
    fs::create_dir(folder.join("rsyslog")).unwrap();
    let _rsyslogd = Rsyslogd::start(&rsyslogd, &folder.join("rsyslog"), &config);
    let file = folder.join("in.txt");
    append_lines(&file, "line", 0..COUNT);
    let (from, file) = (from.to_string(), file.display().to_string());
    logger(&program, &["-T", "-n", "127.0.0.1", "-P", &from, "-t", "app", "-f", &file]);

    for topic in topics {
        let out = folder.join(topic).with_extension("txt");
        wait_until(LONG, &format!("all lines over {topic}"), || file_line_count(&out) >= COUNT);
    }
    agent.stop();
    for topic in topics {
        let texts = file_lines(&folder.join(topic).with_extension("txt"));
        assert_each_once_in_order(&texts, "line", COUNT);
        assert_eq!(texts.len(), COUNT, "{topic}");
    }
}

#[test]
fn logger_in_all_its_variants_is_understood() {
    let Some(program) = server("ANABRANCH_LOGGER") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (port, socket) = (free_port(), folder.join("log.sock"));
    let source = format!(
        "  network: {{ topic: syslog, from: {{ syslog: {{ listen: [\"udp://127.0.0.1:{port}\", \
         \"tcp://127.0.0.1:{port}\", \"unixgram://{}\"] }} }} }}\n",
        socket.display()
    );
    let blocks = out_by_topic(folder, &source, &["syslog"], "json");
    let mut agent = Agent::start(folder, &blocks);
    wait_listening(port);
    wait_until(SOON, "the unix socket", || socket.exists());

    let (port, socket) = (port.to_string(), socket.display().to_string());
    let udp = ["-d", "-n", "127.0.0.1", "-P", &port, "-t", "app", "-p", "local0.info"];
    let tcp = ["-T", "-n", "127.0.0.1", "-P", &port, "-t", "app", "-p", "local0.info"];
    let unix = ["-u", &socket, "-t", "app", "-p", "local0.info"];
    let data = ["--rfc5424", "--msgid", "M1", "--sd-id", "ex@32473", "--sd-param", "k=\"v\""];
    let variants: [(&str, Vec<&str>); 7] = [
        ("udp 3164", [&udp[..], &["--rfc3164"]].concat()),
        ("udp 5424", [&udp[..], &data].concat()),
        ("tcp 3164", [&tcp[..], &["--rfc3164"]].concat()),
        ("tcp 5424", [&tcp[..], &["--rfc5424"]].concat()),
        ("tcp octet counted", [&tcp[..], &["--rfc5424", "--octet-count"]].concat()),
        ("tcp bare 5424", [&tcp[..], &["--rfc5424=notq,notime,nohost"]].concat()),
        ("unix", unix.to_vec()),
    ];
    for (message, arguments) in &variants {
        logger(&program, &[&arguments[..], &[message]].concat());
    }

    let out = folder.join("syslog.txt");
    wait_until(SOON, "all messages", || file_line_count(&out) >= variants.len());
    agent.stop();
    let documents: Vec<Value> =
        file_lines(&out).iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(documents.len(), variants.len());
    let find = |message: &str| {
        let found = documents.iter().find(|document| document["message"] == message);
        found.unwrap_or_else(|| panic!("no {message} in {documents:#?}"))
    };
    for (message, _) in &variants {
        let document = find(message);
        let syslog = &document["log.syslog"];
        let syslog = if syslog.is_null() { &document["log"]["syslog"] } else { syslog };
        assert_eq!(syslog["appname"], "app", "{document}");
        assert_eq!(syslog["facility"]["name"], "local0", "{document}");
        assert_eq!(syslog["severity"]["name"], "info", "{document}");
        assert!(document["error"].is_null() && document["error.message"].is_null(), "{document}");
    }
    let document = find("udp 5424").to_string();
    assert!(document.contains("ex@32473") && document.contains("M1"), "{document}");
}

#[test]
fn nginx_with_logrotate_by_renaming_loses_no_line() {
    nginx_is_followed_through_rotations("create");
}

#[test]
fn nginx_with_logrotate_by_copying_and_truncating_loses_no_line() {
    nginx_is_followed_through_rotations("copytruncate");
}

/// Every 200th request is followed by a rotation, while the agent reads.
fn nginx_is_followed_through_rotations(how: &str) {
    let (Some(nginx), Some(rotate)) = (server("ANABRANCH_NGINX"), server("ANABRANCH_LOGROTATE"))
    else {
        return;
    };
    const COUNT: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = folder.join("access.log");
    let source = format!(
        "  web: {{ topic: web, from: {{ file: {{ include: [\"{}\"] }} }} }}\n",
        log.display()
    );
    let mut agent = Agent::start(folder, &out_by_topic(folder, &source, &["web"], "raw"));
    let mut nginx =
        Nginx::start(&nginx, folder, &format!("access_log {} combined;", log.display()));
    let out = folder.join("web.txt");
    // What is copied and truncated before anything of the file was read has no order (README, Limits).
    wait_until(SOON, "the first request in the file", || file_line_count(&out) > 0);
    for number in 0..COUNT {
        get(&format!("http://{}/web%23{number:07}%20", nginx.address)).unwrap();
        if number % 200 == 199 {
            logrotate(&rotate, folder, &log, how);
            nginx.reopen();
            // More rotations than one between two looks may cost the order, never a line.
            wait_until(SOON, "requests so far", || file_line_count(&out) > number);
        }
    }

    // The first line is of the request with which nginx was seen to be ready.
    wait_until(LONG, "all requests in the file", || file_line_count(&out) > COUNT);
    agent.wait_no_lag(&["out"], SOON);
    agent.stop();
    let texts: Vec<_> = file_lines(&out).iter().map(|text| text.replace("%23", "#")).collect();
    assert_each_once_in_order(&texts, "web", COUNT);
    assert_eq!(texts.len(), COUNT + 1);
}

const FILES: usize = 300;

/// The files, each with the origin of its lines.
fn many_files(logs: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    (0..FILES).map(|file| (logs.join(format!("app{file}x.log")), format!("app{file}x")))
}

#[test]
fn more_files_than_may_be_open_are_each_read_once_through_rotations() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let include = format!("{}/*.log", logs.display());
    let source =
        format!("  app: {{ topic: app, from: {{ file: {{ include: [\"{include}\"] }} }} }}\n");
    let config = out_by_topic(folder.path(), &source, &["app"], "raw");
    let out = folder.path().join("app.txt");
    let arrived = |lines: usize| {
        wait_until(LONG, "all lines", || file_line_count(&out) >= lines * FILES);
        let texts = file_lines(&out);
        assert_eq!(texts.len(), lines * FILES);
        many_files(&logs).for_each(|(_, origin)| assert_each_once_in_order(&texts, &origin, lines));
    };

    many_files(&logs).for_each(|(path, origin)| append_lines(&path, &origin, 0..3));
    let mut agent = Agent::start_limited(folder.path(), &config, 200);
    arrived(3);
    agent.stop();

    for (path, origin) in many_files(&logs) {
        append_lines(&path, &origin, 3..4);
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        append_lines(&path, &origin, 4..5);
    }
    agent.start_again();
    arrived(5);
    agent.stop();

    for (path, origin) in many_files(&logs) {
        append_lines(&path, &origin, 5..6);
        fs::remove_file(path.with_extension("log.1")).unwrap();
        fs::copy(&path, path.with_extension("log.2")).unwrap();
        fs::remove_file(&path).unwrap();
    }
    many_files(&logs).for_each(|(path, origin)| append_lines(&path, &origin, 6..7));
    agent.start_again();
    arrived(7);
    agent.stop();
    let said = agent.log();
    assert!(!said.contains("Too many open files"), "{said}");
}
