//! The real Elasticsearch when it refuses: for good, for now, and because it has a document already.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::support::{
    Agent, SOON, append_lines, assert_each_once, file_line_count, file_lines, free_port, messages,
    post, put, search_count, search_hits, search_ids, server, wait_listening, wait_until,
};

const LONG: Duration = Duration::from_secs(90);

fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

/// How many documents `index` has.
fn count(base: &str, index: &str) -> usize {
    usize::try_from(search_count(base, index)).unwrap()
}

/// A folder with `logs` to read from, and the block of the source that reads them.
fn source(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("logs")).unwrap();
    format!(
        "sources: {{ logs: {{ topic: logs, from: {{ file: {{ include: [\"{}/logs/*.log\"] }} }} }} }}\n",
        folder.display()
    )
}

/// A sink that sends five hundred documents at a time and does not wait long when it may not.
fn search_sink(name: &str, topic: &str, (base, index): (&str, &str)) -> String {
    format!(
        "  {name}:\n    topics: [{topic}]\n    batch: {{ max_records: 500 }}\n    \
         retry: {{ backoff: 10ms, backoff_max: 200ms }}\n    \
         to: {{ elasticsearch: {{ endpoints: [\"{base}\"], index: {index} }} }}\n"
    )
}

#[test]
fn a_document_that_the_mapping_refuses_is_a_dead_letter_with_its_reason_and_the_rest_arrives() {
    let Some(base) = server("ANABRANCH_SEARCH") else { return };
    let (folder, index, http) = (tempfile::tempdir().unwrap(), unique("refused"), free_port());
    let folder = folder.path();
    let mapping = "{\"mappings\":{\"properties\":{\"n\":{\"type\":\"long\"}}}}";
    assert_eq!(put(&format!("{base}/{index}"), mapping).unwrap().status, 200);
    let letters = folder.join("letters.ndjson");
    let blocks = format!(
        "sources: {{ events: {{ topic: events, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }} }}\n\
         sinks:\n{}  letters: {{ topics: [search.dlq], to: {{ file: {{ path: \"{}\" }} }} }}\n",
        search_sink("search", "events", (&base, &index)),
        letters.display()
    );
    let mut agent = Agent::start(folder, &blocks);
    wait_listening(http);

    let event = |number: usize| match number {
        77 | 1234 => format!("{{\"n\":\"word {number}\"}}\n"),
        _ => format!("{{\"n\":{number}}}\n"),
    };
    let body: String = (0..2000).map(event).collect();
    let url = format!("http://127.0.0.1:{http}/");
    assert_eq!(post(&url, "application/x-ndjson", body).unwrap().status, 200);
    wait_until(LONG, "all good documents", || count(&base, &index) >= 1998);
    wait_until(SOON, "both dead letters", || file_line_count(&letters) >= 2);
    agent.wait_no_lag(&["search", "letters"], SOON);
    assert_eq!(agent.metrics()["anabranch_sink_dead_records_total{sink=\"search\"}"], 2.0);
    agent.stop();

    let mut numbers: Vec<_> = search_hits(&base, &index)
        .iter()
        .map(|hit| usize::try_from(hit["_source"]["n"].as_u64().unwrap()).unwrap())
        .collect();
    numbers.sort_unstable();
    let good: Vec<_> = (0..2000).filter(|number| ![77, 1234].contains(number)).collect();
    assert_eq!(numbers, good);
    let dead: Vec<Value> =
        file_lines(&letters).iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(dead.len(), 2);
    for (letter, word) in dead.iter().zip(["word 77", "word 1234"]) {
        assert_eq!(letter["n"], word);
        let text = letter.to_string();
        for part in ["failed to parse field [n]", "events", "search"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}

#[test]
fn an_index_that_may_not_be_written_for_a_while_gets_everything_once() {
    let Some(base) = server("ANABRANCH_SEARCH") else { return };
    // The first is answered with 403, the second, as on a full disk, with 429.
    for block in ["write", "read_only_allow_delete"] {
        let (folder, index) = (tempfile::tempdir().unwrap(), unique("blocked"));
        let folder = folder.path();
        let settings = |value: &str| format!("{{\"index.blocks.{block}\":{value}}}");
        let address = format!("{base}/{index}");
        assert_eq!(
            put(&address, format!("{{\"settings\":{}}}", settings("true"))).unwrap().status,
            200
        );
        let sinks = search_sink("search", "logs", (&base, &index));
        let other = format!(
            "  other: {{ topics: [logs], to: {{ file: {{ path: \"{}/out.txt\", codec: raw }} }} }}\n",
            folder.display()
        );
        let mut agent = Agent::start(folder, &format!("{}sinks:\n{sinks}{other}", source(folder)));
        append_lines(&folder.join("logs/a.log"), "a", 0..3000);
        let out = folder.join("out.txt");
        wait_until(SOON, "all lines at the other sink", || file_line_count(&out) >= 3000);
        wait_until(SOON, "the sink to be failing", || {
            agent.metrics()["anabranch_sink_up{sink=\"search\"}"] == 0.0
        });

        let free = put(&format!("{address}/_settings"), settings("null")).unwrap();
        assert_eq!(free.status, 200, "{}", free.body);
        wait_until(LONG, "all documents", || count(&base, &index) >= 3000);
        agent.wait_no_lag(&["search"], SOON);
        assert_eq!(agent.metrics()["anabranch_sink_dead_records_total{sink=\"search\"}"], 0.0);
        agent.stop();
        let texts = messages(&search_hits(&base, &index));
        assert_each_once(&texts, "a", 3000);
        assert_eq!(texts.len(), 3000, "{block}");
    }
}

#[test]
fn what_is_delivered_a_second_time_is_there_once_since_a_record_has_one_id() {
    for variable in ["ANABRANCH_SEARCH", "ANABRANCH_OPENSEARCH"] {
        let Some(base) = server(variable) else { return };
        let (folder, index) = (tempfile::tempdir().unwrap(), unique("twice"));
        let folder = folder.path();
        let mut blocks = source(folder) + "sinks:\n";
        blocks += &search_sink("first", "logs", (&base, &index));
        let mut agent = Agent::start(folder, &blocks);
        append_lines(&folder.join("logs/a.log"), "a", 0..3000);
        wait_until(LONG, "all documents", || count(&base, &index) >= 3000);
        agent.wait_no_lag(&["first"], SOON);
        let ids = search_ids(&base, &index);
        agent.kill();

        // Another sink, so another group, that begins at the beginning.
        blocks += &search_sink("second", "logs", (&base, &index));
        agent.configure(&blocks);
        agent.start_again();
        append_lines(&folder.join("logs/a.log"), "a", 3000..4000);
        let delivered = "anabranch_sink_delivered_records_total{sink=\"second\"}";
        wait_until(LONG, "all records delivered again", || {
            agent.metrics().get(delivered).is_some_and(|count| *count >= 4000.0)
        });
        agent.wait_no_lag(&["first", "second"], SOON);
        assert_eq!(agent.metrics()["anabranch_sink_dead_records_total{sink=\"second\"}"], 0.0);
        agent.stop();

        assert_eq!(count(&base, &index), 4000, "{variable}");
        let texts = messages(&search_hits(&base, &index));
        assert_each_once(&texts, "a", 4000);
        let now = search_ids(&base, &index);
        assert!(ids.iter().all(|id| now.binary_search(id).is_ok()), "an id has changed");
    }
}

#[test]
fn values_with_our_names_and_other_kinds_do_not_close_an_index_for_the_lines_behind_them() {
    const HOSTILE: [&str; 22] = [
        r#"{"log":"text","stream":"stdout"}"#,
        r#"{"host":"web-1"}"#,
        r#"{"host":{"name":5}}"#,
        r#"{"host.name":{"first":"a"}}"#,
        r#"{"host":["a",{"name":"b"}],"host.name":"c"}"#,
        r#"{"event":7}"#,
        r#"{"event":{"id":7,"dataset":true}}"#,
        r#"{"event.id":7}"#,
        r#"{"event.id.x":"a"}"#,
        r#"{"source":"here"}"#,
        r#"{"source":{"port":{"x":1}}}"#,
        r#"{"labels":"a"}"#,
        r#"{"labels":{"env":{"name":1}}}"#,
        r#"{"error":"failed"}"#,
        r#"{"message":{"a":1}}"#,
        r#"{"message":7}"#,
        r#"{"@timestamp":1763662647912}"#,
        r#"{"@timestamp":12}"#,
        r#"{"@timestamp":"yesterday"}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"":1," ":2,".a":3,"b..c":4}"#,
        r#"{"anabranch":{"host":{"x":1}},"kafka":1,"log.file":"x"}"#,
    ];
    for variable in ["ANABRANCH_SEARCH", "ANABRANCH_OPENSEARCH"] {
        let Some(base) = server(variable) else { continue };
        let (folder, index, http) = (tempfile::tempdir().unwrap(), unique("kinds"), free_port());
        let folder = folder.path();
        std::fs::create_dir(folder.join("logs")).unwrap();
        let sources = format!(
            "sources:\n  logs: {{ topic: logs, from: {{ file: {{ include: [\"{}/logs/*.log\"] }} }} }}\n  \
             events: {{ topic: logs, from: {{ http: {{ listen: \"127.0.0.1:{http}\" }} }} }}\n",
            folder.display()
        );
        let sinks = search_sink("search", "logs", (&base, &index));
        let mut agent = Agent::start(folder, &format!("{sources}sinks:\n{sinks}"));
        wait_listening(http);
        let url = format!("http://127.0.0.1:{http}/");
        for (number, value) in HOSTILE.iter().enumerate() {
            assert_eq!(post(&url, "application/x-ndjson", *value).unwrap().status, 200);
            wait_until(LONG, "the hostile value", || count(&base, &index) > number);
        }
        append_lines(&folder.join("logs/a.log"), "a", 0..100);
        wait_until(LONG, "all plain lines", || count(&base, &index) >= HOSTILE.len() + 100);
        agent.wait_no_lag(&["search"], SOON);
        assert_eq!(agent.metrics()["anabranch_sink_dead_records_total{sink=\"search\"}"], 0.0);
        agent.stop();
        let hits = search_hits(&base, &index);
        let texts = hits.iter().filter_map(|hit| hit["_source"]["message"].as_str());
        let texts: Vec<String> = texts.map(str::to_owned).collect();
        assert_each_once(&texts, "a", 100);
    }
}
