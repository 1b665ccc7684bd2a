//! Folders, variables and defaults.

use std::fs;
use std::time::Duration;

use anabranch::config::{
    self, Acks, Cleanup, Config, EmbeddedConfig, Flush, HubConfig, KafkaConfig, Start, TopicConfig,
};
use anabranch_connectors::ByteSize;

fn load(text: &str) -> Config {
    config::load_str(text, "test.yaml").unwrap()
}

/// Loads a folder with these files; a refusal is given as its message, without the folder.
fn load_folder(files: &[(&str, &str)]) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let prefix = format!("{}/", folder.path().display());
    config::load(folder.path()).map_err(|refused| refused.to_string().replace(&prefix, ""))
}

#[test]
fn what_is_not_set_has_its_default() {
    assert_eq!(load("log: {}\n"), Config::default());
    assert_eq!(load("producer:\nlog:\ntopics:\nsources:\n"), Config::default());
}

#[test]
fn a_hub_is_named_by_its_key_or_alone() {
    let default = HubConfig::Embedded(EmbeddedConfig::default());
    assert_eq!(load("hub: { embedded: {} }\n").hub, default);
    assert_eq!(load("hub: { embedded: }\n").hub, default);
    assert_eq!(load("hub: embedded\n").hub, default);
    let expected = KafkaConfig::new(vec!["b1:9092".to_owned()]);
    assert_eq!(
        load("hub: { kafka: { bootstrap_servers: [b1:9092] } }\n").hub,
        HubConfig::Kafka(expected)
    );
}

#[test]
fn properties_of_the_kafka_client_may_be_any_scalar_as_it_is_written() {
    let options = "{ a.b: true, c: 010, d: 1.50, e: text, f: \"\", g: 1e3, h: 0x1F, i: .5 }";
    let text = format!("hub: {{ kafka: {{ bootstrap_servers: [b:1], options: {options} }} }}\n");
    let HubConfig::Kafka(kafka) = load(&text).hub else {
        panic!("not Kafka");
    };
    let options: Vec<_> =
        kafka.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("a.b", "true"),
        ("c", "010"),
        ("d", "1.50"),
        ("e", "text"),
        ("f", ""),
        ("g", "1e3"),
        ("h", "0x1F"),
        ("i", ".5"),
    ];
    assert_eq!(options, expected);
}

#[test]
fn words_stand_for_limits_that_are_off() {
    let config = load(
        "topic_defaults: { retention: { time: none, size: none, hard_size: none }, segment_size: default }\n\
         producer: { delivery_timeout: never, compression_level: default }\n\
         admin: { listen: none }\n",
    );
    let retention = &config.topic_defaults.retention;
    assert_eq!((retention.time, retention.size, retention.hard_size), (None, None, None));
    assert_eq!(config.topic_defaults.segment_size, None);
    assert_eq!(config.producer.delivery_timeout, None);
    assert_eq!(config.producer.compression_level, None);
    assert_eq!(config.admin.listen, None);
}

#[test]
fn choices_are_read_in_all_their_forms() {
    let flush = |text: &str| match load(&format!("hub: {{ embedded: {{ flush: {text} }} }}\n")).hub
    {
        HubConfig::Embedded(embedded) => embedded.flush,
        HubConfig::Kafka(_) => panic!("not embedded"),
    };
    assert_eq!(flush("each"), Flush::Each);
    assert_eq!(flush("os"), Flush::Os);
    assert_eq!(flush("2s"), Flush::Every(Duration::from_secs(2)));
    for (text, acks) in
        [("0", Acks::None), ("1", Acks::Leader), ("all", Acks::All), ("-1", Acks::All)]
    {
        assert_eq!(load(&format!("producer: {{ acks: {text} }}\n")).producer.acks, acks);
    }
    for (text, start) in [
        ("earliest", Start::Earliest),
        ("latest", Start::Latest),
        ("1970-01-01T00:00:01Z", Start::At(1000)),
        ("\"1970-01-01T01:00:00.5+01:00\"", Start::At(500)),
    ] {
        let text =
            format!("sinks: {{ s: {{ topics: [t], start: {text}, to: {{ stdout: {{}} }} }} }}\n");
        assert_eq!(load(&text).sinks["s"].start, start);
    }
}

#[test]
fn a_topic_has_from_the_defaults_what_it_does_not_set() {
    let config = load(
        "topic_defaults: { partitions: 4, retention: { time: 1d, hard_size: 20GiB } }\n\
         topics:\n  a: { retention: { time: 2d } }\n  b: { partitions: 1, cleanup: compact }\n  c:\n",
    );
    let defaults = &config.topic_defaults;
    assert_eq!(defaults.partitions, 4);
    assert_eq!(defaults.retention.size, Some(ByteSize::gib(10)));
    let mut a = defaults.clone();
    a.retention.time = Some(Duration::from_secs(2 * 86_400));
    let b = TopicConfig { partitions: 1, cleanup: Cleanup::COMPACT, ..defaults.clone() };
    assert_eq!(config.topics["a"], a);
    assert_eq!(config.topics["b"], b);
    assert_eq!(config.topics["c"], *defaults);
    assert_eq!(config.topic("d"), defaults);
    assert_eq!(config.topic("b"), &b);
}

