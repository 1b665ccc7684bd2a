//! Dead letters: listed, shown, and replayed once.

use super::anabranch;

#[test]
fn dead_letters_are_replayed_to_their_topic_without_what_was_added() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(["--data-dir", "data"]);
        anabranch(folder.path(), &words, input).well()
    };
    // As the delivery stores them.
    let dead = "produce search.dlq --key-separator = --header host=web --header __connect.errors.topic=logs \
        --header __connect.errors.exception.message=refused --header anabranch.dlq.attempts=1";
    run(dead, "k1=one\nk2=two\nk3=three\n");
    assert_eq!(run("dlq list", ""), "SINK    DEAD  TO REPLAY\nsearch     3          3\n");
    let shown = run("dlq show search -n 1", "");
    assert!(shown.contains("__connect.errors.exception.message: refused"), "{shown}");
    assert_eq!(shown.matches("search.dlq [0]").count(), 1);

    assert_eq!(
        run("dlq replay search --count 1", ""),
        "1 records of search stored again in logs\n"
    );
    assert_eq!(run("dlq list", ""), "SINK    DEAD  TO REPLAY\nsearch     3          2\n");
    assert_eq!(run("dlq replay search", ""), "2 records of search stored again in logs\n");
    assert_eq!(
        run("dlq replay search", ""),
        "search has no dead letters that were not replayed yet\n"
    );
    assert_eq!(run("dlq purge search --yes", ""), "3 dead letters of search deleted\n");
    assert_eq!(run("dlq list", ""), "SINK    DEAD  TO REPLAY\nsearch     0          0\n");
    let logs = run("consume logs --format %k=%v,%h\\n", "");
    assert_eq!(logs, "k1=one,host=web\nk2=two,host=web\nk3=three,host=web\n");
}

#[test]
fn dead_letters_are_chosen_by_their_reason_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.extend(["--data-dir", "data"]);
        anabranch(folder.path(), &words, input).well()
    };
    for (reason, died, values) in [("busy", "1000", "one\ntwo\n"), ("bad", "2000", "three\n")] {
        let dead = format!(
            "produce search.dlq --header __connect.errors.topic=logs \
             --header __connect.errors.exception.message={reason} --header anabranch.dlq.timestamp={died}"
        );
        run(&dead, values);
    }
    assert_eq!(run("dlq show search --reason bad --format %v\\n", ""), "three\n");
    let before = "dlq show search --before 1970-01-01T00:00:02Z --format %v\\n";
    assert_eq!(run(before, ""), "one\ntwo\n");
    let replayed = run("dlq replay search --reason bad", "");
    assert_eq!(replayed, "1 records of search stored again in logs\n");
    assert_eq!(run("consume logs --format %v\\n", ""), "three\n");
    run("dlq purge search --yes", "");
    assert_eq!(run("dlq show search --format %v\\n", ""), "one\ntwo\n");
    run("dlq purge search --reason busy --yes", "");
    assert_eq!(run("dlq list", ""), "SINK    DEAD  TO REPLAY\nsearch     0          0\n");
}
