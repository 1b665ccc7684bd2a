//! What the shipped configurations promise, run with the built program: only ports, folders and far sides are others.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::support::{
    Agent, Receiver, SOON, append_lines, free_port, post, search_count, server, wait_listening,
    wait_until,
};

/// Runs a shipped file with these words replaced; its `data_dir` and `admin` are the test's.
fn run(file: &str, replaced: &[(&str, &str)]) -> (TempDir, Agent) {
    let folder = tempfile::tempdir().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut text = fs::read_to_string(path).unwrap();
    for (word, other) in replaced {
        assert!(text.contains(word), "{file} has no {word}");
        text = text.replace(word, &other.replace("FOLDER", &folder.path().display().to_string()));
    }
    let own = |line: &&str| !line.starts_with("data_dir:") && !line.starts_with("admin:");
    let blocks = text.lines().filter(own).map(|line| line.to_owned() + "\n").collect::<String>();
    let agent = Agent::start(folder.path(), &blocks);
    (folder, agent)
}

fn send_udp(port: u16, messages: &[&str]) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for message in messages {
        socket.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    }
}

/// All files below `folder`, with their lines, sorted by path.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<String>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(
            |path| if path.is_dir() { files(&path) } else { vec![(path.clone(), lines_of(&path))] },
        )
        .collect();
    found.sort();
    found
}

fn lines_of(path: &Path) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    match path.extension().and_then(|end| end.to_str()) {
        Some("gz") => {
            drop(flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text));
        }
        Some("zst") => {
            let plain = zstd::decode_all(&bytes[..]).unwrap_or_default();
            text.push_str(&String::from_utf8(plain).unwrap());
        }
        _ => text.push_str(&String::from_utf8(bytes).unwrap()),
    }
    text.lines().map(str::to_owned).collect()
}

const MESSAGES: [&str; 4] = [
    "<14>Nov 20 18:17:27 web-1 app: one",
    "<14>1 2026-11-20T18:17:27Z web-2 app - - - two",
    "<14>Nov 20 18:17:27 web-1 app: three",
    "<14>app: from whom",
];

#[test]
fn syslog_to_file_gives_each_host_its_folder_and_each_day_its_file() {
    let port = free_port();
    let (folder, mut agent) =
        run("config/syslog-to-file.yaml", &[("0.0.0.0:5514", &format!("127.0.0.1:{port}"))]);
    wait_listening(port);
    send_udp(port, &MESSAGES);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"<14>2026-11-20T18:17:28Z web-3 app: over tcp\n").unwrap();
    drop(stream);
    let logs = folder.path().join("logs");
    let line_count = || files(&logs).iter().map(|(_, lines)| lines.len()).sum::<usize>();
    wait_until(SOON, "all five lines", || line_count() >= 5);
    agent.stop();
    let folder_of = |(path, lines): (PathBuf, Vec<String>)| {
        let host = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let day = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(
            day.len() == "2026-11-20.log".len() && day.contains("-11-20") || host == "127.0.0.1",
            "{day}"
        );
        (host, lines)
    };
    let seen: Vec<_> = files(&logs).into_iter().map(folder_of).collect();
    let expected = [
        ("127.0.0.1", vec![MESSAGES[3]]),
        ("web-1", vec![MESSAGES[0], MESSAGES[2]]),
        ("web-2", vec![MESSAGES[1]]),
        ("web-3", vec!["<14>2026-11-20T18:17:28Z web-3 app: over tcp"]),
    ];
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for ((host, mut lines), (expected_host, expected_lines)) in seen.into_iter().zip(expected) {
        lines.sort();
        let mut expected_lines = expected_lines;
        expected_lines.sort_unstable();
        assert_eq!(
            (host.as_str(), lines),
            (expected_host, expected_lines.iter().map(|line| (*line).to_owned()).collect())
        );
    }
}