#[test]
fn idempotence_goes_off_by_itself_only_when_nobody_asked_for_it() {
    assert!(load("producer: { acks: all }\n").producer.idempotence);
    assert!(!load("producer: { acks: 1 }\n").producer.idempotence);
    assert!(load("producer: { acks: 1, idempotence: true }\n").producer.idempotence);
}

#[test]
fn variables_take_the_type_of_their_setting_and_never_become_yaml() {
    let config = load(
        "data_dir: \"/x/${CARGO_PKG_NAME}/$${y}/${ANABRANCH_NOT_SET:-a: [b]}\"\n\
         producer: { retries: \"${ANABRANCH_NOT_SET:-7}\", idempotence: \"${ANABRANCH_NOT_SET:-false}\",\n\
           linger: \"${ANABRANCH_NOT_SET:-1s}\", batch_size: \"${ANABRANCH_NOT_SET:-2MiB}\" }\n",
    );
    assert_eq!(config.data_dir.to_str(), Some("/x/anabranch/${y}/a: [b]"));
    assert_eq!(config.producer.retries, 7);
    assert!(!config.producer.idempotence);
    assert_eq!(config.producer.linger, Duration::from_secs(1));
    assert_eq!(config.producer.batch_size, ByteSize::mib(2));
}

#[test]
fn a_file_is_put_in_without_its_last_line_end() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "level: {}\n\n").unwrap();
    let config = load(&format!("log: {{ level: \"${{file:{}}}\" }}\n", secret.display()));
    assert_eq!(config.log.level, "level: {}\n");
}

#[test]
fn a_secret_that_does_not_fit_is_not_printed() {
    let text = "producer: { batch_size: \"${ANABRANCH_NOT_SET:-hunter2}\", linger: 1s }\n";
    let refused = config::load_str(text, "x.yaml").unwrap_err().to_string();
    assert!(refused.starts_with("x.yaml:1:25: producer.batch_size: "), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
}

#[test]
fn the_files_of_a_folder_are_one_configuration() {
    let merged = load_folder(&[
        ("b.yml", "producer: { linger: 1s }\nsources: { b: { topic: t, from: { stdin: {} } } }\n"),
        ("a.yaml", "producer: { acks: 1 }\nsources: { a: { topic: t, from: { stdin: {} } } }\n"),
        ("c.yaml", "# nothing yet\nsources:\n"),
        ("d.txt", "not read"),
        (".e.yaml", "not read"),
    ]);
    let whole = load(
        "producer: { acks: 1, linger: 1s }\n\
         sources:\n  a: { topic: t, from: { stdin: {} } }\n  b: { topic: t, from: { stdin: {} } }\n",
    );
    assert_eq!(merged, Ok(whole));
}

#[test]
fn a_setting_in_two_files_is_refused_with_both_places() {
    let refused = load_folder(&[
        ("a.yaml", "log: {}\nproducer: { acks: 1 }\n"),
        ("b.yaml", "producer:\n  linger: 1s\n  acks: 1\n"),
    ]);
    let expected = "b.yaml:3:3: producer.acks: is set in a.yaml:2:13, too; keep one of the two";
    assert_eq!(refused.unwrap_err(), expected);
}

#[test]
fn a_fault_is_placed_in_the_file_where_it_stands() {
    let a = ("a.yaml", "producer: { acks: 1 }\n");
    for (text, expected) in [
        (
            "producer:\n  lingr: 1s\n",
            "b.yaml:2:3: producer: unknown field `lingr`; did you mean `linger`?",
        ),
        (
            "sinks:\n  s: {}\n",
            "b.yaml:2:3: sinks.s: `topics` is missing and has no default; write it",
        ),
    ] {
        assert_eq!(load_folder(&[a, ("b.yaml", text)]).unwrap_err(), expected);
    }
}

#[test]
fn many_file_sources_and_sinks_are_judged_without_asking_each_of_them_about_all_others() {
    // By pairs and topics, each with its patterns compiled anew, this took hours.
    const MANY: usize = 400;
    let mut text = "sources:\n".to_owned();
    for one in 0..MANY {
        text += &format!(
            "  in{one}: {{ topic: t{one}, from: {{ file: {{ include: [\"/nowhere/in/{one}/*.log\"] }} }} }}\n"
        );
    }
    text += "  all: { topic: all, from: { file: { include: [\"/nowhere/out/**\"] } } }\nsinks:\n";
    for one in 0..MANY {
        text += &format!(
            "  out{one}: {{ topics: [t{one}, u{one}], to: {{ file: {{ path: \"/nowhere/out/{one}/{{topic}}.log\" }} }} }}\n"
        );
    }
    let told = super::verdict(&text);
    let loops: Vec<&str> = told.lines().filter(|line| line.contains("reads what")).collect();
    let expected = "sources.all.from.file: reads what the sinks `out0`, `out1`, `out10` and 397 more write (/nowhere/out/0/u0.log)";
    assert!(loops.len() == 1 && loops[0].contains(expected), "{loops:?}");
    assert_eq!(
        told.lines().filter(|line| line.contains("no source writes the topic")).count(),
        MANY
    );
    assert!(told.contains("bad.yaml:803:"), "the last one has its place");
}
