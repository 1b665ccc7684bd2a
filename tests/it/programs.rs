//! The real programs and servers behind the other tests do what those tests build on.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::support::{
    Broker, Nginx, Receiver, Rsyslogd, SOON, free_port, get, kcat, logger, logrotate, post,
    search_count, search_hits, search_ids, server, wait_until,
};

#[test]
fn kafka_gives_back_what_kcat_produced() {
    let (Some(kafka), Some(program)) = (server("ANABRANCH_KAFKA"), server("ANABRANCH_KCAT")) else {
        return;
    };
    let topic = format!("kcat-{}", uuid::Uuid::new_v4());
    kcat(&program, &["-P", "-b", &kafka, "-t", &topic, "-z", "lz4"], "one\ntwo\n");
    let back = kcat(&program, &["-C", "-b", &kafka, "-t", &topic, "-e", "-q"], "");
    let mut lines: Vec<_> = back.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn a_killed_broker_gives_back_what_it_acknowledged() {
    let (Some(_kafka), Some(program)) = (server("ANABRANCH_KAFKA"), server("ANABRANCH_KCAT"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let broker = Broker::start(folder.path());
    let address = broker.address();
    kcat(&program, &["-P", "-b", &address, "-t", "kept", "-X", "acks=all"], "one\n");

    broker.kill();
    broker.start_again();

    let back = kcat(&program, &["-C", "-b", &address, "-t", "kept", "-e", "-q"], "");
    assert_eq!(back, "one\n");
}

#[test]
fn both_search_engines_count_and_list_what_a_bulk_created() {
    for variable in ["ANABRANCH_SEARCH", "ANABRANCH_OPENSEARCH"] {
        let Some(base) = server(variable) else { return };
        let index = format!("programs-{}", uuid::Uuid::new_v4());
        assert_eq!(search_count(&base, &index), 0, "{variable}");

        let create =
            |id| format!("{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"message\":\"m{id}\"}}\n");
        let bulk = ["2", "1", "1"].map(create).concat();
        let url = format!("{base}/{index}/_bulk");
        let answer = post(&url, "application/x-ndjson", bulk).unwrap();

        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(answer.body.contains("\"status\":409"), "{}", answer.body);
        assert_eq!(search_count(&base, &index), 2, "{variable}");
        assert_eq!(search_ids(&base, &index), ["1", "2"], "{variable}");
        let hits = search_hits(&base, &index);
        assert!(hits.iter().any(|hit| hit["_source"]["message"] == "m2"), "{hits:?}");
    }
}

#[test]
fn rsyslogd_writes_what_logger_sent() {
    let (Some(rsyslogd), Some(program)) =
        (server("ANABRANCH_RSYSLOGD"), server("ANABRANCH_LOGGER"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (port, written) = (free_port().to_string(), folder.path().join("messages"));
    let config = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         action(type=\"omfile\" file=\"{}\")\n",
        written.display()
    );
    let _rsyslogd = Rsyslogd::start(&rsyslogd, folder.path(), &config);

    let message = ["-T", "-n", "127.0.0.1", "-P", &port, "--rfc5424", "-t", "app", "a message"];
    logger(&program, &message);

    wait_until(SOON, "the message in rsyslog's file", || {
        fs::read_to_string(&written).is_ok_and(|text| text.contains("app a message"))
    });
}

#[test]
fn nginx_goes_on_in_a_new_file_after_logrotate() {
    let (Some(nginx), Some(rotate)) = (server("ANABRANCH_NGINX"), server("ANABRANCH_LOGROTATE"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (log, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    let config = format!("access_log {} combined;", log.display());
    let mut nginx = Nginx::start(&nginx, folder.path(), &config);
    let request = |path: &str| get(&format!("http://{}{path}", nginx.address)).unwrap();
    assert_eq!(request("/before").body, "ok\n");
    let inode = fs::metadata(&log).unwrap().ino();

    logrotate(&rotate, folder.path(), &log, "create");
    assert_eq!(fs::metadata(&rotated).unwrap().ino(), inode);
    nginx.reopen();

    wait_until(SOON, "a request in the new file", || {
        let answer = get(&format!("http://{}/after", nginx.address)).unwrap();
        answer.status == 200 && fs::read_to_string(&log).unwrap().contains("GET /after")
    });
    assert!(fs::read_to_string(&rotated).unwrap().contains("GET /before"));
}

#[test]
fn a_receiver_takes_refuses_and_goes_away_as_told() {
    let mut receiver = Receiver::start();
    let url = receiver.url("/in?a=1");
    let send = |body: &str| post(&url, "text/plain", body).map(|answer| answer.status);

    assert_eq!(send("one\ntwo\n").unwrap(), 200);
    receiver.answer_retry_after(429, 1);
    assert_eq!(send("three\n").unwrap(), 429);
    receiver.answer(503);
    assert_eq!(send("three\n").unwrap(), 503);
    receiver.go_away();
    assert!(send("three\n").is_err());
    receiver.come_back();
    receiver.answer(204);
    assert_eq!(send("three\n").unwrap(), 204);

    assert_eq!(receiver.wait_for_lines(3, SOON), ["one", "two", "three"]);
    assert_eq!(receiver.refused(), 2);
    assert_eq!(receiver.taken()[0].path, "/in?a=1");
    assert!(receiver.ids().is_empty());
}

#[tokio::test]
async fn a_receiver_serves_a_test_that_blocks_its_own_runtime() {
    let mut receiver = Receiver::start();
    assert_eq!(post(&receiver.url("/"), "text/plain", "one").unwrap().status, 200);
    receiver.go_away();
    assert_eq!(receiver.lines(), ["one"]);
}

#[test]
fn a_compressed_body_is_read_as_its_text() {
    let receiver = Receiver::start();
    let body = zstd::encode_all(&b"one\ntwo\n"[..], 1).unwrap();
    let request = reqwest::Client::new()
        .post(receiver.url("/"))
        .header("content-encoding", "zstd")
        .header("idempotency-key", "k1")
        .body(body);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(request.send()).unwrap().status(), 200);
    assert_eq!(receiver.lines(), ["one", "two"]);
    assert_eq!(receiver.ids(), ["k1"]);
}
