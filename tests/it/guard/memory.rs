//! One budget of bytes for the process: who wants much waits or is refused in words, who wants little is served.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::anabranch;
use crate::support::{Agent, SOON, append_lines, free_port, lines, post, wait_until};

/// A part of a crowd: many files, large bodies, slow clients, lines without an end, Kafka clients that do not read, a sink
/// that is away and a slow one. The whole of it is `anabranch bench memory`.
#[test]
fn a_crowd_gets_what_fits_and_is_told_so_and_nothing_that_was_taken_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["bench", "memory", "--scale", "25", "--bytes", "40MB", "--json"];
    let (code, text) = anabranch(folder.path(), &words);
    assert_eq!(code, 0, "{text}");
    let line = text.lines().find(|line| line.starts_with('{')).unwrap();
    let figures: serde_json::Value = serde_json::from_str(line).unwrap();
    let figure = |name: &str| figures[name].as_f64().unwrap();
    assert_eq!((figure("lost"), figure("too_many")), (0.0, 0.0), "{line}");
    assert_eq!((figure("bodies_taken"), figure("without_answer")), (80.0, 0.0), "{line}");
    // 48 MiB may be held; a program that was built for tests is larger and slower than the one that is shipped.
    assert!(figure("peak_mib") < 48.0 + 72.0, "{line}");
}

fn half(address: &str, say: &[u8]) -> TcpStream {
    let mut stream = None;
    wait_until(SOON, "a listener", || {
        stream = TcpStream::connect(address).ok();
        stream.is_some()
    });
    let mut stream = stream.unwrap();
    // One that is closed meanwhile has said what it could.
    stream.write_all(say).ok();
    stream
}

/// Bytes that a part holds.
fn held(agent: &Agent, part: &str) -> f64 {
    agent.metrics()[&format!("anabranch_memory_bytes{{part=\"{part}\"}}")]
}

#[test]
fn a_line_without_an_end_is_stored_as_far_as_it_came_when_its_connection_is_closed_for_memory() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let at = format!("127.0.0.1:{}", free_port());
    let out = folder.path().join("out.txt");
    let blocks = format!(
        "memory: 24MiB\n\
         sources: {{ net: {{ topic: net, from: {{ syslog: {{ listen: [\"tcp://{at}\"], max_message_bytes: 1MiB }} }} }} }}\n\
         sinks: {{ out: {{ topics: [net], to: {{ file: {{ path: \"{}\", codec: raw }} }} }} }}\n",
        out.display()
    );
    let agent = Agent::start(folder.path(), &blocks);
    // 3 MiB of 8 are for connections.
    let line = [b"<13>".to_vec(), vec![b'x'; MIB - 1000]].concat();
    let streams: Vec<TcpStream> = (0..8).map(|_| half(&at, &line)).collect();
    let key = "anabranch_connections_closed_total{listener=\"sources.net\",reason=\"memory\"}";
    wait_until(SOON, "connections to be closed", || agent.metrics()[key] >= 5.0);
    assert!(held(&agent, "connections") <= 3.5 * MIB as f64);
    assert_eq!(agent.log().matches("there is no memory for what is not whole").count(), 1);
    // Who ends his lines is served beside them.
    let text = || fs::read_to_string(&out).unwrap_or_default();
    let mut sender = half(&at, b"<13>a whole line\n");
    wait_until(SOON, "the line", || text().contains("<13>a whole line\n"));
    sender.write_all(b"<13>another one\n").unwrap();
    drop((sender, streams));
    wait_until(SOON, "what had come of each", || text().lines().count() == 8 + 2);
    let text = text();
    let begun: Vec<&str> = text.lines().filter(|line| line.starts_with("<13>xxxx")).collect();
    assert!(begun.len() == 8 && begun.iter().all(|line| line.len() > 2048));
    wait_until(SOON, "memory to be given back", || held(&agent, "connections") == 0.0);
}

