//! Wrong configurations, each with the exact message that `check` prints for it.
//!
//! The tables stand in `wrong/*.txt`: a configuration, a line with `=>`, its messages, a line with `----`.

use super::verdict;

const TABLES: [(&str, &str); 9] = [
    ("syntax", include_str!("wrong/syntax.txt")),
    ("names", include_str!("wrong/names.txt")),
    ("values", include_str!("wrong/values.txt")),
    ("connectors", include_str!("wrong/connectors.txt")),
    ("relations", include_str!("wrong/relations.txt")),
    ("listeners", include_str!("wrong/listeners.txt")),
    ("connections", include_str!("wrong/connections.txt")),
    ("together", include_str!("wrong/together.txt")),
    ("newcomers", include_str!("wrong/newcomers.txt")),
];

#[test]
fn every_mistake_is_told_with_its_line_its_path_and_what_to_do() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (table, cases) in TABLES {
        for case in cases.split("----\n").filter(|case| !case.is_empty()) {
            let (text, expected) = case.split_once("=>\n").unwrap();
            let printed = verdict(text);
            count += 1;
            if printed != expected.trim_end() {
                faults.push(format!("{table}:\n{text}printed  {printed}\nexpected {expected}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 220, "only {count} cases");
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |name: &str| {
        let refused = anabranch::config::load(&folder.path().join(name)).unwrap_err().to_string();
        refused.replace(&folder.path().display().to_string(), "DIR")
    };
    assert_eq!(
        refusal("gone.yaml"),
        "cannot read DIR/gone.yaml: no such file; name the file after the command; config/quickstart.yaml is an example"
    );
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    assert_eq!(
        refusal("empty"),
        "cannot read DIR/empty: the folder has no *.yaml file; name a file, or put one there; config/quickstart.yaml \
         is an example"
    );
    std::fs::write(folder.path().join("latin1.yaml"), b"data_dir: a\nlog: { level: caf\xe9 }\n")
        .unwrap();
    assert_eq!(
        refusal("latin1.yaml"),
        "DIR/latin1.yaml:2:18: not UTF-8; save the file with this encoding"
    );
    std::fs::create_dir(folder.path().join("conf.d")).unwrap();
    std::fs::create_dir(folder.path().join("conf.d/dir.yaml")).unwrap();
    let refused = refusal("conf.d");
    assert!(refused.starts_with("cannot read DIR/conf.d/dir.yaml: Is a directory"), "{refused}");
}
