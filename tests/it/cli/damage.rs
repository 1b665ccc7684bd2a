//! `log verify` and `log dump` on a good log and on a damaged one.

use std::os::unix::fs::FileExt;

use super::anabranch;

#[test]
fn verify_finds_a_flipped_bit_with_its_offsets_and_dump_shows_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        anabranch(folder.path(), &words, input)
    };
    for lines in ["a\nb\n", "c\nd\n", "e\n"] {
        run("produce t --data-dir data", lines).well();
    }
    run("consume t --group g -n 2 --data-dir data", "").well();
    let good = run("log verify data", "").well();
    let row: Vec<&str> =
        good.lines().find(|line| line.starts_with("t ")).unwrap().split_whitespace().collect();
    assert_eq!(row[..4], ["t", "3", "5", "0"], "{good}");
    assert!(good.contains("g               1    3"), "{good}");
    assert!(good.contains("no damage found"), "{good}");
    let batches = run("log dump data t --batches", "").well();
    let batches: Vec<serde_json::Value> =
        batches.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let bases: Vec<_> =
        batches.iter().map(|batch| batch["base_offset"].as_i64().unwrap()).collect();
    assert_eq!(bases, [0, 2, 4]);

    let path = folder.path().join("data/t-0/00000000000000000000.log");
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let place = batches[0]["bytes"].as_u64().unwrap() + 70;
    let mut byte = [0];
    file.read_exact_at(&mut byte, place).unwrap();
    file.write_all_at(&[byte[0] ^ 1], place).unwrap();

    let bad = run("log verify data", "");
    assert_eq!(bad.code, 1);
    assert!(bad.out.contains("damaged: t-0: offsets 2 to 3: "), "{}", bad.out);
    assert!(bad.out.contains("CRC-32C"), "{}", bad.out);
    assert_eq!(
        bad.err,
        "error: 1 places are damaged, 2 offsets cannot be read; readers go on behind them\n"
    );
    let dumped = run("log dump data t --from 1", "").well();
    let dumped: Vec<serde_json::Value> =
        dumped.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(dumped[0]["value"], "b");
    assert_eq!((&dumped[1]["damaged_from"], &dumped[1]["to"]), (&2.into(), &4.into()));
    assert_eq!(dumped[2]["value"], "e");
}

#[test]
fn a_torn_end_is_a_note_and_no_damage() {
    let folder = tempfile::tempdir().unwrap();
    let run = |line: &str, input: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        anabranch(folder.path(), &words, input)
    };
    run("produce t --data-dir data", "a\nb\n").well();
    let path = folder.path().join("data/t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    let torn = bytes[..40].to_vec();
    bytes.extend(torn);
    std::fs::write(&path, bytes).unwrap();
    let verified = run("log verify data", "").well();
    assert!(verified.contains("ends in 40 bytes that are no whole batch"), "{verified}");
    assert_eq!(run("consume t --data-dir data", "").well(), "a\nb\n");
}