#[test]
fn who_announces_much_and_pauses_keeps_only_what_has_come_and_others_go_on() {
    const MIB: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let at = format!("127.0.0.1:{}", free_port());
    let blocks = format!(
        "memory: 32MiB\nproducer: {{ buffer_memory: 7MiB }}\n\
         sources: {{ web: {{ topic: web, from: {{ http: {{ listen: \"{at}\" }} }} }} }}\n"
    );
    let agent = Agent::start(folder.path(), &blocks);
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {MIB}\r\n\r\n");
    let begun = [head.as_bytes(), &vec![b'x'; 20_000]].concat();
    // Together they announce more than all that there is.
    let slow: Vec<TcpStream> = (0..20).map(|_| half(&at, &begun)).collect();
    wait_until(SOON, "what was kept for them to be given back", || {
        let held = held(&agent, "bodies");
        held > 0.0 && held <= 400_000.0
    });
    let body = lines("a", 0..10_000);
    let answer = post(&format!("http://{at}/"), "text/plain", body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    for mut stream in slow {
        let rest = [vec![b'x'; MIB - 20_001], b"\n".to_vec()].concat();
        stream.write_all(&rest).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        let mut answer = [0; 1000];
        let read = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    wait_until(SOON, "memory to be given back", || held(&agent, "bodies") == 0.0);
}

#[test]
fn a_sink_delivers_while_sources_have_taken_all_and_others_are_away() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    let at = |name: &str| folder.path().join(name);
    let away = free_port();
    let sinks: String = (0..20)
        .map(|number| {
            format!("  away{number}: {{ topics: [f], to: {{ http: {{ url: \"http://127.0.0.1:{away}/\" }} }} }}\n")
        })
        .collect();
    let blocks = format!(
        "memory: 24MiB\n\
         sources: {{ f: {{ topic: f, from: {{ file: {{ include: [\"{here}/a.log\"] }} }} }} }}\n\
         sinks:\n{sinks}  out: {{ topics: [f], to: {{ file: {{ path: \"{here}/out.txt\", codec: raw }} }} }}\n"
    );
    append_lines(&at("a.log"), "some line of the file", 0..200_000);
    let agent = Agent::start(folder.path(), &blocks);
    wait_until(SOON, "delivery", || {
        agent.sum("anabranch_sink_delivered_records_total", "sink=\"out\"") == 200_000.0
    });
    let max = agent.metrics()["anabranch_memory_max_bytes{part=\"sinks\"}"];
    // A batch of a mebibyte is read whole, for each of them.
    assert!(max > 1_000_000.0 && held(&agent, "sinks") > 0.0);
}

#[test]
fn too_little_memory_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    for (blocks, wanted) in [
        (
            "memory: 10MiB\n",
            "memory: 10MiB is too little for the program; write at least 24MiB, or auto",
        ),
        (
            "memory: 64MiB\nproducer: { buffer_memory: 40MiB }\n",
            "producer.buffer_memory: 40MiB is more than half of memory (64MiB)",
        ),
        ("memory: plenty\n", "auto"),
    ] {
        let path: &Path = &folder.path().join("c.yaml");
        fs::write(path, blocks).unwrap();
        let (code, text) = anabranch(folder.path(), &["check", "c.yaml"]);
        assert!(code != 0 && text.contains(wanted), "{text}");
    }
}

#[test]
fn the_c_library_is_told_to_give_memory_back_unless_somebody_has_told_it_something() {
    let folder = tempfile::tempdir().unwrap();
    // A configuration that is never there, so that the program waits for it.
    let config = folder.path().join("c.yaml");
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    let run = |name: &str, value: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
        command.env(name, value).arg("run").arg(&config);
        let mut child = command.spawn().unwrap();
        let process = PathBuf::from(format!("/proc/{}", child.id()));
        // It listens to SIGHUP before it reads its configuration.
        let began = || {
            let status = fs::read_to_string(process.join("status")).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & 1 == 1
        };
        wait_until(SOON, "the program", began);
        let told = fs::read(process.join("environ")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        String::from_utf8(told).unwrap()
    };
    let told = run("A", "b");
    assert!(told.contains("MALLOC_ARENA_MAX=2\0") && told.contains("A=b\0"), "{told}");
    for (name, value) in [
        ("MALLOC_ARENA_MAX", "7"),
        ("GLIBC_TUNABLES", "glibc.malloc.check=0"),
        // From one with capabilities of its own the others are taken away: it does not begin anew for ever.
        ("ANABRANCH_ALLOCATOR", "settled"),
    ] {
        let told = run(name, value);
        assert!(told.contains(&format!("{name}={value}\0")), "{told}");
        assert!(!told.contains("MALLOC_TRIM_THRESHOLD_"), "{told}");
    }
}