#[test]
fn the_syslog_hub_writes_a_file_for_each_host_while_its_search_engine_is_away() {
    let (port, away) = (free_port(), free_port());
    let (folder, mut agent) = run(
        "config/syslog-hub.yaml",
        &[
            ("0.0.0.0:514", &format!("127.0.0.1:{port}")),
            ("0.0.0.0:601", &format!("127.0.0.1:{port}")),
            ("127.0.0.1:9200", &format!("127.0.0.1:{away}")),
            ("/var/log/anabranch", "FOLDER/archive"),
        ],
    );
    wait_listening(port);
    send_udp(port, &MESSAGES);
    let delivered = "anabranch_sink_delivered_records_total{sink=\"archive\"}";
    wait_until(SOON, "four lines in the archive", || {
        agent.metrics().get(delivered).is_some_and(|count| *count >= 4.0)
    });
    agent.stop();
    let mut seen: Vec<_> = files(&folder.path().join("archive"))
        .into_iter()
        .map(|(path, lines)| (path.file_name().unwrap().to_str().unwrap().to_owned(), lines.len()))
        .collect();
    seen.sort();
    let expected = [("127.0.0.1.log.gz", 1), ("web-1.log.gz", 2), ("web-2.log.gz", 1)];
    assert_eq!(seen, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn the_quickstart_and_the_image_take_lines_posts_and_syslog_and_write_files() {
    for (file, out, any) in [
        ("config/quickstart.yaml", "./out/", "127.0.0.1"),
        ("deploy/config/image.yaml", "/var/lib/anabranch/archive/", "0.0.0.0"),
    ] {
        let (http, syslog) = (free_port(), free_port());
        let (folder, mut agent) = run(
            file,
            &[
                (&format!("{any}:8687"), &format!("127.0.0.1:{http}")),
                (&format!("{any}:5514"), &format!("127.0.0.1:{syslog}")),
                ("/var/log/", "FOLDER/var/log/"),
                (out, "FOLDER/out/"),
            ],
        );
        let folder = folder.path();
        wait_listening(http);
        wait_listening(syslog);
        let logs = folder.join("var/log/nginx");
        fs::create_dir_all(&logs).unwrap();
        append_lines(&logs.join("access.log"), "hit", 0..100);
        let url = format!("http://127.0.0.1:{http}/");
        assert_eq!(post(&url, "text/plain", "hello again").unwrap().status, 200);
        send_udp(syslog, &["<14>Nov 20 18:17:27 web-1 app: hello from syslog"]);
        let count_of = |topic: &str| {
            files(&folder.join("out").join(topic))
                .iter()
                .map(|(_, lines)| lines.len())
                .sum::<usize>()
        };
        for (topic, count) in [("logs", 100), ("events", 1), ("syslog", 1)] {
            wait_until(SOON, &format!("{count} lines of {topic} by {file}"), || {
                count_of(topic) >= count
            });
        }
        agent.stop();
        let syslog = &files(&folder.join("out/syslog"))[0].1[0];
        let document: serde_json::Value = serde_json::from_str(syslog).unwrap();
        assert_eq!(
            (&document["message"], &document["host"]["name"]),
            (&"hello from syslog".into(), &"web-1".into())
        );
    }
}

#[test]
fn fan_out_keeps_each_record_once_for_several_systems_of_which_one_is_away() {
    let (orders, clicks, away) = (free_port(), free_port(), free_port());
    let receiver = Receiver::start();
    let (folder, mut agent) = run(
        "config/fan-out.yaml",
        &[
            ("127.0.0.1:8687", &format!("127.0.0.1:{orders}")),
            ("127.0.0.1:8688", &format!("127.0.0.1:{clicks}")),
            ("127.0.0.1:9200", &format!("127.0.0.1:{away}")),
            ("http://127.0.0.1:9000/ingest", &receiver.url("/ingest")),
        ],
    );
    wait_listening(orders);
    let url = |number: usize| format!("http://127.0.0.1:{orders}/orders?key=o{}", number % 7);
    for number in 0..50 {
        let body = format!("{{\"order\":{number}}}");
        assert_eq!(post(&url(number), "application/json", body).unwrap().status, 200);
    }
    let delivered = |sink: &str| {
        let name = format!("anabranch_sink_delivered_records_total{{sink=\"{sink}\"}}");
        agent.metrics().get(&name).copied().unwrap_or_default()
    };
    wait_until(SOON, "all orders in the warehouse", || delivered("warehouse") >= 50.0);
    agent.stop();
    let warehouse = files(&folder.path().join("warehouse/orders"));
    let mut seen: Vec<u64> = warehouse
        .iter()
        .flat_map(|(_, lines)| lines)
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["order"].as_u64().unwrap()
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
}

#[test]
fn the_sidecar_posts_what_its_application_writes() {
    let receiver = Receiver::start();
    let (folder, mut agent) = run(
        "config/sidecar.yaml",
        &[
            ("${COLLECTOR_URL:-http://collector:8687/}", &receiver.url("/")),
            ("/logs/", "FOLDER/logs/"),
        ],
    );
    fs::create_dir_all(folder.path().join("logs")).unwrap();
    append_lines(&folder.path().join("logs/app.log"), "line", 0..100);
    let lines = receiver.wait_for_lines(100, SOON);
    agent.stop();
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|line| line.contains("\"host\":{\"name\":")), "{lines:?}");
}

#[test]
fn the_daemon_ships_what_is_logged_to_elasticsearch() {
    let Some(base) = server("ANABRANCH_SEARCH") else { return };
    let index = format!("daemon-{}", uuid::Uuid::new_v4().simple());
    let (folder, mut agent) = run(
        "config/daemon.yaml",
        &[
            ("${ELASTICSEARCH_URL:-http://127.0.0.1:9200}", &base),
            ("logs-{topic}-{date}", &format!("{index}-{{topic}}")),
            ("/var/log/", "FOLDER/log/"),
            ("1GiB", "1MiB"),
        ],
    );
    let logs = folder.path().join("log");
    fs::create_dir_all(logs.join("nginx")).unwrap();
    append_lines(&logs.join("syslog"), "system", 0..50);
    append_lines(&logs.join("nginx/access.log"), "hit", 0..50);
    for topic in ["system", "applications"] {
        wait_until(
            std::time::Duration::from_secs(90),
            &format!("the documents of {topic}"),
            || search_count(&base, &format!("{index}-{topic}")) >= 50,
        );
    }
    agent.stop();
}

#[test]
fn the_image_has_the_file_that_is_made_for_it_and_exposes_its_ports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert!(dockerfile.contains("deploy/config/image.yaml /image/etc/anabranch/anabranch.yaml"));
    let config = anabranch::config::load(&root.join("deploy/config/image.yaml")).unwrap();
    let exposed = dockerfile.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    let mut exposed: Vec<_> = exposed.split(' ').map(str::to_owned).collect();
    exposed.sort();
    let listens = config.sources.values().flat_map(|source| source.from.listens());
    let mut ports: Vec<String> = listens
        .map(|listen| {
            let (protocol, place) = listen.split_once("://").unwrap();
            let port =
                place.strip_prefix("0.0.0.0:").unwrap_or_else(|| panic!("{listen} is not reached"));
            if protocol == "udp" { format!("{port}/udp") } else { port.to_owned() }
        })
        .collect();
    ports.sort();
    assert_eq!(ports, exposed);
    assert!(config.admin.listen.is_none_or(|listen| listen.starts_with("127.0.0.1:")));
}
