//! What of a file sink's configuration is refused, and what a probe of it finds.

use serde_json::json;

use super::exactness::config;
use crate::contract::build::Surroundings;
use crate::sinks::file::config::SinkConfig;
use crate::sinks::file::probe::probe;
use crate::sinks::file::sink::FileSink;

#[test]
fn settings_that_cannot_work_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (extra, setting) in [
        (json!({ "rotate": { "keep": 3 } }), "rotate.keep"),
        (json!({ "rotate": { "size": 1, "keep": 0 } }), "rotate.keep"),
        (json!({ "rotate": { "size": 0 } }), "rotate.size"),
        (json!({ "idle_close": "10ms" }), "idle_close"),
        (json!({ "max_open_files": 0 }), "max_open_files"),
        (json!({ "path": "a/{nothing}.log" }), "path"),
        (json!({ "base_dir": "elsewhere" }), "path"),
    ] {
        let refused = FileSink::new(config(folder.path(), &extra), &Surroundings::default());
        assert_eq!(refused.unwrap_err().setting, setting, "{extra}");
    }
    let mode = |text: &str| -> Result<SinkConfig, _> {
        serde_json::from_value(json!({ "path": "x", "mode": text }))
    };
    assert_eq!((mode("0640").unwrap().mode, mode("0o600").unwrap().mode), (0o640, 0o600));
    assert!(mode("0888").unwrap_err().to_string().contains("octal"));
}

#[test]
fn a_probe_makes_the_base_folder_or_says_why_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    let rotated = config(&folder.path().join("a/b"), &json!({ "rotate": { "time": "1d" } }));
    assert!(probe(&rotated).unwrap().contains("can be written"));
    assert_eq!(folder.path().join("a/b").read_dir().unwrap().count(), 0);
    let example = rotated.example_path("orders");
    assert_eq!(example, folder.path().join("a/b/orders/host.000001.log"));
    std::fs::write(folder.path().join("file"), b"").unwrap();
    let refused = probe(&config(&folder.path().join("file"), &json!({})));
    assert!(refused.unwrap_err().contains("remove it"));
}
